package evaluation

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestBuildFailure(t *testing.T) {
	files := systemOf(`
	  bad = { name = "bad"; type = "process"; pkg = mine.broken "bad-1.0"; };
	  same = { name = "same"; type = "process"; pkg = mine.broken "bad-1.0"; };
	  worse = { name = "worse"; type = "process"; pkg = mine.say "worse" "${mine.broken "lib"}"; };
	  good = { name = "good"; type = "process"; pkg = mine.say "good" ""; };`,
		`bad = [ node1 node2 ]; same = [ node1 ]; worse = [ node1 ]; good = [ node2 ];`)
	files["packages.nix"] = `{ pkgs, system }: { node2 = [ ((import ./pkgs.nix { inherit system; }).broken "tool") ]; }`
	dir := newModels(t, files)
	var log bytes.Buffer
	in := dir.inputs()
	in.Log = &log
	_, _, err := BuildManifest(context.Background(), in)
	var failure *BuildError
	if !errors.As(err, &failure) {
		t.Fatalf("got %v, want a *BuildError", err)
	}
	needed := make(map[string]string)
	for _, f := range failure.Failures {
		name := strings.SplitN(filepath.Base(f.Derivation), "-", 2)[1]
		needed[name] = strings.Join(f.NeededBy, ", ")
		want := "compiling " + strings.TrimSuffix(name, ".drv") + "\nno such header"
		if f.Log != want {
			t.Errorf("the log of %s ends with %q, want %q", name, f.Log, want)
		}
		if !strings.Contains(f.Reason, "exit code 3") {
			t.Errorf("the reason of %s is %q", name, f.Reason)
		}
	}
	want := map[string]string{"bad-1.0.drv": `service "bad", service "same"`, "lib.drv": `service "worse"`, "tool.drv": `target "node2"`}
	for name, services := range want {
		if needed[name] != services {
			t.Errorf("%s is needed by %q, want %q", name, needed[name], services)
		}
	}
	if len(needed) != len(want) {
		t.Errorf("got failures %v, want %v", needed, want)
	}
	for _, part := range []string{`build `, `bad-1.0.drv for service "bad", service "same": builder for`, "\n    compiling lib\n    no such header"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	if !strings.Contains(log.String(), "building '") {
		t.Errorf("the log does not have what nix-store says: %s", &log)
	}
	good := output(t, "nix-instantiate", "--eval", "--expr", `(import `+dir.path+`/pkgs.nix { system = "x86_64-linux"; }).say "good" "" + ""`)
	if _, err := os.Stat(strings.Trim(good, `"`)); err != nil {
		t.Errorf("the packages that can be built are not built: %v", err)
	}
}

func TestFailuresAreFoundInLongDiagnostics(t *testing.T) {
	files := systemOf(`
	  bad = { name = "bad"; type = "process"; pkg = mine.broken "bad"; };
	  loud = { name = "loud"; type = "process"; pkg = derivation { name = "loud"; inherit system; builder = "/bin/sh"; bad = "${mine.say "first" ""}";
	    args = [ "-c" "i=0; while [ $i -lt 9000 ]; do echo 'a line of a long build log'; i=$((i+1)); done; exit 1" ]; }; };`,
		`bad = [ node1 ]; loud = [ node1 ];`)
	_, _, err := BuildManifest(context.Background(), newModels(t, files).inputs())
	var failure *BuildError
	if !errors.As(err, &failure) || len(failure.Failures) != 2 {
		t.Fatalf("got %v, want two failures", err)
	}
	for _, f := range failure.Failures {
		if lines := strings.Count(f.Log, "\n") + 1; lines > logLines {
			t.Errorf("the error repeats %d lines of the log", lines)
		}
	}
}

func TestFailureLines(t *testing.T) {
	var f failureLines
	text := "noise\nerror: builder for '/nix/store/x-a.drv' failed with exit code 1;\n  Reason: it is.\nmore noise"
	for i := range text { // however the text is cut
		if _, err := f.Write([]byte(text[i : i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if want := "error: builder for '/nix/store/x-a.drv' failed with exit code 1;\n  Reason: it is."; f.String() != want {
		t.Errorf("got %q, want %q", f.String(), want)
	}
	if _, err := f.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil || len(f.partial) > longestLine {
		t.Errorf("%d bytes of a line without an end are kept, error %v", len(f.partial), err)
	}
}

func TestPackageOfAnotherSystemCanNotBeBuilt(t *testing.T) {
	files := systemOf(`a = { name = "a"; type = "process"; pkg = mine.say "a" ""; };`, `a = [ node1 ];`)
	files["infrastructure.nix"] = `{ node1 = { properties.hostname = "node1"; system = "armv7l-linux"; }; }`
	_, _, err := BuildManifest(context.Background(), newModels(t, files).inputs())
	if err == nil || !strings.Contains(err.Error(), `for service "a"`) || !strings.Contains(err.Error(), "armv7l-linux") {
		t.Errorf("got %v, want that service a can not be built for armv7l-linux", err)
	}
}

// TestFailedDerivation has diagnostics of several versions of Nix.
func TestFailedDerivation(t *testing.T) {
	for name, test := range map[string]struct{ diagnostics, derivation, reason string }{
		"2.8":         {"error: builder for '/nix/store/x-a.drv' failed with exit code 1;\n       last 1 log lines:", "/nix/store/x-a.drv", ""},
		"2.8 timeout": {"error: building of '/nix/store/x-a.drv' timed out after 3 seconds", "/nix/store/x-a.drv", ""},
		"2.30":        {"error: Cannot build '/nix/store/x-a.drv'.\n       Reason: builder failed with exit code 1.\n", "/nix/store/x-a.drv", "builder failed with exit code 1."},
		"hash":        {"error: hash mismatch in fixed-output derivation '/nix/store/x-a.drv':\n", "/nix/store/x-a.drv", ""},
	} {
		match := failedDerivation.FindStringSubmatch(test.diagnostics)
		if match == nil || match[1] != test.derivation || match[2] != test.reason {
			t.Errorf("%s: got %q, want %q and %q", name, match, test.derivation, test.reason)
		}
	}
	if !dependencyFailed.MatchString("1 dependency failed.") || !dependencyFailed.MatchString("2 dependencies failed.") {
		t.Error("the failure of a dependency is not recognised")
	}
}

func TestManyNamesAreShortened(t *testing.T) {
	got := shortened([]string{"a", "b", "c", "d", "e", "f", "g"})
	if want := "a, b, c, d, e and 2 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBuildIsCancelled(t *testing.T) {
	dir := newModels(t, systemOf(`a = { name = "a"; type = "process"; pkg = derivation {
	  name = "a"; inherit system; builder = "/bin/sh"; args = [ "-c" "echo started > ${started}; read -r x < ${started}.fifo" ]; }; };`, `a = [ node1 ];`))
	started := filepath.Join(dir.path, "started")
	if err := syscall.Mkfifo(started+".fifo", 0o666); err != nil {
		t.Fatal(err)
	}
	text := read(t, filepath.Join(dir.path, "services.nix"))
	dir.write("services.nix", strings.ReplaceAll(text, "${started}", started))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // the fifo can be opened as soon as the builder reads it
		if f, err := os.OpenFile(started+".fifo", os.O_WRONLY, 0); err == nil {
			cancel()
			defer f.Close()
			<-ctx.Done()
		}
	}()
	_, _, err := BuildManifest(ctx, dir.inputs())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context was cancelled", err)
	}
}

func TestStoreThatIsFull(t *testing.T) {
	dir := newModels(t, shop)
	store := os.Getenv("NIX_STORE_DIR")
	if err := syscall.Mount("tmpfs", store, "tmpfs", 0, "size=8k"); err != nil {
		t.Fatalf("mount a small store (the tests run as root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(store, 0); err != nil {
			t.Error(err)
		}
	})
	_, _, err := BuildManifest(context.Background(), dir.inputs())
	if err == nil || !strings.Contains(err.Error(), "No space left on device") {
		t.Errorf("got %v, want that there is no space", err)
	}
}
