package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
)

// fragile is a plugin that knows what is locked, may refuse a lock, and in
// whose midst the process may die.
type fragile struct {
	locked  map[string]bool
	changes int
	refuses string // the component that refuses the next lock
	calls   int
	dies    int // the call at which the process dies; 0 means never
}

var errRefused = errors.New("refused")

func (f *fragile) call() {
	f.calls++
	if f.calls == f.dies {
		// As after SIGKILL nothing more is done, but files are closed.
		runtime.Goexit()
	}
}

func (f *fragile) Activate(context.Context, *dysnomia.Request) error {
	f.call()
	f.changes++
	return nil
}

func (f *fragile) Deactivate(context.Context, *dysnomia.Request) error { return nil }

func (f *fragile) Lock(_ context.Context, r *dysnomia.Request) error {
	f.call()
	if r.ComponentName == f.refuses {
		return errRefused
	}
	f.locked[r.ComponentName] = true
	return nil
}

func (f *fragile) Unlock(_ context.Context, r *dysnomia.Request) error {
	f.call()
	delete(f.locked, r.ComponentName)
	return nil
}

// lockModel is what must be true of one target, and several coordinators.
type lockModel struct {
	*service.Local
	plugin *fragile
	holder string   // token of the lock, "original" for one without, empty if there is none
	torn   bool     // a process has died while it notified services
	tokens []string // of all claims that were ever made
}

var servicesOfModel = []string{"a", "b", "c"}

