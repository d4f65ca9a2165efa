// Package nixtest gives tests a private Nix: a store, database and profiles
// of their own that disappear with the test.
package nixtest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const configuration = `build-users-group =
sandbox = false
substituters =
`

// Store points the environment of the test at a new, empty Nix store and at
// private directories for everything that disnix writes, and returns the
// directory that holds all of them:
//
//	store/          the Nix store
//	nix/            NIX_STATE_DIR: database and profiles
//	dysnomia/       DYSNOMIA_STATEDIR
//	tmp/            TMPDIR
//
// Child processes inherit it. The test may not be parallel.
func Store(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("nix-store"); err != nil {
		t.Fatal("nix-store is not in PATH: run `make setup`")
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { makeWritable(root) })
	write(t, filepath.Join(root, "etc/nix.conf"), configuration)
	for name, dir := range map[string]string{
		"NIX_STORE_DIR":     "store",
		"NIX_STATE_DIR":     "nix",
		"NIX_LOG_DIR":       "log",
		"NIX_CONF_DIR":      "etc",
		"DYSNOMIA_STATEDIR": "dysnomia",
		"TMPDIR":            "tmp",
		"HOME":              "home",
	} {
		path := filepath.Join(root, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, path)
	}
	t.Setenv("NIX_REMOTE", "")
	t.Setenv("NIX_PATH", "")
	return root
}

// File writes a file below dir and returns its path.
func File(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	write(t, path, content)
	return path
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// makeWritable lets the test's temporary directory be removed: store paths
// are read-only, which stops everybody but root.
func makeWritable(root string) {
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(path, 0o755)
		}
		return nil
	})
}
