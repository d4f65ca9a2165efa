package main

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var updateScripts = flag.Bool("update-scripts", false, "write what programs print into the scripts")

// TestMain makes every program a command of the scripts.
func TestMain(m *testing.M) {
	commands := map[string]func(){"disnix": main}
	for _, p := range programs() {
		commands[p.name] = main
	}
	testscript.Main(m, commands)
}

// TestScripts runs the programs as users do, with a Nix store and state
// directories of each script's own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Setup:         setupScript,
		UpdateScripts: *updateScripts,
	})
}

// TestRoughEdge runs the scripts that are named for defects of Disnix 0.10:
// after the page and number of each. They share the models of one service, unless
// they bring files with the same names.
func TestRoughEdge(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/roughedge",
		Setup: func(env *testscript.Env) error {
			if err := setupScript(env); err != nil {
				return err
			}
			return addFiles(env.WorkDir, "testdata/roughedge/models")
		},
		UpdateScripts: *updateScripts,
	})
}

// addFiles copies the files of a directory that are not in another one yet.
func addFiles(to, from string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		target := filepath.Join(to, entry.Name())
		if _, err := os.Stat(target); err == nil {
			continue
		}
		content, err := os.ReadFile(filepath.Join(from, entry.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func setupScript(env *testscript.Env) error {
	env.Defer(func() { makeWritable(env.WorkDir) })
	for variable, dir := range map[string]string{
		"NIX_STORE_DIR":     "private/store",
		"NIX_STATE_DIR":     "private/nix",
		"NIX_LOG_DIR":       "private/log",
		"NIX_CONF_DIR":      "private/etc",
		"DYSNOMIA_STATEDIR": "private/dysnomia",
		"TMPDIR":            "private/tmp",
		"HOME":              "private/home",
	} {
		path := filepath.Join(env.WorkDir, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		env.Setenv(variable, path)
	}
	share, err := filepath.Abs("../../share")
	if err != nil {
		return err
	}
	env.Setenv("SHARE", share)
	env.Setenv("NIX_REMOTE", "")
	env.Setenv("DISNIX_CLIENT_INTERFACE", "disnix-run-activity")
	configuration := "build-users-group =\nsandbox = false\nsubstituters =\n"
	return os.WriteFile(filepath.Join(env.WorkDir, "private/etc/nix.conf"), []byte(configuration), 0o644)
}

// makeWritable lets the directory of a script be removed.
func makeWritable(root string) {
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(path, 0o755)
		}
		return nil
	})
}
