package evaluation

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/test/nixtest"
)

// packagesNix offers packages for the models of the tests: plain derivations
// with /bin/sh as their builder.
const packagesNix = `{ system }:
let name = if system == null then "none" else system; in rec {
  # A package whose only file says something.
  say = pname: text: derivation {
    name = pname; system = name; builder = "/bin/sh"; inherit text;
    args = [ "-c" "read -r x < /dev/null; /bin/mkdir -p $out/share && printf '%s' \"$text\" > $out/share/$name" ];
  };
  # A package that holds its inter-dependency parameters.
  show = pname: shape: parameters: say pname (builtins.toJSON (builtins.mapAttrs (_: shape) parameters));
  broken = pname: derivation {
    name = pname; system = name; builder = "/bin/sh";
    args = [ "-c" "echo compiling ${pname}; echo no such header >&2; exit 3" ];
  };
}
`

// modelDir is a directory with model files and a private store.
type modelDir struct {
	t    testing.TB
	path string
}

// newModels creates a private store and a directory with the given files
// besides packages.nix.
func newModels(t testing.TB, files map[string]string) *modelDir {
	t.Helper()
	dir := &modelDir{t, filepath.Join(nixtest.Store(t), "models")}
	dir.write("pkgs.nix", packagesNix)
	for name, content := range files {
		dir.write(name, content)
	}
	return dir
}

func (d *modelDir) write(name, content string) string {
	d.t.Helper()
	return nixtest.File(d.t, d.path, name, content)
}

// inputs names the files that are there.
func (d *modelDir) inputs() Inputs {
	in := Inputs{TargetProperty: "hostname", ClientInterface: "disnix-run-activity"}
	for name, field := range map[string]*string{
		"services.nix":       &in.Services,
		"infrastructure.nix": &in.Infrastructure,
		"distribution.nix":   &in.Distribution,
		"packages.nix":       &in.Packages,
		"architecture.nix":   &in.Architecture,
		"deployment.nix":     &in.Deployment,
		"build.nix":          &in.Build,
	} {
		path := filepath.Join(d.path, name)
		if _, err := os.Stat(path); err == nil {
			*field = path
		}
	}
	return in
}

func (d *modelDir) evaluate() *System {
	d.t.Helper()
	system, err := Evaluate(context.Background(), d.inputs())
	if err != nil {
		d.t.Fatal(err)
	}
	d.validate(system.Manifest)
	return system
}

func (d *modelDir) build() (string, *models.Manifest) {
	d.t.Helper()
	path, manifest, err := BuildManifest(context.Background(), d.inputs())
	if err != nil {
		d.t.Fatal(err)
	}
	d.validate(manifest)
	return path, manifest
}

// validate checks the manifest as those do who read it.
func (d *modelDir) validate(m *models.Manifest) {
	d.t.Helper()
	if err := m.Validate(); err != nil {
		d.t.Errorf("the manifest is not valid: %v", err)
	}
}

// wantProblems expects an evaluation to fail with exactly these problems, in
// any order; each is a part of the message.
func (d *modelDir) wantProblems(want ...string) {
	d.t.Helper()
	_, err := Evaluate(context.Background(), d.inputs())
	var problems models.Problems
	if !errors.As(err, &problems) {
		d.t.Fatalf("got error %v, want problems", err)
	}
	if len(problems) != len(want) {
		d.t.Errorf("got %d problems, want %d:\n%v", len(problems), len(want), err)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			d.t.Errorf("no problem says %q:\n%v", part, err)
		}
	}
}

// named returns the only service of that name.
func named(t testing.TB, m *models.Manifest, name string) (string, *models.Service) {
	t.Helper()
	var foundKey string
	var found *models.Service
	for key, s := range m.Services {
		if s.Name != name {
			continue
		}
		if found != nil {
			t.Fatalf("the manifest has several services %s", name)
		}
		foundKey, found = key, s
	}
	if found == nil {
		t.Fatalf("the manifest has no service %s", name)
	}
	return foundKey, found
}

// output runs a program and returns what it prints.
func output(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
