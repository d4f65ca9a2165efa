package closure_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/service/closure"
	"github.com/disnix-go/disnix/test/nixtest"
)

// export returns a stream made by Nix, and the paths it was asked for.
func export(t testing.TB, contents ...string) ([]byte, []string) {
	t.Helper()
	var paths []string
	for _, content := range contents {
		dir := t.TempDir()
		nixtest.File(t, dir, "tree/"+content, content)
		nixtest.File(t, dir, "tree/contents/(", strings.Repeat(content, 1000))
		paths = append(paths, run(t, "nix-store", "--add", filepath.Join(dir, "tree")))
	}
	stream, err := exec.Command("nix-store", append([]string{"--export"}, paths...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return stream, paths
}

func run(t testing.TB, words ...string) string {
	t.Helper()
	out, err := exec.Command(words[0], words[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestPaths(t *testing.T) {
	nixtest.Store(t)
	stream, want := export(t, "a", "b", ")")
	got, err := closure.Paths(iotest.OneByteReader(bytes.NewReader(stream)))
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, cut := range []int{0, 7, 8, 100, len(stream) - 9, len(stream) - 1} {
		if _, err := closure.Paths(bytes.NewReader(stream[:cut])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut off after %d bytes: %v", cut, err)
		}
	}
}

func TestJoinedStreamsAreOne(t *testing.T) {
	nixtest.Store(t)
	first, paths := export(t, "a", "b")
	second, more := export(t, "c")
	var joined bytes.Buffer
	j := closure.NewJoiner(&joined)
	for _, part := range [][]byte{first, second} {
		if _, err := io.Copy(j, iotest.OneByteReader(bytes.NewReader(part))); err != nil {
			t.Fatal(err)
		}
		if err := j.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	want := append(paths, more...)

	nixtest.Store(t) // an empty one, at another place
	got, err := closure.Paths(bytes.NewReader(joined.Bytes()))
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestJoinerRefusesWhatIsCutOff(t *testing.T) {
	for _, part := range []string{"", "1234567", "12345678", "\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x001"} {
		j := closure.NewJoiner(io.Discard)
		if _, err := io.WriteString(j, part); err != nil {
			t.Fatal(err)
		}
		if err := j.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", part, err)
		}
	}
	j := closure.NewJoiner(io.Discard)
	_, _ = io.WriteString(j, "x")
	if err := j.Close(); err == nil {
		t.Error("an incomplete part is accepted")
	}
}

func TestJoinerKeepsEveryByte(t *testing.T) {
	end := make([]byte, 8)
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 4).Draw(t, "parts")
		var joined, want bytes.Buffer
		j := closure.NewJoiner(&joined)
		for _, part := range parts {
			want.Write(part)
			for rest := append(slices.Clone(part), end...); len(rest) > 0; {
				n := rapid.IntRange(1, min(len(rest), 20)).Draw(t, "n")
				if written, err := j.Write(rest[:n]); written != n || err != nil {
					t.Fatal(written, err)
				}
				rest = rest[n:]
			}
			if err := j.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		want.Write(end)
		if !bytes.Equal(joined.Bytes(), want.Bytes()) {
			t.Errorf("got %q, want %q", joined.Bytes(), want.Bytes())
		}
	})
}

func TestBatches(t *testing.T) {
	var paths []string
	for i := range 3000 {
		path := fmt.Sprintf("/nix/store/%032d-a-package-with-a-name", i)
		paths = append(paths, path, path)
	}
	t.Run("transition 18: no closure is too long for a command line", func(t *testing.T) { testBatches(t, paths) })
	for range closure.Batches(nil) {
		t.Error("a batch of nothing")
	}
	for range closure.Batches(paths) {
		break
	}
}

func testBatches(t *testing.T, paths []string) {
	var joined []string
	batches := 0
	for batch := range closure.Batches(paths) {
		if size := len(strings.Join(batch, " ")); size > 64<<10 {
			t.Errorf("a batch of %d bytes", size)
		}
		joined = append(joined, batch...)
		batches++
	}
	if !slices.Equal(joined, slices.Compact(paths)) {
		t.Error("paths are lost, repeated or in another order")
	}
	if batches < 2 || batches > 6 {
		t.Errorf("%d batches", batches)
	}
}

func FuzzPaths(f *testing.F) {
	nixtest.Store(f)
	stream, _ := export(f, "a")
	f.Add(stream)
	f.Add([]byte{})
	f.Add(stream[:40])
	f.Fuzz(func(t *testing.T, data []byte) {
		paths, err := closure.Paths(bytes.NewReader(data))
		if err != nil && paths != nil {
			t.Error("paths beside an error")
		}
	})
}
