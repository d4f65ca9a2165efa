package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/closure"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/nixtest"
)

// addChain adds n store paths with long names of which each depends on the one
// before, and returns them, dependencies first.
func addChain(t testing.TB, n int) []string {
	t.Helper()
	expression := fmt.Sprintf(`builtins.foldl' (paths: i: paths ++ [ (builtins.toFile "link-${toString i}%s"
		(if paths == [ ] then "first" else builtins.elemAt paths (i - 1))) ]) [ ] (builtins.genList (i: i) %d)`, strings.Repeat("-and-so-on", 17), n)
	out, err := exec.Command("nix-instantiate", "--eval", "--strict", "--json", "--read-write-mode", "-E", expression).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(strings.Trim(strings.TrimSpace(string(out)), `[]"`), `","`)
}

func missingPath(name string) string {
	return filepath.Join(nixStoreDir(), "00000000000000000000000000000000-"+name)
}

// dependenciesFirst reports whether the paths of a chain are in order.
func dependenciesFirst(chain, paths []string) bool {
	position := make(map[string]int)
	for i, path := range chain {
		position[path] = i
	}
	return slices.IsSortedFunc(paths, func(a, b string) int { return position[a] - position[b] })
}

func shuffled(paths []string) []string {
	paths = slices.Clone(paths)
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	return paths
}

func TestNixStore(t *testing.T) {
	nixtest.Store(t)
	var store service.NixStore
	chain := addChain(t, 3)

	invalid, err := store.PrintInvalid(t.Context(), []string{chain[0], missingPath("b"), chain[1], missingPath("a"), missingPath("b")})
	if err != nil || !slices.Equal(invalid, []string{missingPath("b"), missingPath("a")}) {
		t.Errorf("invalid: %v, %v", invalid, err)
	}
	requisites, err := store.QueryRequisites(t.Context(), []string{chain[2]})
	if err != nil || !slices.Equal(requisites, chain) {
		t.Errorf("requisites: %v, %v", requisites, err)
	}
	if _, err := store.QueryRequisites(t.Context(), []string{missingPath("x")}); err == nil || !strings.Contains(err.Error(), missingPath("x")) {
		t.Errorf("requisites of an invalid path: %v", err)
	}
	for name, empty := range map[string]func() ([]string, error){
		"print invalid":    func() ([]string, error) { return store.PrintInvalid(t.Context(), nil) },
		"query requisites": func() ([]string, error) { return store.QueryRequisites(t.Context(), nil) },
		"realise":          func() ([]string, error) { return store.Realise(t.Context(), nil) },
	} {
		if got, err := empty(); err != nil || len(got) != 0 {
			t.Errorf("%s of nothing: %v, %v", name, got, err)
		}
	}
	for _, hostile := range []string{"--help", "relative", "/nix/store/a\nb", ""} {
		if _, err := store.PrintInvalid(t.Context(), []string{hostile}); err == nil || !strings.Contains(err.Error(), "is not a store path") {
			t.Errorf("%q: %v", hostile, err)
		}
	}
}

