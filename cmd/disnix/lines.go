package main

import (
	"bytes"
	"sync"
)

// lineWriter passes on what is written to it line by line, so that the output
// of several targets never mixes within a line. It may be used from several
// goroutines.
type lineWriter struct {
	print  func(line string)
	begun  *begunLines
	target string

	mu      sync.Mutex
	partial []byte
}

// maxLine is where a line without an end is broken.
const maxLine = 64 << 10

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, p...)
	for {
		end := bytes.IndexByte(w.partial, '\n')
		if end < 0 && len(w.partial) < maxLine {
			w.begun.note(w, len(w.partial) > 0)
			return len(p), nil
		}
		if end < 0 {
			end = len(w.partial) - 1
		}
		w.print(string(bytes.TrimRight(w.partial[:end+1], "\r\n")))
		w.partial = w.partial[end+1:]
	}
}

// end prints a line that was begun.
func (w *lineWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.partial) > 0 {
		w.print(string(bytes.TrimRight(w.partial, "\r")))
		w.partial = nil
	}
	w.begun.note(w, false)
}

// begunLines are the writers of a reporter to which a line was written that
// has no end yet. The last line of a program often has none.
type begunLines struct {
	mu      sync.Mutex
	writers map[*lineWriter]bool
}

func (b *begunLines) writer(target string, print func(line string)) *lineWriter {
	return &lineWriter{print: print, begun: b, target: target}
}

func (b *begunLines) note(w *lineWriter, begun bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !begun {
		delete(b.writers, w)
		return
	}
	if b.writers == nil {
		b.writers = make(map[*lineWriter]bool)
	}
	b.writers[w] = true
}

// end prints the lines of the writers that are selected.
func (b *begunLines) end(selected func(target string) bool) {
	b.mu.Lock()
	var writers []*lineWriter
	for w := range b.writers {
		if selected(w.target) {
			writers = append(writers, w)
		}
	}
	b.mu.Unlock()
	for _, w := range writers {
		w.end()
	}
}

// endOf prints the lines that were begun by a target, endAll those of all.
func (b *begunLines) endOf(target string) { b.end(func(t string) bool { return t == target }) }
func (b *begunLines) endAll()             { b.end(func(string) bool { return true }) }
