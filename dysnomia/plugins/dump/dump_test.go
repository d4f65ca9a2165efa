package dump

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
	"pgregory.net/rapid"
)

var clients = Clients{Search: os.Environ()}

func decompressed(t testing.TB, data []byte) []byte {
	t.Helper()
	cmd := exec.Command("xz", "-dc")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("xz: %v", err)
	}
	return out
}

// text is compressible.
func text(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("INSERT INTO staff VALUES one two three four five six seven eight nine ten")
	var b bytes.Buffer
	for b.Len() < min(size, 300_001) {
		b.WriteString(words[random.IntN(len(words))])
		b.WriteByte(" \n"[random.IntN(2)])
	}
	return bytes.Repeat(b.Bytes(), size/b.Len()+1)[:size]
}

func TestWriter(t *testing.T) {
	whole := text(5*blockSize + 12345)
	for name, c := range map[string]struct {
		content  []byte
		patience Patience
	}{
		"nothing":           {nil, Thorough},
		"little":            {[]byte("x"), Brisk},
		"one block":         {whole[:blockSize], Thorough},
		"several, thorough": {whole, Thorough},
		"several, brisk":    {whole, Brisk},
		"no patience":       {whole, -1e9},
	} {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			w, err := clients.NewWriter(t.Context(), &file, c.patience)
			if err != nil {
				t.Fatal(err)
			}
			for rest := c.content; len(rest) > 0; {
				n, err := w.Write(rest[:min(len(rest), 100_001)])
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if len(c.content) == 0 {
				if file.Len() != 0 {
					t.Errorf("%d bytes", file.Len())
				}
				return
			}
			if !bytes.Equal(decompressed(t, file.Bytes()), c.content) {
				t.Error("the content is another one")
			}
			if c.patience == Thorough && len(c.content) > 1000 && file.Len() > len(c.content)/2 {
				t.Errorf("%d bytes became %d", len(c.content), file.Len())
			}
		})
	}
}

func TestCompressionThatTakesTooLongIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "xz"), []byte("#!/bin/sh\nexec sleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	slow := Clients{Search: []string{"PATH=" + dir}}
	content := text(9*blockSize + 1)
	var file bytes.Buffer
	w, err := slow.NewWriter(t.Context(), &file, Brisk)
	if err == nil {
		_, err = w.Write(content)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(decompressed(t, file.Bytes()), content) {
		t.Error("the content is another one")
	}
}

func TestWriterFails(t *testing.T) {
	full := errors.New("full")
	t.Run("with its destination", func(t *testing.T) {
		w, err := clients.NewWriter(t.Context(), failing{full}, Thorough)
		if err != nil {
			t.Fatal(err)
		}
		block := text(blockSize)
		for err == nil { // must end
			_, err = w.Write(block)
		}
		if !errors.Is(err, full) || !errors.Is(w.Close(), full) {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("when it is interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		w, err := clients.NewWriter(ctx, io.Discard, Thorough)
		if err != nil {
			t.Fatal(err)
		}
		cancel(full)
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); !errors.Is(err, full) {
			t.Errorf("error: %v", err)
		}
	})
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestStoredStreamIsReadByXZ(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 65535, 65536, 65537, 1 << 20, blockSize} {
		content := text(size)
		stream := storedStream(content)
		if !bytes.Equal(decompressed(t, append(stream, stream...)), append(content, content...)) {
			t.Errorf("%d bytes are read as others", size)
		}
	}
	t.Run("another implementation reads it, too", func(t *testing.T) {
		content := text(100_000)
		var file bytes.Buffer
		w, err := clients.NewWriter(t.Context(), &file, Thorough)
		if err == nil {
			_, err = w.Write(content)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		file.Write(storedStream(content))
		reader, err := xz.NewReader(&file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, append(content, content...)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("damage is noticed", func(t *testing.T) {
		stream := storedStream([]byte("hello world"))
		stream[30] ^= 1
		cmd := exec.Command("xz", "-dc")
		cmd.Stdin = bytes.NewReader(stream)
		if out, err := cmd.Output(); err == nil {
			t.Errorf("damaged content is %q", out)
		}
	})
}

func TestContentIsHashedByLines(t *testing.T) {
	skip := func(line []byte) bool { return bytes.HasPrefix(line, []byte("--")) }
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.OneOf(rapid.SampledFrom([]string{"", "--", "-- now", "x", "- -"}),
			rapid.Map(rapid.IntRange(longestStart-3, longestStart*2), func(n int) string { return strings.Repeat("a", n) }),
			rapid.Map(rapid.IntRange(longestStart-3, longestStart*2), func(n int) string { return "--" + strings.Repeat("a", n) }))
		lines := rapid.SliceOf(line).Draw(t, "lines")
		whole := strings.Join(lines, "\n")
		var want strings.Builder
		for l := range strings.Lines(whole) {
			if !strings.HasPrefix(l, "--") {
				want.WriteString(l)
			}
		}
		sum := sha256.Sum256([]byte(want.String()))
		c := newContent(skip)
		for rest := whole; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "part")
			if _, err := c.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if got := c.ID(); got != hex.EncodeToString(sum[:]) {
			t.Errorf("id of %q: %s", whole, got)
		}
	})
}

func script(t *testing.T, text string) *exec.Cmd {
	t.Helper()
	cmd, err := clients.Command(t.Context(), []string{"no-such-shell", "sh"}, "-c", text)
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestPipeChecksBothEnds(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"both succeed":             {"echo x", "cat", ""},
		"the first fails":          {"echo x; echo why >&2; exit 3", "cat", "why"},
		"the first is killed":      {"echo x; kill -9 $$", "cat", "killed"},
		"the second fails":         {"yes", "echo because >&2; exit 3", "because"},
		"the second does not read": {"exec yes", "exit 0", "broken pipe"},
		"both fail":                {"exit 3", "exit 4", "status 4"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, filter := range []Filter{nil, copyAll} {
				err := pipe(t.Context(), script(t, c.from), script(t, c.to), filter)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("with a filter: %v: error: %v, want %q", filter != nil, err, c.want)
				}
			}
		})
	}
	t.Run("a filter fails", func(t *testing.T) {
		problem := errors.New("not understood")
		err := pipe(t.Context(), script(t, "exec yes"), script(t, "cat > /dev/null"), func(io.Writer, io.Reader) error { return problem })
		if !errors.Is(err, problem) {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("a program that does not exist", func(t *testing.T) {
		for _, filter := range []Filter{nil, copyAll} {
			missing := script(t, "true")
			missing.Path = "/nonexistent"
			if err := pipe(t.Context(), missing, script(t, "cat"), filter); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("error: %v", err)
			}
			missing = script(t, "true")
			missing.Path = "/nonexistent"
			if err := pipe(t.Context(), script(t, "yes"), missing, filter); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("error: %v", err)
			}
		}
	})
}

func copyAll(to io.Writer, from io.Reader) error {
	_, err := io.Copy(to, from)
	return err
}

func TestWriteAndLoad(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "dump.xz")
	skip := func(line []byte) bool { return bytes.HasPrefix(line, []byte("-- at")) }
	id, err := clients.Write(t.Context(), file, script(t, "echo -- at noon; echo content"), skip, Thorough)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256([]byte("content\n")); id != hex.EncodeToString(sum[:]) {
		t.Errorf("id: %s", id)
	}
	if err := clients.Load(t.Context(), file, script(t, `test "$(cat)" = "-- at noon
content"`), nil); err != nil {
		t.Error(err)
	}
	upper := func(to io.Writer, from io.Reader) error {
		all, err := io.ReadAll(from)
		if err == nil {
			_, err = to.Write(bytes.ToUpper(all))
		}
		return err
	}
	if err := clients.Load(t.Context(), file, script(t, `test "$(cat)" = "-- AT NOON
CONTENT"`), upper); err != nil {
		t.Error(err)
	}
	t.Run("a failure leaves no file", func(t *testing.T) {
		file := filepath.Join(dir, "failed.xz")
		if _, err := clients.Write(t.Context(), file, script(t, "echo half; exit 1"), nil, Thorough); err == nil {
			t.Error("it did not fail")
		}
		if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file: %v", err)
		}
	})
	t.Run("nothing is overwritten", func(t *testing.T) {
		if _, err := clients.Write(t.Context(), file, script(t, "echo x"), nil, Thorough); !errors.Is(err, os.ErrExist) {
			t.Errorf("error: %v", err)
		}
	})
}

