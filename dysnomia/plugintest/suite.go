package plugintest

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

// Run checks that a plugin does what is promised of every plugin: operations
// may be repeated, unknown ones succeed, markers tell the truth, and state
// survives until it is collected.
func Run(t *testing.T, config Config) {
	deactivated := ""
	if config.Read != nil {
		deactivated = "garbage"
	}
	fixture := func(t *testing.T) *Fixture { return NewFixture(t, config, config.New(t)) }

	t.Run("activate twice", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate)
		f.Expect("active")
		f.Do(dysnomia.Activate)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
	})
	t.Run("deactivate twice", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		f.Expect(deactivated)
		f.Do(dysnomia.Deactivate)
		f.Expect(deactivated)
	})
	if config.Remembers {
		t.Run("deactivate what is gone", func(t *testing.T) {
			f := fixture(t)
			f.Do(dysnomia.Activate)
			if err := os.RemoveAll(f.Path); err != nil {
				t.Fatal(err)
			}
			f.Do(dysnomia.Deactivate)
			f.Expect(deactivated)
		})
	}
	t.Run("deactivate what was never activated", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
	t.Run("activate again after deactivation", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate, dysnomia.Deactivate, dysnomia.Activate)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
	})
	t.Run("the marker knows the component", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate)
		markers, err := f.State.Activated(f.Container)
		if err != nil || len(markers) != 1 || markers[0].Component != f.Name() || markers[0].Path != f.Path {
			t.Errorf("markers: %+v, %v", markers, err)
		}
		f.Do(dysnomia.Deactivate)
	})
	t.Run("lock and unlock", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Lock, dysnomia.Unlock)
		f.Expect("")
		f.Do(dysnomia.Activate, dysnomia.Lock, dysnomia.Unlock)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
	})
	t.Run("unknown operations succeed", func(t *testing.T) {
		f := fixture(t)
		f.Do("unheard-of")
		f.Expect("")
		f.Do(dysnomia.Activate, "unheard-of")
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
	})
	if config.Broken != nil {
		t.Run("a failure is reported and nothing is marked", func(t *testing.T) {
			f := NewFixture(t, config, config.Broken(t))
			err := f.Run(t.Context(), dysnomia.Activate)
			var failed *dysnomia.ModuleError
			if !errors.As(err, &failed) || failed.ExitCode == 0 && failed.Signal == 0 {
				t.Errorf("error: %v", err)
			}
			f.Expect("")
		})
	}
	if config.Read == nil {
		runStateless(t, fixture)
	} else {
		runStateful(t, config, fixture)
	}
}

func runStateless(t *testing.T, fixture func(*testing.T) *Fixture) {
	t.Run("there is no state", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore, dysnomia.CollectGarbage)
		f.Expect("active")
		f.generations(0)
		f.Do(dysnomia.Deactivate, dysnomia.CollectGarbage)
		f.Expect("")
	})
}

func runStateful(t *testing.T, config Config, fixture func(*testing.T) *Fixture) {
	t.Run("restore without a snapshot changes nothing", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate)
		config.Write(t, f.Component, "kept")
		f.Do(dysnomia.Restore)
		f.read("kept")
	})
	t.Run("generations and restore", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate)
		for i, text := range []string{"one", "two", "three"} {
			config.Write(t, f.Component, text)
			f.Do(dysnomia.Snapshot)
			f.generations(i + 1)
		}
		f.Do(dysnomia.Snapshot) // nothing has changed
		history := f.generations(3)
		f.private(history)
		config.Write(t, f.Component, "lost")
		f.Do(dysnomia.Restore)
		f.read("three")
		paths, err := f.State.Resolve([]string{history[0].Snapshot()})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.State.Import(t.Context(), f.Container, f.Name(), paths[0]); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Restore)
		f.read("one")
		f.Do(dysnomia.Restore)
		f.read("one")
		f.Expect("active")
	})
	t.Run("collecting the garbage of an active component changes nothing", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate)
		config.Write(t, f.Component, "kept")
		f.Do(dysnomia.CollectGarbage)
		f.Expect("active")
		f.read("kept")
	})
	t.Run("state survives deactivation", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate)
		config.Write(t, f.Component, "kept")
		f.Do(dysnomia.Deactivate, dysnomia.Activate)
		f.Expect("active")
		f.read("kept")
	})
	t.Run("garbage is collected after deactivation and restored from a snapshot", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate)
		config.Write(t, f.Component, "kept")
		f.Do(dysnomia.Snapshot, dysnomia.Deactivate, dysnomia.CollectGarbage)
		f.Expect("")
		f.read("")
		f.Do(dysnomia.CollectGarbage, dysnomia.Deactivate, dysnomia.Activate)
		f.read("")
		f.Do(dysnomia.Restore)
		f.Expect("active")
		f.read("kept")
	})
	if config.Module != "" {
		return // the original's modules do not know of each other
	}
	t.Run("state that another container shares is kept", func(t *testing.T) {
		f := fixture(t)
		f.Do(dysnomia.Activate)
		config.Write(t, f.Component, "kept")
		f.Do(dysnomia.Snapshot, dysnomia.Deactivate)
		other := *f
		other.Container = f.Container + "-secondary"
		other.Do(dysnomia.Activate)
		f.Do(dysnomia.CollectGarbage)
		if marked, err := f.State.IsGarbage(f.Container, f.Name()); err != nil || marked {
			t.Errorf("it is garbage: %t, %v", marked, err)
		}
		if !strings.Contains(f.Stderr, strconv.Quote(other.Container)) {
			t.Errorf("the user is told %q", f.Stderr)
		}
		f.read("kept")
		other.Do(dysnomia.Deactivate, dysnomia.CollectGarbage)
		f.read("")
	})
}

// private checks that not everybody can read what is in snapshots, unless the
// plugin has to let them.
func (f *Fixture) private(history []dysnomia.Generation) {
	f.t.Helper()
	if f.config.Module != "" || f.config.Readable {
		return
	}
	for _, g := range history {
		paths, err := f.State.Resolve([]string{g.Snapshot()})
		if err != nil {
			f.t.Fatal(err)
		}
		info, err := os.Stat(paths[0])
		if err != nil {
			f.t.Fatal(err)
		}
		if info.Mode().Perm()&0o007 != 0 {
			f.t.Errorf("snapshot %s has the mode %v", g.Snapshot(), info.Mode())
		}
	}
}

func (f *Fixture) read(want string) {
	f.t.Helper()
	if got := f.config.Read(f.t, f.Component); got != want {
		f.t.Fatalf("the state is %q, want %q\n%s%s", got, want, f.Stdout, f.Stderr)
	}
}

// generations checks how many generations there are and that their snapshots
// are intact.
func (f *Fixture) generations(want int) []dysnomia.Generation {
	f.t.Helper()
	history, err := f.State.QueryAll(f.Container, f.Name())
	if err != nil {
		f.t.Fatal(err)
	}
	if len(history) != want {
		f.t.Fatalf("%d generations, want %d", len(history), want)
	}
	for _, g := range history {
		if err := f.State.Check(g); err != nil {
			f.t.Error(err)
		}
	}
	return history
}
