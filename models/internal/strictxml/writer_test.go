package strictxml

import (
	"errors"
	"strings"
	"testing"
)

func TestWriterLayouts(t *testing.T) {
	write := func(w *Writer) {
		w.Start("a", "x", `1"2`)
		w.Element("b", "text & more")
		w.Element("c", "")
		w.Start("d")
		w.Start("e", "y", "")
		w.End("e")
		w.End("d")
		w.End("a")
	}
	tests := []struct {
		layout Layout
		want   string
	}{
		{Compact, `<a x="1&quot;2"><b>text &amp; more</b><c/><d><e y=""/></d></a>`},
		{Indented, "<a x=\"1&quot;2\">\n  <b>text &amp; more</b>\n  <c></c>\n  <d>\n    <e y=\"\">\n    </e>\n  </d>\n</a>"},
	}
	for _, test := range tests {
		var b strings.Builder
		w := NewWriter(&b, test.layout)
		write(w)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if b.String() != test.want {
			t.Errorf("layout %d: %s\nwant %s", test.layout, b.String(), test.want)
		}
	}
}

type failingWriter struct{ left int }

var errFull = errors.New("no space left on device")

func (f *failingWriter) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriterReportsTheFirstFailure(t *testing.T) {
	for _, room := range []int{0, 100_000} {
		w := NewWriter(&failingWriter{room}, Compact)
		w.Start("a")
		for range 100_000 {
			w.Element("b", "text")
		}
		w.End("a")
		if err := w.Flush(); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: error %v", room, err)
		}
	}
}
