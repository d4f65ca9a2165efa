package soapservice

import "sync/atomic"

// memory bounds how many bytes of XML all requests together have: little that was
// compressed can become much, and many clients can send it at once.
type memory struct{ left atomic.Int64 }

// share is what one request has of it.
type share struct {
	*memory
	bytes int64
}

// reserve tells whether there is memory for so many more bytes.
func (s *share) reserve(bytes int64) bool {
	if s.left.Add(-bytes) < 0 {
		s.left.Add(bytes)
		return false
	}
	s.bytes += bytes
	return true
}

// release gives everything back.
func (s *share) release() {
	s.left.Add(s.bytes)
	s.bytes = 0
}
