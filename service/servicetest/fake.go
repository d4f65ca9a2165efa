package servicetest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/closure"
)

// Fake is a target in memory, for tests of what uses the contract. Its zero
// value is an empty target. It may be used from several goroutines.
type Fake struct {
	// Hook, if not nil, is called before each operation. It may wait, for
	// example until ctx is cancelled, or return an error to make the
	// operation fail without effect.
	Hook func(ctx context.Context, call Call) error

	mu        sync.Mutex
	calls     []Call
	valid     map[string]bool
	profiles  map[string]string
	installed map[string][]byte
	locked    map[string]bool
	holders   map[string]service.LockHolder // of the locked profiles
	active    map[string]bool
	snapshots []string // container/component/id, oldest first
}

// Call is one operation that a [Fake] was asked for.
type Call struct {
	// Operation is the name in the client-interface contract, for example
	// activate or print-invalid.
	Operation string
	// Activity is set for activities.
	Activity service.Activity
	// Words are the other arguments.
	Words []string
}

// String shows the call on one line.
func (c Call) String() string {
	if c.Activity.Component == "" {
		return fmt.Sprint(c.Operation, c.Words)
	}
	return fmt.Sprintf("%s[%s %s]", c.Operation, c.Activity.Container, c.Activity.Component)
}

var _ service.Service = (*Fake)(nil)

// Calls returns what the target was asked for, in order of arrival.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Active returns the active components as container/path, sorted.
func (f *Fake) Active() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return sortedKeys(f.active)
}

// Locked returns the names of the locked profiles, sorted.
func (f *Fake) Locked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return sortedKeys(f.locked)
}

// Profile returns the path that a profile is set to, or nothing.
func (f *Fake) Profile(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.profiles[name]
}

// AddValid makes paths valid in the target's store.
func (f *Fake) AddValid(paths ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range paths {
		set(&f.valid, path)
	}
}

// AddInstalled says what QueryInstalled answers for a profile.
func (f *Fake) AddInstalled(profile string, manifest []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.installed == nil {
		f.installed = make(map[string][]byte)
	}
	f.installed[profile] = manifest
}

// AddSnapshots stores snapshots (container/component/id), oldest first.
func (f *Fake) AddSnapshots(snapshots ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.snapshots = append(f.snapshots, snapshots...)
}

// RemoveSnapshots forgets all snapshots.
func (f *Fake) RemoveSnapshots() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.snapshots = nil
}

// begin records a call, asks the hook, and locks the fake if the operation
// shall take effect.
func (f *Fake) begin(ctx context.Context, call Call) error {
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.mu.Unlock()
	if f.Hook != nil {
		if err := f.Hook(ctx, call); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	return nil
}

func (f *Fake) PrintInvalid(ctx context.Context, paths []string) ([]string, error) {
	if err := f.begin(ctx, Call{Operation: "print-invalid", Words: paths}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return f.valid[p] }), nil
}

