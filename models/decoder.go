package models

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/disnix-go/disnix/models/internal/strictxml"
)

// maxDocumentSize is how large a document may be, in bytes. A manifest of
// 100,000 services with three dependencies each has an eighth of it.
const maxDocumentSize = 1 << 30

// maxProblems is how many mistakes in one document are reported; more are of no
// use to anybody, and could fill the memory.
const maxProblems = 1000

// documentKind distinguishes the documents.
type documentKind struct {
	root   string // the name of the root element
	phrase string // how the original's messages call it
}

var (
	manifestKind              = documentKind{"manifest", "the manifest XML file"}
	infrastructureKind        = documentKind{"infrastructure", "infrastructure XML file"}
	profileManifestKind       = documentKind{"profilemanifest", "the profile manifest XML file"}
	distributedDerivationKind = documentKind{"distributedderivation", "the distributed derivation XML file"}
)

// decoder turns one XML document into values. Its methods are called inside of
// an element and leave it (see [strictxml.Reader]). Mistakes in the content are
// collected, so that all of them are reported.
type decoder struct {
	*strictxml.Reader
	data     []byte
	file     string
	strings  map[string]string // each string that occurs often, once
	problems []located
	excess   int // number of problems that are not reported
	fatal    error
	scratch  []Dependency
}

// located is a mistake and where it is, in bytes.
type located struct {
	offset int
	err    error
}

// readFile reads a document whose errors name its file.
func readFile[T any](path string, kind documentKind, decode func(*decoder) T) (T, error) {
	f, err := os.Open(path)
	if err != nil {
		var none T
		return none, &ParseError{kind.phrase, err}
	}
	defer f.Close()
	return readDocument(f, path, kind, decode)
}

// readDocument reads a document. The error is a [*ParseError] if it is not
// well-formed, otherwise [Problems].
func readDocument[T any](r io.Reader, file string, kind documentKind, decode func(*decoder) T) (T, error) {
	var none T
	data, err := readAll(r, maxDocumentSize)
	if err != nil {
		return none, &ParseError{kind.phrase, err}
	}
	d := &decoder{
		Reader:  strictxml.NewReader(data),
		data:    data,
		file:    file,
		strings: make(map[string]string),
	}
	if !d.Root() {
		return none, d.parseError(kind)
	}
	if string(d.Name()) != kind.root {
		return none, &ParseError{kind.phrase, d.at(d.Offset(), fmt.Errorf("the root element is <%.100s>, not <%s>", d.Name(), kind.root))}
	}
	document := decode(d)
	if d.fatal != nil {
		return none, d.fatal
	}
	if d.Finish() != nil {
		return none, d.parseError(kind)
	}
	if err := d.contentError(); err != nil {
		return none, err
	}
	return document, nil
}

// readAll reads everything, at once if the size is known, but not more than the
// limit.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	var buffer bytes.Buffer
	switch source := r.(type) {
	case interface{ Len() int }:
		buffer.Grow(int(min(int64(max(source.Len(), 0)), limit)) + bytes.MinRead)
	case interface{ Stat() (fs.FileInfo, error) }:
		if info, err := source.Stat(); err == nil && info.Mode().IsRegular() {
			buffer.Grow(int(min(info.Size(), limit)) + bytes.MinRead)
		}
	}
	if _, err := buffer.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return nil, err
	}
	if int64(buffer.Len()) > limit {
		return nil, fmt.Errorf("the document is larger than %d bytes", limit)
	}
	return buffer.Bytes(), nil
}

// parseError describes the mistake that the reader has stopped at.
func (d *decoder) parseError(kind documentKind) error {
	err := d.Finish()
	if errors.Is(err, strictxml.ErrEmpty) {
		return &ParseError{kind.phrase, d.at(0, fmt.Errorf("%s is empty!", capitalized(kind.phrase)))}
	}
	var syntax *strictxml.SyntaxError
	if errors.As(err, &syntax) {
		err = d.at(syntax.Offset, err)
	}
	return &ParseError{kind.phrase, err}
}

// contentError returns the problems in the order of the document.
func (d *decoder) contentError() error {
	slices.SortStableFunc(d.problems, func(a, b located) int { return a.offset - b.offset })
	var problems Problems
	line, lineStart, offset := 1, 0, 0
	for _, p := range d.problems {
		line, lineStart = countLines(d.data, line, lineStart, offset, p.offset)
		offset = p.offset
		problems = append(problems, &PositionError{d.file, line, offset - lineStart + 1, p.err})
	}
	if d.excess > 0 {
		problems = append(problems, fmt.Errorf("there are %d more mistakes", d.excess))
	}
	return problems.Err()
}

func (d *decoder) at(offset int, err error) error {
	line, lineStart := countLines(d.data, 1, 0, 0, offset)
	return &PositionError{d.file, line, offset - lineStart + 1, err}
}

// countLines goes on counting from one offset to another.
func countLines(data []byte, line, lineStart, from, to int) (int, int) {
	section := data[from:to]
	if n := bytes.Count(section, []byte("\n")); n > 0 {
		return line + n, from + bytes.LastIndexByte(section, '\n') + 1
	}
	return line, lineStart
}

// problem notes mistakes in the element at offset.
func (d *decoder) problem(offset int, errs ...error) {
	for _, err := range errs {
		if len(d.problems) == maxProblems {
			d.excess++
			continue
		}
		d.problems = append(d.problems, located{offset, err})
	}
}

// text leaves an element and returns its text, for strings that occur once.
func (d *decoder) text() string { return string(d.Text()) }

// shared leaves an element and returns its text, for strings that occur often.
func (d *decoder) shared() string { return d.intern(d.Text()) }

func (d *decoder) intern(b []byte) string {
	if s, ok := d.strings[string(b)]; ok {
		return s
	}
	s := string(b)
	d.strings[s] = s
	return s
}

// named enters the next child element that has this name and a name
// attribute, and returns that attribute.
func (d *decoder) named(element string) (string, bool) {
	for d.Child() {
		if string(d.Name()) == element {
			if name, ok := d.Attribute("name"); ok {
				return d.intern(name), true
			}
		}
		d.Skip()
	}
	return "", false
}

// child enters the next child element that has this name.
func (d *decoder) child(element string) bool {
	for d.Child() {
		if string(d.Name()) == element {
			return true
		}
		d.Skip()
	}
	return false
}

func capitalized(phrase string) string {
	return string(bytes.ToUpper([]byte(phrase[:1]))) + phrase[1:]
}
