package dump

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Skip tells which lines of a dump do not belong to its content, such as times
// and versions. It is called with each line in order, without its end; for
// long lines with their first 4096 bytes.
type Skip func(line []byte) bool

// content is the hash of the lines of a dump. It is an [io.Writer] that never
// fails.
type content struct {
	skip Skip
	sum  hash.Hash
	// start is the beginning of a line that is not decided yet.
	start []byte
	// decided says that the rest of the present line is hashed or left out.
	decided, leftOut bool
}

const longestStart = 4096

func newContent(skip Skip) *content {
	if skip == nil {
		skip = func([]byte) bool { return false }
	}
	return &content{skip: skip, sum: sha256.New()}
}

func (c *content) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		switch {
		case c.decided && end == 0:
			c.hash(p)
			return n, nil
		case c.decided:
			c.hash(p[:end])
			c.decided = false
			p = p[end:]
		case end == 0 && len(c.start)+len(p) < longestStart:
			c.start = append(c.start, p...)
			return n, nil
		default:
			taken := min(max(0, longestStart-len(c.start)), len(p))
			if end > 0 {
				taken = min(taken, end)
			}
			c.decide(p[:taken])
			p = p[taken:]
		}
	}
	return n, nil
}

// decide asks skip about a line whose beginning is known now.
func (c *content) decide(more []byte) {
	line := more
	if len(c.start) > 0 {
		c.start = append(c.start, more...)
		line = c.start
	}
	text, complete := bytes.CutSuffix(line, []byte("\n"))
	c.leftOut = c.skip(text)
	c.hash(line)
	c.decided = !complete
	c.start = c.start[:0]
}

func (c *content) hash(p []byte) {
	if !c.leftOut {
		c.sum.Write(p)
	}
}

// ID returns the hash in hexadecimal. Nothing may be written afterwards.
func (c *content) ID() string {
	if len(c.start) > 0 {
		c.decide(nil)
	}
	return hex.EncodeToString(c.sum.Sum(nil))
}
