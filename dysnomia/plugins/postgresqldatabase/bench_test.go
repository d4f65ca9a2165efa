package postgresqldatabase

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

// BenchmarkActivate is the activation of a component whose database exists,
// and of it what the server needs for the same statements.
func BenchmarkActivate(b *testing.B) {
	path := filepath.Join(b.TempDir(), "activated")
	if err := os.Mkdir(path, 0o755); err != nil {
		b.Fatal(err)
	}
	r := &dysnomia.Request{
		Component: path, ComponentName: "activated", Container: "postgresql-database", Properties: properties(),
		Environment: os.Environ(), State: &dysnomia.State{Dir: filepath.Join(b.TempDir(), "state")},
	}
	b.Run("plugin", func(b *testing.B) {
		for b.Loop() {
			if err := (Plugin{}).Activate(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("server", func(b *testing.B) {
		s, err := readSettings(r)
		if err != nil {
			b.Fatal(err)
		}
		account, err := s.account()
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			session, err := s.connect(b.Context(), account)
			if err != nil {
				b.Fatal(err)
			}
			d := &database{name: "activated", session: session, settings: s}
			if err := d.lock(b.Context(), "dysnomia benchmark"); err != nil {
				b.Fatal(err)
			}
			if _, _, err := d.comment(b.Context(), "activated"); err != nil {
				b.Fatal(err)
			}
			if err := session.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