func TestRealise(t *testing.T) {
	root := nixtest.Store(t)
	derivation := func(name, script string) string {
		file := nixtest.File(t, root, name+".nix", fmt.Sprintf(`derivation { name = %q; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" %q ]; }`, name, script))
		out, err := exec.Command("nix-instantiate", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	var log bytes.Buffer
	store := service.NixStore{Log: &log}
	outputs, err := store.Realise(t.Context(), []string{derivation("good", "echo building; echo x > $out")})
	if err != nil || len(outputs) != 1 || !strings.HasSuffix(outputs[0], "-good") {
		t.Fatalf("%v, %v", outputs, err)
	}
	if !strings.Contains(log.String(), "building") {
		t.Errorf("log: %s", log.String())
	}
	bad := derivation("bad", "echo the reason >&2; exit 1")
	_, err = store.Realise(t.Context(), []string{bad})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(err.Error(), "the reason") || !strings.Contains(err.Error(), bad) {
		t.Errorf("error %v", err)
	}
}

func TestCollectGarbage(t *testing.T) {
	root := nixtest.Store(t)
	var store service.NixStore
	dir := filepath.Join(root, "nix/profiles/disnix")
	old, current, loose := addFile(t, "old", "1"), addFile(t, "current", "2"), addFile(t, "loose", "3")
	setProfile(t, dir, "p", old)
	setProfile(t, dir, "p", current)

	for _, tt := range []struct {
		deleteOld bool
		invalid   []string
	}{
		{false, []string{loose}},
		{true, []string{old, loose}},
	} {
		if err := store.CollectGarbage(t.Context(), tt.deleteOld); err != nil {
			t.Fatal(err)
		}
		invalid, err := store.PrintInvalid(t.Context(), []string{old, current, loose})
		if err != nil || !slices.Equal(invalid, tt.invalid) {
			t.Errorf("deleteOld %v: gone %v, %v", tt.deleteOld, invalid, err)
		}
	}
}

func TestExportOfInvalidPath(t *testing.T) {
	nixtest.Store(t)
	for _, edge := range []string{"protocol 1: a failing export is an error", "observed 3: export of an invalid path is an error"} {
		t.Run(edge, func(t *testing.T) {
			var stream bytes.Buffer
			err := service.NixStore{}.ExportClosure(t.Context(), []string{missingPath("x")}, &stream)
			if err == nil || !strings.Contains(err.Error(), missingPath("x")) {
				t.Errorf("error %v", err)
			}
			if _, err := closure.Paths(&stream); err == nil {
				t.Error("the stream looks complete")
			}
		})
	}
}

func TestExportToBrokenWriter(t *testing.T) {
	nixtest.Store(t)
	path := addFile(t, "f", strings.Repeat("x", 1<<20))
	broken := errors.New("broken")
	err := service.NixStore{}.ExportClosure(t.Context(), []string{path}, writerFunc(func([]byte) (int, error) { return 0, broken }))
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestImportOfBrokenStream(t *testing.T) {
	nixtest.Store(t)
	broken := errors.New("broken")
	_, err := service.NixStore{}.ImportClosure(t.Context(), iotest.ErrReader(broken))
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	_, err = service.NixStore{}.ImportClosure(t.Context(), strings.NewReader("no closure at all, but text"))
	if err == nil || !strings.Contains(err.Error(), "import closure: nix-store") {
		t.Errorf("error %v", err)
	}
}

func TestMissingNix(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := service.NixStore{}.PrintInvalid(t.Context(), []string{"/nix/store/x"})
	if err == nil || !strings.Contains(err.Error(), "install Nix") {
		t.Errorf("error %v", err)
	}
}

// TestLargeClosure moves more paths than an argument list can hold.
func TestLargeClosure(t *testing.T) {
	nixtest.Store(t)
	var store service.NixStore
	chain := addChain(t, 600)
	if size := len(strings.Join(chain, " ")); size < 128<<10 {
		t.Fatalf("%d bytes are not enough to be divided", size)
	}
	mixed := shuffled(chain)

	t.Run("protocol 12: the closure of many paths keeps dependencies first", func(t *testing.T) {
		requisites, err := store.QueryRequisites(t.Context(), mixed)
		if err != nil || len(requisites) != len(chain) || !dependenciesFirst(chain, requisites) {
			t.Errorf("%d requisites, %v", len(requisites), err)
		}
	})
	t.Run("protocol 12: many paths are exported and imported", func(t *testing.T) {
		var stream bytes.Buffer
		if err := store.ExportClosure(t.Context(), mixed, &stream); err != nil {
			t.Fatal(err)
		}
		if err := store.CollectGarbage(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		invalid, err := store.PrintInvalid(t.Context(), mixed)
		if err != nil || !slices.Equal(invalid, mixed) {
			t.Errorf("%d invalid paths after the garbage collection, %v", len(invalid), err)
		}
		imported, err := store.ImportClosure(t.Context(), &stream)
		if err != nil || len(imported) != len(chain) || !dependenciesFirst(chain, imported) {
			t.Errorf("imported %d, %v", len(imported), err)
		}
		if invalid, err := store.PrintInvalid(t.Context(), mixed); err != nil || len(invalid) != 0 {
			t.Errorf("%d invalid paths, %v", len(invalid), err)
		}
	})
}

func TestCopyClosure(t *testing.T) {
	nixtest.Store(t)
	var store service.NixStore
	chain := addChain(t, 3)

	t.Run("only missing paths are copied", func(t *testing.T) {
		var target servicetest.Fake
		target.AddValid(chain[0])
		copied, err := service.CopyClosure(t.Context(), store, &target, chain[2:])
		if err != nil || !slices.Equal(copied, chain[1:]) {
			t.Errorf("copied %v, %v", copied, err)
		}
		copied, err = service.CopyClosure(t.Context(), store, &target, chain[2:])
		if err != nil || len(copied) != 0 {
			t.Errorf("copied again %v, %v", copied, err)
		}
	})
	t.Run("a store and itself", func(t *testing.T) {
		if copied, err := service.CopyClosure(t.Context(), store, store, chain); err != nil || len(copied) != 0 {
			t.Errorf("copied %v, %v", copied, err)
		}
	})
	t.Run("from a target", func(t *testing.T) {
		var target servicetest.Fake
		wanted := filepath.Join(nixStoreDir(), "11111111111111111111111111111111-wanted")
		target.AddValid(wanted)
		if copied, err := service.CopyClosure(t.Context(), &target, store, []string{wanted}); err != nil || !slices.Equal(copied, []string{wanted}) {
			t.Errorf("copied %v, %v", copied, err)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		if copied, err := service.CopyClosure(t.Context(), store, new(servicetest.Fake), nil); err != nil || len(copied) != 0 {
			t.Errorf("copied %v, %v", copied, err)
		}
	})
	failing := errors.New("refused")
	failAt := func(operation string, nth int) *servicetest.Fake {
		return &servicetest.Fake{Hook: func(_ context.Context, call servicetest.Call) error {
			if call.Operation == operation {
				nth--
				if nth == 0 {
					return failing
				}
			}
			return nil
		}}
	}
	for _, tt := range []struct {
		name     string
		from, to service.Store
		paths    []string
		want     string
	}{
		{"the source does not know the path", store, new(servicetest.Fake), []string{missingPath("x")}, "at the source: query the requisites"},
		{"the source cannot export", failAt("export", 1), new(servicetest.Fake), chain, "at the source: refused"},
		{"the destination cannot be asked", store, failAt("print-invalid", 1), chain, "at the destination: refused"},
		{"the destination cannot import", store, failAt("import", 1), chain, "at the destination: refused"},
		{"the destination loses paths", store, forgetful{new(servicetest.Fake)}, chain, "did not become valid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := service.CopyClosure(t.Context(), tt.from, tt.to, tt.paths)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		target := &servicetest.Fake{Hook: func(_ context.Context, call servicetest.Call) error {
			if call.Operation == "import" {
				cancel()
			}
			return nil
		}}
		if _, err := service.CopyClosure(ctx, store, target, chain); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// forgetful is a store that accepts a closure but does not keep all of it.
type forgetful struct{ *servicetest.Fake }

func (f forgetful) ImportClosure(_ context.Context, stream io.Reader) ([]string, error) {
	paths, err := closure.Paths(stream)
	return paths[1:], err
}

// TestCopyClosureTakesTwoOperations counts what the destination is asked for.
func TestCopyClosureTakesTwoOperations(t *testing.T) {
	var from servicetest.Fake
	var paths []string
	for i := range 10_000 {
		paths = append(paths, fmt.Sprintf("/nix/store/%032d-path", i))
	}
	from.AddValid(paths...)
	var operations []string
	to := &servicetest.Fake{Hook: func(_ context.Context, call servicetest.Call) error {
		operations = append(operations, call.Operation)
		return nil
	}}
	copied, err := service.CopyClosure(t.Context(), &from, to, paths)
	if err != nil || len(copied) != len(paths) || !slices.Equal(operations, []string{"print-invalid", "import"}) {
		t.Errorf("%d copied, %v, by %q", len(copied), err, operations)
	}
}

// TestCopyClosureIsResumed interrupts an import and repeats it.
func TestCopyClosureIsResumed(t *testing.T) {
	nixtest.Store(t)
	var store service.NixStore
	chain := addChain(t, 3)
	to := &servicetest.Fake{}
	to.Hook = func(_ context.Context, call servicetest.Call) error {
		if call.Operation == "import" {
			to.AddValid(chain[0]) // it has arrived
			return errors.New("the link is down")
		}
		return nil
	}
	if _, err := service.CopyClosure(t.Context(), store, to, chain[2:]); err == nil {
		t.Fatal("no error")
	}
	to.Hook = nil
	copied, err := service.CopyClosure(t.Context(), store, to, chain[2:])
	if err != nil || !slices.Equal(copied, chain[1:]) {
		t.Errorf("copied %v, %v", copied, err)
	}
}

// lying is a store that has nothing of what it says it has imported.
type lying struct{ *servicetest.Fake }

func (lying) PrintInvalid(_ context.Context, paths []string) ([]string, error) { return paths, nil }

func TestCheckImported(t *testing.T) {
	if _, err := service.CheckImported(t.Context(), lying{new(servicetest.Fake)}, []string{"/a", "/b"}); err == nil ||
		!strings.Contains(err.Error(), "/a and 1 more did not become valid") {
		t.Errorf("error %v", err)
	}
	refusing := &servicetest.Fake{Hook: func(context.Context, servicetest.Call) error { return errors.New("refused") }}
	if _, err := service.CheckImported(t.Context(), refusing, []string{"/a"}); err == nil || !strings.Contains(err.Error(), "verify the imported closure: refused") {
		t.Errorf("error %v", err)
	}
}
