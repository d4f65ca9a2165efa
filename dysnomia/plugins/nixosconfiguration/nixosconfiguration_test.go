package nixosconfiguration

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/fileset"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/nixtest"
)

// system is a machine with a real Nix store and system profile. Its
// configurations have a stand-in for the switch, which tells what it did.
type system struct {
	t   testing.TB
	dir string
}

func newSystem(t testing.TB) *system {
	t.Helper()
	s := &system{t, filepath.Join(nixtest.Store(t), "machine")}
	for _, dir := range []string{"components/files", "containers", "profiles"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	nixtest.File(t, s.dir, "containers/files", "type=fileset\ntargetDir="+s.dir+"/data\n")
	return s
}

// configuration builds a configuration; the switch to it has the status.
func (s *system) configuration(name string, status int) string {
	s.t.Helper()
	expression := fmt.Sprintf(`derivation {
  name = %q; system = builtins.currentSystem; builder = "/bin/sh";
  script = ''
    #!/bin/sh
    echo "%[1]s $1" >> %[2]s/switches
    exit %[3]d
  '';
  args = [ "-c" "/bin/mkdir -p $out/bin; printf '%%s' \"$script\" > $out/bin/switch-to-configuration; /bin/chmod +x $out/bin/switch-to-configuration" ];
}`, name, s.dir, status)
	out, err := exec.Command("nix-build", "--no-out-link", "-E", expression).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func (s *system) profile() string { return filepath.Join(s.dir, "profiles/system") }

// current returns the name of the configuration in the system profile.
func (s *system) current() string {
	path, err := filepath.EvalSymlinks(s.profile())
	if err != nil {
		return ""
	}
	return filepath.Base(path)[33:]
}

// switches returns what was switched to since the last call.
func (s *system) switches() string {
	content, _ := os.ReadFile(filepath.Join(s.dir, "switches"))
	os.Remove(filepath.Join(s.dir, "switches"))
	return strings.ReplaceAll(strings.TrimSpace(string(content)), "\n", ", ")
}

func (s *system) component(path string, properties map[string]string) plugintest.Component {
	all := map[string]string{
		"systemProfile": s.profile(), "detach": "0", "DYSNOMIA_NIXOS_STATEDIR": filepath.Join(s.dir, "inner"),
		"DYSNOMIA_CONTAINERS_PATH": filepath.Join(s.dir, "containers"), "DYSNOMIA_COMPONENTS_PATH": filepath.Join(s.dir, "components"),
	}
	maps.Copy(all, properties)
	return plugintest.Component{Path: path, Container: "nixos-configuration", Properties: all}
}

var config = plugintest.Config{Type: "nixos-configuration", Plugin: Plugin{Plugins: map[string]dysnomia.Plugin{"fileset": fileset.Plugin{}}}}

func (s *system) fixture(path string, properties map[string]string) *plugintest.Fixture {
	t, ok := s.t.(*testing.T)
	if !ok {
		s.t.Fatal("not in a benchmark")
	}
	return plugintest.NewFixture(t, config, s.component(path, properties))
}

func (s *system) expect(current, switches string) {
	s.t.Helper()
	if got := s.current(); got != current {
		s.t.Errorf("the configuration is %q, want %q", got, current)
	}
	if got := s.switches(); got != switches {
		s.t.Errorf("switches: %q, want %q", got, switches)
	}
}

// active fails unless the marker of the component is as expected; its name is
// without the hash only for the plugin.
func (s *system) active(f *plugintest.Fixture, want bool) {
	s.t.Helper()
	markers, err := f.State.Activated("")
	if err != nil || (len(markers) == 1 && markers[0].Path == f.Path) != want {
		s.t.Errorf("markers: %v, %v, want active: %t", markers, err, want)
	}
}

func TestSwitchAndBack(t *testing.T) {
	s := newSystem(t)
	one, two := s.fixture(s.configuration("one", 0), nil), s.fixture(s.configuration("two", 0), nil)
	one.Do(dysnomia.Activate)
	s.expect("one", "one switch")
	s.active(one, true)
	two.Do(dysnomia.Activate)
	s.expect("two", "two switch")
	two.Do(dysnomia.Activate)
	s.expect("two", "two switch")
	two.Do(dysnomia.Deactivate)
	s.expect("one", "one switch")
	s.active(two, false)
	two.Do(dysnomia.Deactivate)
	s.expect("one", "") // a repetition goes no further back
	one.Do(dysnomia.Lock, dysnomia.Unlock, "unheard-of")
	s.expect("one", "")
	err := one.Run(t.Context(), dysnomia.Deactivate)
	if err == nil || !strings.Contains(err.Error(), "change the system profile") {
		t.Errorf("the first configuration has none before: %v", err)
	}
	s.expect("one", "")
}

func TestProperties(t *testing.T) {
	s := newSystem(t)
	f := s.fixture(s.configuration("one", 0), map[string]string{"disableNixOSSystemProfile": "1", "testNixOS": "1"})
	f.Do(dysnomia.Activate)
	s.expect("", "one test")
	f.Do(dysnomia.Deactivate)
	s.expect("", "")

	bin := t.TempDir()
	script := "#!/bin/sh\necho \"$@\" > " + bin + "/arguments\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "systemd-run"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	f = s.fixture(s.configuration("two", 0), map[string]string{"detach": "1"})
	f.Do(dysnomia.Activate)
	s.expect("two", "two switch")
	arguments, err := os.ReadFile(filepath.Join(bin, "arguments"))
	if err != nil || !strings.Contains(string(arguments), "--wait --unit=disnix-switch-to-configuration -- "+s.profile()+"/bin/switch-to-configuration switch") {
		t.Errorf("arguments: %s, %v", arguments, err)
	}
}

func TestFailures(t *testing.T) {
	s := newSystem(t)
	good, bad := s.fixture(s.configuration("good", 0), nil), s.fixture(s.configuration("bad", 4), nil)
	err := bad.Run(t.Context(), dysnomia.Activate)
	if err == nil || !strings.Contains(err.Error(), "status 4") {
		t.Errorf("error: %v", err)
	}
	s.switches()
	good.Do(dysnomia.Activate)
	s.switches()
	if err := bad.Run(t.Context(), dysnomia.Activate); err == nil {
		t.Error("it succeeded")
	}
	s.expect("good", "bad switch, good switch")
	s.active(bad, false)
	for _, properties := range []map[string]string{{"detach": "perhaps"}, {"systemProfile": "profile"}, {"DYSNOMIA_NIXOS_STATEDIR": "state"}} {
		f := s.fixture(good.Path, properties)
		for name, value := range properties {
			if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), value) {
				t.Errorf("error: %v", err)
			}
		}
	}
	none := plugintest.NewComponent(t, "nixos-configuration", s.component("", nil).Properties, nil)
	if err := plugintest.NewFixture(t, config, none).Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "is not a configuration of NixOS") {
		t.Errorf("error: %v", err)
	}
}