func newLockModel(t *testing.T, dir string) *lockModel {
	t.Setenv("TMPDIR", filepath.Join(dir, "tmp"))
	t.Setenv("NIX_STATE_DIR", filepath.Join(dir, "nix"))
	profiles, err := service.ProfileDir()
	if err != nil {
		t.Fatal(err)
	}
	manifest := `<profilemanifest version="2"><services>`
	for _, name := range servicesOfModel {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		manifest += fmt.Sprintf("<service name=%q><name>%s</name><pkg>%s</pkg><type>fragile</type></service>", name, name, path)
	}
	manifest += "</services><serviceMappings>"
	for _, name := range servicesOfModel {
		manifest += fmt.Sprintf("<mapping><service>%s</service><container>box</container></mapping>", name)
	}
	manifest += "</serviceMappings></profilemanifest>"
	for _, d := range []string{os.Getenv("TMPDIR"), filepath.Join(profiles, "default")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(profiles, "default", "profilemanifest.xml"), []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	plugin := &fragile{locked: make(map[string]bool)}
	host, err := dysnomia.NewHost([]string{"DYSNOMIA_STATEDIR=" + filepath.Join(dir, "state")}, map[string]dysnomia.Plugin{"fragile": plugin})
	if err != nil {
		t.Fatal(err)
	}
	return &lockModel{Local: service.NewLocal(host, service.LocalConfig{Link: true}), plugin: plugin}
}

// as returns the target with the claim of a token.
func (m *lockModel) as(token string) service.Service {
	return service.Claimed(m.Local, service.Claim{Token: token, Profile: "default"})
}

// do runs an operation, and reports whether the process has died in it.
func (m *lockModel) do(dies int, operation func() error) (err error, died bool) {
	m.plugin.calls, m.plugin.dies = 0, dies
	ended := make(chan struct{})
	died = true
	go func() {
		defer close(ended)
		err = operation()
		died = false
	}()
	<-ended
	return err, died
}

func (m *lockModel) wantRefused(t *rapid.T, err error) {
	var lost *service.LostLockError
	switch {
	case !errors.As(err, &lost):
		t.Fatalf("whoever has no lock is answered %v", err)
	case m.holder == "" && lost.Holder != nil, m.holder != "" && (lost.Holder == nil || lost.Holder.Token != m.tokenOfHolder()):
		t.Fatalf("the lock is held by %q, but said to be held by %+v", m.holder, lost.Holder)
	}
}

func (m *lockModel) tokenOfHolder() string {
	if m.holder == "original" {
		return ""
	}
	return m.holder
}

// TestLockProtocol lets coordinators and the original's programs lock, unlock,
// change, force and die at random. At any time only the holder of the lock can
// change anything, everybody else is told who that is, and services that were
// notified of a lock are notified of its release.
func TestLockProtocol(t *testing.T) {
	path := filepath.Join
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			r.Fatal(err)
		}
		m := newLockModel(t, dir)
		lockFile := path(dir, "tmp", "disnix-default.lock")
		dies := rapid.IntRange(0, 4)
		anyToken := func(r *rapid.T) string {
			if len(m.tokens) == 0 {
				r.Skip("nobody was there yet")
			}
			return rapid.SampledFrom(m.tokens).Draw(r, "token")
		}
		r.Repeat(map[string]func(*rapid.T){
			"lock": func(r *rapid.T) {
				token := fmt.Sprintf("token %d", len(m.tokens))
				m.tokens = append(m.tokens, token)
				m.plugin.refuses = rapid.SampledFrom([]string{"", "", "a", "c"}).Draw(r, "refuses")
				err, died := m.do(dies.Draw(r, "dies"), func() error { return m.as(token).Lock(context.Background(), "default") })
				var locked *service.LockedError
				switch {
				case m.holder != "":
					if !errors.As(err, &locked) || locked.Holder.Token != m.tokenOfHolder() || locked.Interrupted {
						r.Fatalf("the lock of %q is refused with %v", m.holder, err)
					}
				case died:
					m.holder, m.torn = token, true
				case err == nil:
					m.holder = token
				case !errors.Is(err, errRefused):
					r.Fatalf("lock: %v", err)
				}
			},
			"unlock": func(r *rapid.T) {
				token := anyToken(r)
				err, died := m.do(dies.Draw(r, "dies"), func() error { return m.as(token).Unlock(context.Background(), "default") })
				switch {
				case token != m.holder:
					m.wantRefused(r, err)
				case died:
					m.torn = true
				case err != nil:
					r.Fatalf("unlock: %v", err)
				default:
					m.holder, m.torn = "", false
				}
			},
			"unlock by anybody": func(r *rapid.T) {
				err, _ := m.do(0, func() error { return m.Unlock(context.Background(), "default") })
				if m.holder == "" && !errors.Is(err, service.ErrNotLocked) || m.holder != "" && err != nil {
					r.Fatalf("unlock: %v", err)
				}
				m.holder, m.torn = "", false
			},
			"change": func(r *rapid.T) {
				token := anyToken(r)
				before := m.plugin.changes
				err, died := m.do(rapid.IntRange(0, 1).Draw(r, "dies"), func() error {
					return m.as(token).Activate(context.Background(), service.Activity{Component: path(dir, "a"), Container: "box", Type: "fragile"})
				})
				switch {
				case token != m.holder:
					m.wantRefused(r, err)
					if m.plugin.changes != before || died {
						r.Fatal("whoever has no lock has changed something")
					}
				case !died && (err != nil || m.plugin.changes != before+1):
					r.Fatalf("the holder of the lock cannot change anything: %v", err)
				}
			},
			"lock by the original": func(r *rapid.T) {
				file, err := os.OpenFile(lockFile, os.O_CREATE|os.O_EXCL, 0o600)
				if (err == nil) != (m.holder == "") {
					r.Fatalf("the lock file: %v", err)
				}
				if err == nil {
					_ = file.Close()
					m.holder = "original"
					for _, name := range servicesOfModel {
						m.plugin.locked[name] = true
					}
				}
			},
			"": func(r *rapid.T) {
				switch want := len(servicesOfModel); {
				case m.holder == "" && len(m.plugin.locked) != 0:
					r.Fatalf("nobody holds the lock, but %v are locked", m.plugin.locked)
				case m.holder != "" && !m.torn && len(m.plugin.locked) != want:
					r.Fatalf("only %v are locked", m.plugin.locked)
				}
				if _, err := os.Lstat(lockFile); (err == nil) != (m.holder != "") {
					r.Fatalf("the lock file: %v", err)
				}
			},
		})
	})
}