func TestMessagesAreLimited(t *testing.T) {
	err := Run(t.Context(), script(t, "echo first >&2; yes middle | head -c 1000000 >&2; printf 'last\\033[1m' >&2; exit 1"))
	if err == nil || len(err.Error()) > 3*longestMessage || !strings.Contains(err.Error(), "first") || !strings.HasSuffix(err.Error(), "last[1m") {
		t.Errorf("error: %.100s", err)
	}
}

func TestProgramsDoNotGetProperties(t *testing.T) {
	c := Clients{Search: []string{"mysqlPassword=secret", "PATH=/nonexistent"}, Variables: []string{"PGPASSWORD=x"}}
	cmd, err := c.Command(t.Context(), []string{"env"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := Output(t.Context(), cmd)
	if err != nil || strings.Contains(out, "secret") || !strings.Contains(out, "PGPASSWORD=x\n") || !strings.Contains(out, "PATH=/nonexistent:") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := c.Command(t.Context(), []string{"no-such-one", "no-such-other"}); err == nil || !strings.Contains(err.Error(), "no-such-one") || !strings.Contains(err.Error(), "no-such-other") {
		t.Errorf("error: %v", err)
	}
}

func BenchmarkWriter(b *testing.B) {
	for name, patience := range map[string]Patience{"brisk": Brisk, "thorough": Thorough} {
		b.Run(name, func(b *testing.B) {
			content := text(64 << 20)
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				w, err := clients.NewWriter(b.Context(), io.Discard, patience)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkContent(b *testing.B) {
	line := []byte(strings.Repeat("(1,'some text of a row in a table'),", 5) + "\n")
	whole := bytes.Repeat(line, (64<<20)/len(line))
	b.SetBytes(int64(len(whole)))
	for b.Loop() {
		c := newContent(func(line []byte) bool { return bytes.HasPrefix(line, []byte("/*")) })
		for rest := whole; len(rest) > 0; {
			n, _ := c.Write(rest[:min(len(rest), 256<<10)])
			rest = rest[n:]
		}
		c.ID()
	}
}
