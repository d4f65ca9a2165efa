package closure_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service/closure"
)

// chainStore is a store in which each path depends on the one before.
type chainStore struct {
	paths   []string
	exports int
	fail    error
	cut     bool
}

func newChainStore(n int) *chainStore {
	s := &chainStore{}
	for i := range n {
		s.paths = append(s.paths, fmt.Sprintf("/nix/store/%032d-link-%s", i, strings.Repeat("x", 100)))
	}
	return s
}

func (s *chainStore) source() closure.Source {
	return closure.Source{
		Requisites: func(context.Context, []string) ([]string, error) {
			return append([]string{"/nix/store/a-path-that-nobody-asked-for"}, s.paths...), nil
		},
		Export: func(_ context.Context, paths []string, w io.Writer) error {
			if len(strings.Join(paths, " ")) > 64<<10 {
				return errors.New("the argument list is too long")
			}
			if s.exports++; s.exports == 2 && s.fail != nil {
				return s.fail
			}
			var stream bytes.Buffer
			for _, path := range paths {
				writePath(&stream, path)
			}
			number(&stream, 0)
			if s.cut {
				stream.Truncate(stream.Len() - 35)
			}
			_, err := w.Write(stream.Bytes())
			return err
		},
	}
}

func number(w *bytes.Buffer, n uint64) {
	_ = binary.Write(w, binary.LittleEndian, n)
}

func words(w *bytes.Buffer, list ...string) {
	for _, word := range list {
		number(w, uint64(len(word)))
		w.WriteString(word)
		w.Write(make([]byte, (8-len(word)%8)%8))
	}
}

// writePath writes a path that is an empty file.
func writePath(w *bytes.Buffer, path string) {
	number(w, 1)
	words(w, "nix-archive-1", "(", "type", "regular", "contents", "", ")")
	number(w, 0x4558494e)
	words(w, path)
	number(w, 0)
	words(w, "")
	number(w, 0)
}

func TestExport(t *testing.T) {
	for _, n := range []int{1, 10, 2000} {
		s := newChainStore(n)
		asked := slices.Clone(s.paths)
		slices.Reverse(asked)
		var stream bytes.Buffer
		if err := closure.Export(t.Context(), asked, &stream, s.source()); err != nil {
			t.Fatal(err)
		}
		got, err := closure.Paths(&stream)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, s.paths) {
			t.Errorf("%d of %d paths, %v", len(got), n, err)
		}
		if several := n == 2000; several != (s.exports > 1) {
			t.Errorf("%d paths in %d parts", n, s.exports)
		}
	}
}

func TestExportInPartsKeepsTheOrder(t *testing.T) {
	s := newChainStore(2000)
	asked := slices.Clone(s.paths)
	slices.Reverse(asked)
	var stream bytes.Buffer
	if err := closure.Export(t.Context(), asked, &stream, s.source()); err != nil {
		t.Fatal(err)
	}
	if got, err := closure.Paths(&stream); err != nil || !slices.Equal(got, s.paths) {
		t.Errorf("dependencies do not come before dependants, %v", err)
	}
}

func TestExportFails(t *testing.T) {
	broken := errors.New("the store is broken")
	s := newChainStore(2000)
	s.fail = broken
	if err := closure.Export(t.Context(), s.paths, io.Discard, s.source()); !errors.Is(err, broken) {
		t.Errorf("an export of a part: %v", err)
	}
	s = newChainStore(2)
	s.cut = true
	if err := closure.Export(t.Context(), s.paths, io.Discard, s.source()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a stream that is cut off: %v", err)
	}
	source := newChainStore(2000).source()
	source.Requisites = func(context.Context, []string) ([]string, error) { return nil, broken }
	if err := closure.Export(t.Context(), newChainStore(2000).paths, io.Discard, source); !errors.Is(err, broken) {
		t.Errorf("requisites: %v", err)
	}
}
