package sshclient

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// outlet passes on output until it is detached; afterwards it is dropped, so
// that processes that stay behind are not held up.
type outlet struct {
	active chan struct{} // has a token if something has come
	broken chan struct{} // closed when the writer fails

	mu       sync.Mutex
	next     io.Writer
	detached bool
	err      error
}

func newOutlet(next io.Writer) *outlet {
	return &outlet{next: next, active: make(chan struct{}, 1), broken: make(chan struct{})}
}

func (o *outlet) drain(r io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Read(buffer)
		o.write(buffer[:n])
		if err != nil {
			return
		}
	}
}

func (o *outlet) write(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.detached || o.err != nil || len(p) == 0 {
		return
	}
	if _, o.err = o.next.Write(p); o.err != nil {
		close(o.broken)
	}
	select {
	case o.active <- struct{}{}:
	default:
	}
}

func (o *outlet) detach() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.detached = true
	return o.err
}

// unmarked passes on what comes after the line with the mark.
type unmarked struct {
	mark   string
	next   io.Writer
	group  chan int // gets the number of the process group
	begun  bool
	banner []byte
}

func (u *unmarked) Write(p []byte) (int, error) {
	if u.begun {
		return u.next.Write(p)
	}
	u.banner = append(u.banner, p...)
	_, after, found := bytes.Cut(u.banner, []byte(u.mark))
	number, rest, complete := bytes.Cut(after, []byte("\n"))
	if !found || !complete {
		if len(u.banner) > maxBanner {
			return 0, fmt.Errorf("the login shell prints without end: %s", printable(u.banner))
		}
		return len(p), nil
	}
	group, err := strconv.Atoi(string(number))
	if err != nil || group <= 1 {
		return 0, fmt.Errorf("the login shell prints something else than a process number: %s", printable(number))
	}
	u.begun = true
	u.group <- group
	u.banner = nil
	if len(rest) == 0 {
		return len(p), nil
	}
	if _, err := u.next.Write(rest); err != nil {
		return 0, err
	}
	return len(p), nil
}

// printable returns the beginning of a text for an error, without anything
// that a terminal would obey.
func printable(text []byte) string {
	if len(text) > 512 {
		text = text[:512]
	}
	return strconv.Quote(strings.TrimSpace(string(text)))
}
