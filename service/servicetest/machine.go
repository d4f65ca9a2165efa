package servicetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/service"
)

// machine is the target of one test, and the service that is tested.
type machine struct {
	*testing.T
	service.Service
	root    string
	noShell bool // see [Config]
}

// recorder is a module that appends to $root/calls what it is asked for, one
// line per call, with the value of the property "greeting" if there is one. It
// refuses what is listed in $root/refuse, and waits for the end of the world
// if it is listed in $root/wait, after having created $root/waiting.
const recorder = `#!/bin/sh
root='%s'
name=${2##*/}
name=${name#*-}
printf '%%s\n' "$1 $name in $3${greeting+ greeting $greeting}" >> "$root/calls"
echo "output of $1"
echo "diagnostics of $1" >&2
if grep -qxs -- "$1 $name" "$root/wait"; then
	trap 'echo stopped >> "$root/calls"; exit 7' TERM
	: > "$root/waiting"
	while :; do sleep 0.1; done
fi
! grep -qxs -- "$1 $name" "$root/refuse"
`

func newMachine(t *testing.T, config Config) *machine {
	root := config.Machine(t)
	m := &machine{T: t, root: root, noShell: config.NoShell}
	module := m.file("modules/recorder", fmt.Sprintf(recorder, root))
	m.must(os.Chmod(module, 0o755))
	t.Setenv("DYSNOMIA_MODULES_PATH", filepath.Dir(module))
	m.file("containers/box", "type=recorder\nport=1234\n")
	t.Setenv("DYSNOMIA_CONTAINERS_PATH", filepath.Join(root, "containers"))
	t.Setenv("DYSNOMIA_PROPERTIES", m.file("properties", "hostname=here\n"))
	m.Service = config.Connect(t)
	return m
}

func (m *machine) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// file writes a file below the root and returns its path.
func (m *machine) file(name, content string) string {
	m.Helper()
	path := filepath.Join(m.root, name)
	m.must(os.MkdirAll(filepath.Dir(path), 0o755))
	m.must(os.WriteFile(path, []byte(content), 0o644))
	return path
}

// add adds a file to the Nix store and returns its path.
func (m *machine) add(name, content string) string {
	m.Helper()
	return m.addTree(m.file("sources/"+name, content))
}

func (m *machine) addTree(path string) string {
	m.Helper()
	out, err := nix.Output(m.Context(), "nix-store", "--add", path)
	m.must(err)
	return strings.TrimSpace(string(out))
}

// chain adds n store paths with long names of which each depends on the one
// before, and returns them, dependencies first.
func (m *machine) chain(n int) []string {
	m.Helper()
	expression := fmt.Sprintf(`builtins.concatStringsSep "\n" (builtins.foldl' (paths: i: paths ++ [ (builtins.toFile "link-${toString i}%s"
		(if paths == [ ] then "first" else builtins.elemAt paths (i - 1))) ]) [ ] (builtins.genList (i: i) %d))`, strings.Repeat("-and-so-on", 17), n)
	out, err := nix.Output(m.Context(), "nix-instantiate", "--eval", "--read-write-mode", "-E", expression)
	m.must(err)
	return strings.Split(strings.Trim(strings.TrimSpace(string(out)), `"`), `\n`)
}

// missing returns a store path that does not exist.
func (m *machine) missing(name string) string {
	return filepath.Join(nix.StoreDir(), "00000000000000000000000000000000-"+name)
}

// deploy sets the profile to one that describes the services, each of type
// recorder in the container box. Their packages are returned.
func (m *machine) deploy(profile string, names ...string) []string {
	m.Helper()
	var services, mappings strings.Builder
	var packages []string
	for _, name := range names {
		path := m.add(name, name)
		packages = append(packages, path)
		fmt.Fprintf(&services, "<service name=%q><name>%s</name><pkg>%s</pkg><type>recorder</type></service>", name, name, path)
		fmt.Fprintf(&mappings, "<mapping><service>%s</service><container>box</container></mapping>", name)
	}
	m.must(m.SetProfile(m.Context(), profile, m.profile("node", fmt.Sprintf(
		"<profilemanifest version=\"2\"><services>%s</services><serviceMappings>%s</serviceMappings></profilemanifest>\n", &services, &mappings))))
	return packages
}

// profile adds a profile of the named target with this manifest to the store.
func (m *machine) profile(target, manifest string) string {
	m.Helper()
	dir := filepath.Join("profiles", target)
	m.file(filepath.Join(dir, "profilemanifest.xml"), manifest)
	return m.addTree(filepath.Join(m.root, dir))
}

// calls returns what the recorder was asked since the last time, sorted if
// the order is not the same each time.
func (m *machine) calls() []string {
	m.Helper()
	path := filepath.Join(m.root, "calls")
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	m.must(errors.Join(err, os.Remove(path)))
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

func (m *machine) wantCalls(want ...string) {
	m.Helper()
	if got := m.calls(); !slices.Equal(got, want) {
		m.Errorf("the module was asked %q, want %q", got, want)
	}
}

// want checks a list and the error beside it.
func (m *machine) want(what string, got []string, err error, want ...string) {
	m.Helper()
	if err != nil || !slices.Equal(got, want) {
		m.Errorf("%s: %q, %v, want %q", what, got, err, want)
	}
}

// wantError checks that an operation failed and says why.
func (m *machine) wantError(what string, err error, parts ...string) {
	m.Helper()
	if err == nil {
		m.Errorf("%s: no error", what)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			m.Errorf("%s: the error does not say %q: %v", what, part, err)
		}
	}
}