// TestStateOfTheComponents moves the state of a component in a configuration.
func TestStateOfTheComponents(t *testing.T) {
	for _, noHardlink := range []string{"", "1"} {
		s := newSystem(t)
		component := plugintest.NewComponent(t, "files", nil, map[string]string{".dysnomia-fileset": "mkdir notes\n"})
		if err := os.Symlink(component.Path, filepath.Join(s.dir, "components/files/notes")); err != nil {
			t.Fatal(err)
		}
		f := s.fixture(s.configuration("one", 0), map[string]string{"noHardlink": noHardlink})
		f.Do(dysnomia.Snapshot) // there is nothing yet
		f.Do(dysnomia.Activate)
		note := filepath.Join(s.dir, "data/notes/note")
		write := func(text string) {
			if err := os.WriteFile(note, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("kept")
		f.Do(dysnomia.Snapshot, dysnomia.Snapshot)
		history, err := f.State.QueryAll("", "")
		if err != nil || len(history) != 1 {
			t.Fatalf("%v, %v", history, err)
		}
		if err := f.State.Check(history[0]); err != nil {
			t.Error(err)
		}
		write("lost")
		// As on another machine: the inner snapshots are gone.
		inner := &dysnomia.State{Dir: filepath.Join(s.dir, "inner")}
		for _, dir := range []string{"snapshots", "generations"} {
			if err := os.RemoveAll(filepath.Join(inner.Dir, dir)); err != nil {
				t.Fatal(err)
			}
		}
		f.Do(dysnomia.Restore)
		if content, err := os.ReadFile(note); err != nil || string(content) != "kept" {
			t.Errorf("%s, %v", content, err)
		}
		// Without the component in the configuration, its state is garbage.
		if err := os.Remove(filepath.Join(s.dir, "components/files/notes")); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Activate, dysnomia.CollectGarbage)
		if _, err := os.Stat(note); err == nil {
			t.Error("the garbage is not collected")
		}
		if markers, err := inner.Garbage(""); err != nil || slices.ContainsFunc(markers, func(m dysnomia.Marker) bool { return m.Container == "files" }) {
			t.Errorf("%v, %v", markers, err)
		}
	}
}

func TestRoughEdge_modules26(t *testing.T) {
	t.Run("modules 26: a container file can say where the containers of the configuration are", func(t *testing.T) {
		s := newSystem(t)
		component := plugintest.NewComponent(t, "files", nil, map[string]string{".dysnomia-fileset": "mkdir notes\n"})
		if err := os.Symlink(component.Path, filepath.Join(s.dir, "components/files/notes")); err != nil {
			t.Fatal(err)
		}
		var file strings.Builder
		file.WriteString("type=nixos-configuration\n")
		for name, value := range s.component("", nil).Properties {
			fmt.Fprintf(&file, "%s=%s\n", name, value)
		}
		outer := nixtest.File(t, s.dir, "outer/nixos", file.String())
		host, err := dysnomia.NewHost([]string{"PATH=" + os.Getenv("PATH"), "DYSNOMIA_STATEDIR=" + s.dir + "/state", "DYSNOMIA_CONTAINERS_PATH=" + filepath.Dir(outer),
			"NIX_STORE_DIR=" + os.Getenv("NIX_STORE_DIR")}, map[string]dysnomia.Plugin{config.Type: config.Plugin})
		if err != nil {
			t.Fatal(err)
		}
		err = host.Run(t.Context(), dysnomia.Invocation{
			Operation: dysnomia.Activate, Component: s.configuration("one", 0), Container: "nixos",
			// The store of this test, which file mode would not pass on.
			Arguments: []string{"NIX_STORE_DIR=" + os.Getenv("NIX_STORE_DIR"), "NIX_STATE_DIR=" + os.Getenv("NIX_STATE_DIR"), "NIX_CONF_DIR=" + os.Getenv("NIX_CONF_DIR"), "HOME=" + s.dir},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(s.dir, "data/notes")); err != nil {
			t.Errorf("the components of the configuration are not deployed: %v", err)
		}
	})
	t.Run("modules 26: deactivating twice goes back once", func(t *testing.T) {
		s := newSystem(t)
		one, two, three := s.fixture(s.configuration("one", 0), nil), s.fixture(s.configuration("two", 0), nil), s.fixture(s.configuration("three", 0), nil)
		one.Do(dysnomia.Activate)
		two.Do(dysnomia.Activate)
		three.Do(dysnomia.Activate)
		three.Do(dysnomia.Deactivate, dysnomia.Deactivate)
		if got := s.current(); got != "two" {
			t.Errorf("the configuration is %q", got)
		}
	})
}
