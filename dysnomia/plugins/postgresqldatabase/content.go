package postgresqldatabase

import (
	"bytes"
	"regexp"
)

// versionLines recognises the lines of a dump that are not its content: the
// versions of the programs, and the random token by which psql knows the end
// of the dump. They can only be told from data by their places.
type versionLines struct {
	inBody bool
	end    []byte
}

var (
	headerLine = regexp.MustCompile(`^(--.*|\\restrict [A-Za-z0-9]+|)$`)
	restrict   = []byte(`\restrict `)
)

// skip is a [dump.Skip].
func (v *versionLines) skip(line []byte) bool {
	if v.inBody {
		return v.end != nil && bytes.Equal(line, v.end)
	}
	if !headerLine.Match(line) {
		v.inBody = true
		return false
	}
	if token, ok := bytes.CutPrefix(line, restrict); ok {
		v.end = append([]byte(`\unrestrict `), token...)
	}
	return true
}
