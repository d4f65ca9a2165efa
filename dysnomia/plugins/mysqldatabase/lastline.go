package mysqldatabase

import (
	"bytes"
	"strings"
)

// lastLine is the last whole line that a program has printed: while a client
// loads a dump, the table whose keys it adds, or nothing.
type lastLine struct{ text []byte }

// Write never fails.
func (l *lastLine) Write(p []byte) (int, error) {
	l.text = append(l.text, p...)
	if end := bytes.LastIndexByte(l.text, '\n'); end >= 0 {
		l.text = l.text[bytes.LastIndexByte(l.text[:end], '\n')+1:]
	}
	return len(p), nil
}

func (l *lastLine) String() string {
	line, _, whole := strings.Cut(string(l.text), "\n")
	if !whole {
		return ""
	}
	return line
}
