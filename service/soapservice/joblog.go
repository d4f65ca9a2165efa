package soapservice

import (
	"bytes"
	"sync"

	"github.com/disnix-go/disnix/service/soapwire"
)

// jobLog keeps what an operation tells: the last [soapwire.MaxOutput] bytes,
// which hold why it failed. It may be used from several goroutines.
type jobLog struct {
	mu   sync.Mutex
	text []byte
}

func (l *jobLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if len(l.text) > 2*soapwire.MaxOutput {
		l.text = append([]byte(nil), limited(l.text)...)
	}
	return len(p), nil
}

func (l *jobLog) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(limited(l.text))
}

// limited returns the last lines of a text that is too long.
func limited(text []byte) []byte {
	if len(text) <= soapwire.MaxOutput {
		return text
	}
	text = text[len(text)-soapwire.MaxOutput:]
	if _, lines, found := bytes.Cut(text, []byte("\n")); found {
		text = lines
	}
	return text
}
