package strictxml

import (
	"bytes"
	"regexp"
)

// declarationPattern is the XML declaration as it must be at the beginning.
var declarationPattern = regexp.MustCompile(`^<\?xml` +
	`[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z0-9._-]+)"|'([A-Za-z0-9._-]+)'))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?` +
	`[ \t\r\n]*\?>`)

func (r *Reader) declaration() {
	rest := r.data[r.pos:]
	if !bytes.HasPrefix(rest, []byte("<?xml")) || len(rest) > 5 && nameByte[rest[5]] {
		return
	}
	const longest = 1024
	match := declarationPattern.FindSubmatch(rest[:min(longest, len(rest))])
	if match == nil {
		r.fail(r.pos, "the XML declaration is malformed")
		return
	}
	encoding := append(match[1], match[2]...)
	switch string(bytes.ToLower(encoding)) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		r.pos += len(match[0])
	default:
		r.fail(r.pos, "the encoding is %.100s; it must be UTF-8", encoding)
	}
}

// markup passes over a comment, a CDATA section or a processing instruction.
func (r *Reader) markup() bool {
	rest := r.data[r.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		return r.passOver("comment", "<!--", "-->") && r.checkComment(rest)
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		return r.passOver("CDATA section", "<![CDATA[", "]]>")
	case bytes.HasPrefix(rest, []byte("<?")):
		return r.instruction()
	case bytes.HasPrefix(rest, []byte("<!DOCTYPE")):
		return r.fail(r.pos, "document type declarations are not accepted")
	default:
		return r.fail(r.pos, "the markup <! is unknown")
	}
}

func (r *Reader) passOver(what, begin, end string) bool {
	start := r.pos
	content := r.data[start+len(begin):]
	length := bytes.Index(content, []byte(end))
	if length < 0 {
		return r.fail(start, "a %.100s is not closed", what)
	}
	offset := start + len(begin)
	for i, c := range content[:length] {
		if special[c] && !r.validCharacter(offset+i) {
			return false
		}
	}
	r.pos = offset + length + len(end)
	return true
}

func (r *Reader) checkComment(comment []byte) bool {
	content := comment[len("<!--"):]
	end := bytes.Index(content, []byte("--"))
	if content[end+2] != '>' {
		return r.fail(r.pos, "a comment contains --")
	}
	return true
}

func (r *Reader) instruction() bool {
	start := r.pos
	r.pos += 2
	target := r.name()
	if len(target) == 0 || bytes.EqualFold(target, []byte("xml")) {
		return r.fail(start, "a processing instruction has no valid name")
	}
	r.pos = start
	return r.passOver("processing instruction", "<?", "?>")
}
