package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/test/nixtest"
)

// target is this machine with directories of its own.
type target struct {
	*service.Local
	root string
	log  *bytes.Buffer
}

// newTarget returns a machine whose module "recorder" appends to root/calls
// what it is asked, and fails if root/refuse contains the word
// <operation>-<component name>.
func newTarget(t *testing.T, config service.LocalConfig) *target {
	t.Helper()
	root := nixtest.Store(t)
	recorder := nixtest.File(t, root, "modules/recorder", fmt.Sprintf(`#!/bin/sh
root=%s
name=$(basename "$2" | cut -c34-)
echo "$1 $name in $3${secret:+ with $secret}" >> "$root/calls"
echo "$1 of $name"
echo "the reason of $name" >&2
! grep -qx -- "$1-$name" "$root/refuse" 2>/dev/null
`, root))
	if err := os.Chmod(recorder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DYSNOMIA_MODULES_PATH", filepath.Dir(recorder))
	host, err := dysnomia.NewHost(os.Environ(), nil)
	if err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	config.Log = log
	return &target{service.NewLocal(host, config), root, log}
}

// calls returns what the recorder was asked since the last time.
func (m *target) calls(t *testing.T) []string {
	t.Helper()
	path := filepath.Join(m.root, "calls")
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	_ = os.Remove(path)
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

func (m *target) refuse(t *testing.T, what ...string) {
	t.Helper()
	nixtest.File(t, m.root, "refuse", strings.Join(what, "\n")+"\n")
}

// deploy sets the profile to one with this profile manifest.
func (m *target) deploy(t *testing.T, profile, manifest string) {
	t.Helper()
	dir := t.TempDir()
	nixtest.File(t, dir, "node/profilemanifest.xml", manifest)
	if err := m.SetProfile(t.Context(), profile, addPath(t, filepath.Join(dir, "node"))); err != nil {
		t.Fatal(err)
	}
}

// threeServices deploys a, b and c to the recorder.
func (m *target) threeServices(t *testing.T, profile string) {
	t.Helper()
	var services, mappings strings.Builder
	for _, name := range []string{"c", "a", "b"} {
		fmt.Fprintf(&services, "<service name=%q><name>%s</name><pkg>%s</pkg><type>recorder</type></service>", "key-"+name, name, addFile(t, name, name))
		fmt.Fprintf(&mappings, "<mapping><service>key-%s</service><container>box</container></mapping>", name)
	}
	m.deploy(t, profile, fmt.Sprintf(`<profilemanifest version="2"><services>%s</services><serviceMappings>%s</serviceMappings></profilemanifest>`, &services, &mappings))
}

func lockPath(profile string) string {
	return filepath.Join(os.TempDir(), "disnix-"+profile+".lock")
}

func isLocked(t *testing.T, profile string) bool {
	t.Helper()
	_, err := os.Lstat(lockPath(profile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), ".disnix-lock-*"))
	if len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	return err == nil
}

func TestLockNotifiesServices(t *testing.T) {
	m := newTarget(t, service.LocalConfig{Purpose: "a test"})
	m.threeServices(t, "default")
	if err := m.Lock(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	if got, want := m.calls(t), []string{"lock a in box", "lock b in box", "lock c in box"}; !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	if !strings.Contains(m.log.String(), "Notifying lock on "+addFile(t, "a", "a")+": of type: recorder in container: box\nlock of a\nthe reason of a\n") &&
		!strings.Contains(m.log.String(), "the reason of a\nlock of a\n") {
		t.Errorf("log:\n%s", m.log)
	}
	info, err := os.Stat(lockPath("default"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("lock file: %v %v", info, err)
	}
	var holder service.LockHolder
	content, _ := os.ReadFile(lockPath("default"))
	if err := json.Unmarshal(content, &holder); err != nil {
		t.Fatalf("%s: %v", content, err)
	}
	host, _ := os.Hostname()
	if holder.User == "" || holder.Host != host || holder.PID != 0 || holder.BootID == "" || holder.Purpose != "a test" || time.Since(holder.Since) > time.Hour {
		t.Errorf("holder %+v", holder)
	}

	if err := m.Unlock(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	if got, want := m.calls(t), []string{"unlock a in box", "unlock b in box", "unlock c in box"}; !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	if isLocked(t, "default") {
		t.Error("still locked")
	}
}

func TestLockIsHeld(t *testing.T) {
	for _, edge := range []string{
		"protocol 5: services are not notified if the lock is held by somebody else",
		"observed 10: services that were notified of a lock are notified of the unlock",
	} {
		t.Run(edge, func(t *testing.T) {
			m := newTarget(t, service.LocalConfig{Purpose: "disnix-env"})
			m.threeServices(t, "default")
			if err := m.Lock(t.Context(), "default"); err != nil {
				t.Fatal(err)
			}
			m.calls(t)
			err := m.Lock(t.Context(), "default")
			var locked *service.LockedError
			if !errors.As(err, &locked) || locked.Profile != "default" || locked.Holder.Purpose != "disnix-env" {
				t.Fatalf("error %v", err)
			}
			for _, part := range []string{locked.Holder.User, "disnix-env", "since 2", "disnix-lock --unlock", "disnix-run-activity --unlock --profile 'default'"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
			if got := m.calls(t); !slices.Equal(got, []string{""}) {
				t.Errorf("calls %q", got)
			}
			if !isLocked(t, "default") {
				t.Error("the lock is gone")
			}
		})
	}
}

func TestUnlockAfterUpgrade(t *testing.T) {
	t.Run("transition 12: services that were locked are notified of the unlock, whether they are still deployed or not", func(t *testing.T) {
		m := newTarget(t, service.LocalConfig{})
		m.threeServices(t, "default")
		if err := m.Lock(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		m.calls(t)
		m.deploy(t, "default", `<profilemanifest version="2"/>`)
		if err := m.Unlock(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		if got, want := m.calls(t), []string{"unlock a in box", "unlock b in box", "unlock c in box"}; !slices.Equal(got, want) {
			t.Errorf("calls %q, want %q", got, want)
		}
	})
}

// TestLockAfterChange changes what is deployed between the first look at it and
// the lock: the manifest is a pipe, and another one when that has been read.
func TestLockAfterChange(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	m.threeServices(t, "other")
	three, err := m.QueryInstalled(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := service.ProfileDir()
	if err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "default", "profilemanifest.xml")
	if err := os.Mkdir(filepath.Dir(pipe), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	// Whoever reads the manifest for the first time finds another one then.
	next := nixtest.File(t, m.root, "next", `<profilemanifest version="2"/>`)
	replaced := make(chan error, 1)
	go func() {
		replaced <- func() error {
			writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = writer.Write(three)
			return errors.Join(os.Rename(next, pipe), err, writer.Close())
		}()
	}()
	if err := m.Lock(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	if err := <-replaced; err != nil {
		t.Fatal(err)
	}
	if got := m.calls(t); !slices.Equal(got, []string{""}) {
		t.Errorf("services that are not deployed any more are notified: %q", got)
	}
	if err := m.Unlock(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	if got := m.calls(t); !slices.Equal(got, []string{""}) {
		t.Errorf("services that were not locked are notified: %q", got)
	}
}

func TestUnlockOfForeignLocks(t *testing.T) {
	content := `{"user": "root", "since": "2026-01-02T03:04:05Z", "services": [{"component": "/evil", "container": "box", "module": "/evil"}]}`
	for name, create := range map[string]func(t *testing.T){
		"the original's, which is empty": func(t *testing.T) {
			nixtest.File(t, os.TempDir(), "disnix-default.lock", "")
		},
		"one that another user has made up": func(t *testing.T) {
			path := nixtest.File(t, os.TempDir(), "disnix-default.lock", content)
			if err := os.Chown(path, 12345, -1); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newTarget(t, service.LocalConfig{})
			m.threeServices(t, "default")
			create(t)
			if err := m.Unlock(t.Context(), "default"); err != nil {
				t.Fatal(err)
			}
			if got, want := m.calls(t), []string{"unlock a in box", "unlock b in box", "unlock c in box"}; !slices.Equal(got, want) {
				t.Errorf("calls %q, want %q", got, want)
			}
			if isLocked(t, "default") {
				t.Error("still locked")
			}
		})
	}
}

// TestUnlockAfterTakeOver: who has lost its lock must not release that of
// whoever has it now.
func TestUnlockAfterTakeOver(t *testing.T) {
	m := newTarget(t, service.LocalConfig{OwnLocks: true})
	if err := m.Lock(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(lockPath("default")); err != nil {
		t.Fatal(err)
	}
	other := holderProcess(t)
	err := m.Unlock(t.Context(), "default")
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d", other.Process.Pid)) {
		t.Errorf("error %v", err)
	}
	if !isLocked(t, "default") {
		t.Error("the other's lock is released")
	}
}

func TestUnlockWithoutLock(t *testing.T) {
	t.Run("observed 11: services are not notified of an unlock without a lock", func(t *testing.T) {
		m := newTarget(t, service.LocalConfig{})
		m.threeServices(t, "default")
		if err := m.Unlock(t.Context(), "default"); !errors.Is(err, service.ErrNotLocked) {
			t.Errorf("error %v", err)
		}
		if got := m.calls(t); !slices.Equal(got, []string{""}) {
			t.Errorf("calls %q", got)
		}
	})
}

func TestServiceRefusesLock(t *testing.T) {
	for _, edge := range []string{
		"protocol 5: only services that were locked are unlocked",
		"observed 10: no service stays locked",
	} {
		t.Run(edge, func(t *testing.T) {
			m := newTarget(t, service.LocalConfig{})
			m.threeServices(t, "default")
			m.refuse(t, "lock-a", "lock-b")
			err := m.Lock(t.Context(), "default")
			if err == nil || !strings.Contains(err.Error(), "-a of lock") || !strings.Contains(err.Error(), "-b of lock") {
				t.Errorf("error %v", err)
			}
			if got, want := m.calls(t), []string{"lock a in box", "lock b in box", "lock c in box", "unlock c in box"}; !slices.Equal(got, want) {
				t.Errorf("calls %q, want %q", got, want)
			}
			if isLocked(t, "default") {
				t.Error("locked")
			}
		})
	}
}

func TestServiceObjectsToUnlock(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	m.threeServices(t, "default")
	m.refuse(t, "unlock-a")
	if err := m.Lock(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	m.calls(t)
	if err := m.Unlock(t.Context(), "default"); err == nil || !strings.Contains(err.Error(), "-a of unlock") {
		t.Errorf("error %v", err)
	}
	if got := m.calls(t); len(got) != 3 {
		t.Errorf("calls %q", got)
	}
	if isLocked(t, "default") {
		t.Error("still locked")
	}
}

func TestLockOfCorruptProfile(t *testing.T) {
	const service1 = `<service name="k"><name>x</name><pkg>/nix/store/x</pkg><type>recorder</type></service>`
	for name, tt := range map[string]struct{ manifest, want string }{
		"not XML":          {"<profilemanifest", "profilemanifest.xml"},
		"not XML, advised": {"<profilemanifest", "disnix/default --rollback' on that machine"},
		"dangling service": {`<profilemanifest version="2"><services/><serviceMappings><mapping><service>gone</service><container>box</container></mapping></serviceMappings></profilemanifest>`,
			`there is no service "gone"`},
		"protocol 6: missing provider of the container": {`<profilemanifest version="2"><services>` + service1 +
			`</services><serviceMappings><mapping><service>k</service><container>box</container><containerProvidedByService>gone</containerProvidedByService></mapping></serviceMappings></profilemanifest>`,
			`service "x": there is no service "gone", which shall provide its container "box"`},
	} {
		t.Run(name, func(t *testing.T) {
			m := newTarget(t, service.LocalConfig{})
			m.deploy(t, "default", tt.manifest)
			if err := m.Lock(t.Context(), "default"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("lock: %v", err)
			}
			if isLocked(t, "default") {
				t.Error("locked")
			}
			nixtest.File(t, os.TempDir(), "disnix-default.lock", "")
			if err := m.Unlock(t.Context(), "default"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("unlock: %v", err)
			}
			if isLocked(t, "default") {
				t.Error("still locked")
			}
		})
	}
}

func TestLockUsesProvidedModule(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	dir := t.TempDir()
	if err := os.Chmod(nixtest.File(t, dir, "provider/libexec/dysnomia/provided", fmt.Sprintf("#!/bin/sh\necho \"$1 by the provider in $3\" >> %s/calls\n", m.root)), 0o755); err != nil {
		t.Fatal(err)
	}
	provider, consumer := addPath(t, filepath.Join(dir, "provider")), addFile(t, "consumer", "")
	m.deploy(t, "default", fmt.Sprintf(`<profilemanifest version="2"><services>
		<service name="p"><name>provider</name><pkg>%s</pkg><type>recorder</type></service>
		<service name="c"><name>consumer</name><pkg>%s</pkg><type>whatever</type></service></services>
		<serviceMappings><mapping><service>c</service><container>provided</container><containerProvidedByService>p</containerProvidedByService></mapping></serviceMappings></profilemanifest>`, provider, consumer))
	if err := m.Lock(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	if got := m.calls(t); !slices.Equal(got, []string{"lock by the provider in provided"}) {
		t.Errorf("calls %q", got)
	}
}

func TestCancelledLockLeavesNothing(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	m.threeServices(t, "default")
	// A service whose lock cancels the context, as an interrupt would.
	ctx, cancel := context.WithCancel(t.Context())
	fifo := filepath.Join(m.root, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	nixtest.File(t, m.root, "modules/recorder", fmt.Sprintf("#!/bin/sh\nname=$(basename \"$2\" | cut -c34-)\necho \"$1 $name in $3\" >> %[1]s/calls\n[ \"$1-$name\" != lock-b ] || { : > %[1]s/fifo; while :; do sleep 1; done; }\n", m.root))
	go func() {
		_, _ = os.ReadFile(fifo)
		cancel()
	}()
	if err := m.Lock(ctx, "default"); err == nil {
		t.Error("a cancelled lock succeeded")
	}
	if got, want := m.calls(t), []string{"lock a in box", "lock b in box", "unlock a in box"}; !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	if isLocked(t, "default") {
		t.Error("locked")
	}
}

func TestOneOfManyGetsTheLock(t *testing.T) {
	m := newTarget(t, service.LocalConfig{OwnLocks: true})
	var won, refused atomic.Int32
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			var locked *service.LockedError
			switch err := m.Lock(t.Context(), "default"); {
			case err == nil:
				won.Add(1)
			case errors.As(err, &locked):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 || refused.Load() != 15 {
		t.Errorf("%d got the lock, %d were refused", won.Load(), refused.Load())
	}
}

func TestLocksOfProfilesAreIndependent(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	for _, profile := range []string{"default", "default@one", "other"} {
		if err := m.Lock(t.Context(), profile); err != nil {
			t.Error(err)
		}
	}
	if err := m.Unlock(t.Context(), "other"); err != nil || isLocked(t, "other") || !isLocked(t, "default@one") {
		t.Errorf("unlock: %v", err)
	}
}