// QueryRequisites answers with the paths themselves: they have no
// dependencies here.
func (f *Fake) QueryRequisites(ctx context.Context, paths []string) ([]string, error) {
	if err := f.begin(ctx, Call{Operation: "query-requisites", Words: paths}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return slices.Clone(paths), nil
}

// ImportClosure makes the paths of the stream valid.
func (f *Fake) ImportClosure(ctx context.Context, stream io.Reader) ([]string, error) {
	if err := f.begin(ctx, Call{Operation: "import"}); err != nil {
		return nil, err
	}
	f.mu.Unlock() // the stream may come from another operation on this fake
	paths, err := closure.Paths(stream)
	if err != nil {
		return nil, err
	}
	f.AddValid(paths...)
	return paths, nil
}

// ExportClosure writes every path as an empty file. The paths must have been
// made valid before, see [Fake.AddValid].
func (f *Fake) ExportClosure(ctx context.Context, paths []string, stream io.Writer) error {
	if err := f.begin(ctx, Call{Operation: "export", Words: paths}); err != nil {
		return err
	}
	for _, path := range paths {
		if !f.valid[path] {
			f.mu.Unlock()
			return fmt.Errorf("export %s: the path is not valid", path)
		}
	}
	f.mu.Unlock()
	return writeStream(stream, paths)
}

func (f *Fake) Realise(ctx context.Context, derivations []string) ([]string, error) {
	if err := f.begin(ctx, Call{Operation: "realise", Words: derivations}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return slices.Clone(derivations), nil
}

func (f *Fake) CollectGarbage(ctx context.Context, deleteOld bool) error {
	return f.simple(ctx, Call{Operation: "collect-garbage", Words: []string{fmt.Sprint(deleteOld)}}, func() error { return nil })
}

func (f *Fake) SetProfile(ctx context.Context, profile, path string) error {
	return f.claimed(ctx, profile, Call{Operation: "set", Words: []string{profile, path}}, func() error {
		if f.profiles == nil {
			f.profiles = make(map[string]string)
		}
		f.profiles[profile] = path
		return nil
	})
}

func (f *Fake) QueryInstalled(ctx context.Context, profile string) ([]byte, error) {
	if err := f.begin(ctx, Call{Operation: "query-installed", Words: []string{profile}}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return f.installed[profile], nil
}

func (f *Fake) Lock(ctx context.Context, profile string) error {
	return f.simple(ctx, Call{Operation: "lock", Words: []string{profile}}, func() error {
		if f.locked[profile] {
			return &service.LockedError{Profile: profile, Holder: f.holders[profile]}
		}
		set(&f.locked, profile)
		if f.holders == nil {
			f.holders = make(map[string]service.LockHolder)
		}
		claim, _ := service.ClaimOf(ctx)
		f.holders[profile] = service.LockHolder{User: "somebody", Since: time.Now(), Token: claim.Token, Owner: claim.Owner}
		return nil
	})
}

func (f *Fake) Unlock(ctx context.Context, profile string) error {
	return f.claimed(ctx, profile, Call{Operation: "unlock", Words: []string{profile}}, func() error {
		if !f.locked[profile] {
			return service.ErrNotLocked
		}
		delete(f.locked, profile)
		return nil
	})
}

func (f *Fake) Activate(ctx context.Context, a service.Activity) error {
	return f.claimed(ctx, "", Call{Operation: "activate", Activity: a}, func() error {
		set(&f.active, a.Container+"/"+a.Component)
		return nil
	})
}

func (f *Fake) Deactivate(ctx context.Context, a service.Activity) error {
	return f.claimed(ctx, "", Call{Operation: "deactivate", Activity: a}, func() error {
		delete(f.active, a.Container+"/"+a.Component)
		return nil
	})
}

func (f *Fake) Snapshot(ctx context.Context, a service.Activity) error {
	return f.claimed(ctx, "", Call{Operation: "snapshot", Activity: a}, func() error { return nil })
}

func (f *Fake) Restore(ctx context.Context, a service.Activity) error {
	return f.claimed(ctx, "", Call{Operation: "restore", Activity: a}, func() error { return nil })
}

func (f *Fake) DeleteState(ctx context.Context, a service.Activity) error {
	return f.claimed(ctx, "", Call{Operation: "delete-state", Activity: a}, func() error { return nil })
}

func (f *Fake) Shell(ctx context.Context, a service.Activity, s service.ShellSession) error {
	return f.simple(ctx, Call{Operation: "shell", Activity: a, Words: []string{s.Command}}, func() error { return nil })
}

func (f *Fake) QueryAllSnapshots(ctx context.Context, container, component string) ([]string, error) {
	if err := f.begin(ctx, Call{Operation: "query-all-snapshots", Words: []string{container, component}}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return f.matching(container, component), nil
}

func (f *Fake) QueryLatestSnapshot(ctx context.Context, container, component string) ([]string, error) {
	if err := f.begin(ctx, Call{Operation: "query-latest-snapshot", Words: []string{container, component}}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	latest := make(map[string]string)
	var order []string
	for _, s := range f.matching(container, component) {
		owner := ownerOf(s)
		if _, ok := latest[owner]; !ok {
			order = append(order, owner)
		}
		latest[owner] = s
	}
	result := make([]string, len(order))
	for i, owner := range order {
		result[i] = latest[owner]
	}
	return result, nil
}

func (f *Fake) PrintMissingSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	if err := f.begin(ctx, Call{Operation: "print-missing-snapshots", Words: snapshots}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(snapshots), func(s string) bool {
		return slices.Contains(f.snapshots, s)
	}), nil
}

func (f *Fake) ResolveSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	if err := f.begin(ctx, Call{Operation: "resolve-snapshots", Words: snapshots}); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	paths := make([]string, len(snapshots))
	for i, s := range snapshots {
		paths[i] = snapshotRoot + s
	}
	return paths, nil
}

func (f *Fake) ImportSnapshot(ctx context.Context, container, component, id string, archive io.Reader) error {
	return f.claimed(ctx, "", Call{Operation: "import-snapshots", Words: []string{container, component, id}}, func() error {
		if _, err := io.Copy(io.Discard, archive); err != nil {
			return err
		}
		f.snapshots = append(f.snapshots, container+"/"+component+"/"+id)
		return nil
	})
}

func (f *Fake) RegisterSnapshots(ctx context.Context, container, component string, paths []string) error {
	words := append([]string{container, component}, paths...)
	return f.claimed(ctx, "", Call{Operation: "register-snapshots", Words: words}, func() error {
		for _, path := range paths {
			f.snapshots = append(f.snapshots, path[len(snapshotRoot):])
		}
		return nil
	})
}

// ExportSnapshot writes the path instead of an archive.
func (f *Fake) ExportSnapshot(ctx context.Context, path string, archive io.Writer) error {
	return f.simple(ctx, Call{Operation: "export-snapshots", Words: []string{path}}, func() error {
		_, err := io.WriteString(archive, path)
		return err
	})
}

func (f *Fake) CleanSnapshots(ctx context.Context, keep int, container, component string) error {
	return f.claimed(ctx, "", Call{Operation: "clean-snapshots", Words: []string{fmt.Sprint(keep), container, component}}, func() error { return nil })
}

func (f *Fake) CaptureConfig(ctx context.Context) (string, error) {
	if err := f.begin(ctx, Call{Operation: "capture-config"}); err != nil {
		return "", err
	}
	defer f.mu.Unlock()
	return "{\n}", nil
}

// Close does nothing.
func (f *Fake) Close() error { return nil }

// simple runs an operation whose only result is success.
func (f *Fake) simple(ctx context.Context, call Call, effect func() error) error {
	if err := f.begin(ctx, call); err != nil {
		return err
	}
	defer f.mu.Unlock()
	return effect()
}

// claimed is simple for a change, which needs the lock that ctx claims: that of
// the profile, or else the one that the claim names.
func (f *Fake) claimed(ctx context.Context, profile string, call Call, effect func() error) error {
	return f.simple(ctx, call, func() error {
		claim, ok := service.ClaimOf(ctx)
		profile := cmp.Or(profile, claim.Profile)
		holder := f.holders[profile]
		switch {
		case ok && !f.locked[profile]:
			return &service.LostLockError{Profile: profile}
		case ok && holder.Token != claim.Token:
			return &service.LostLockError{Profile: profile, Holder: &holder}
		default:
			return effect()
		}
	})
}
