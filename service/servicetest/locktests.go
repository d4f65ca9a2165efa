package servicetest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/disnix-go/disnix/service"
)

// claim returns a claim to the default profile by somebody on another machine.
func claim(token string) service.Claim {
	return service.Claim{Token: token, Profile: "default", Owner: &service.LockOwner{
		User: "alice", Host: "laptop of " + token, PID: 4711, Purpose: "disnix-env",
	}}
}

// changes are the operations that need the lock which is claimed.
func (m *machine) changes(s service.Service) map[string]func() error {
	ctx := m.Context()
	a := service.Activity{Component: m.add("a", "a"), Container: "box", Type: "recorder"}
	path := m.profile("other", "other")
	return map[string]func() error{
		"activate":           func() error { return s.Activate(ctx, a) },
		"deactivate":         func() error { return s.Deactivate(ctx, a) },
		"snapshot":           func() error { return s.Snapshot(ctx, a) },
		"restore":            func() error { return s.Restore(ctx, a) },
		"delete state":       func() error { return s.DeleteState(ctx, a) },
		"set":                func() error { return s.SetProfile(ctx, "default", path) },
		"import a snapshot":  func() error { return s.ImportSnapshot(ctx, "box", "a", "1", bytes.NewReader(snapshotArchive("x"))) },
		"register snapshots": func() error { return s.RegisterSnapshots(ctx, "box", "a", []string{m.root}) },
		"clean snapshots":    func() error { return s.CleanSnapshots(ctx, 1, "box", "a") },
		"unlock":             func() error { return s.Unlock(ctx, "default") },
	}
}

// wantLost checks that an operation was refused because the lock is lost, and
// that the error knows who has it now.
func (m *machine) wantLost(what string, err error, token string) {
	m.Helper()
	var lost *service.LostLockError
	switch {
	case !errors.As(err, &lost):
		m.Errorf("%s: %v, want a lost lock", what, err)
	case lost.Profile != "default" || (lost.Holder == nil) != (token == ""):
		m.Errorf("%s: %+v", what, lost)
	case token != "" && (lost.Holder.Token != token || lost.Holder.Owner == nil || lost.Holder.Owner.Host != "laptop of "+token):
		m.Errorf("%s: the lock is said to be held by %+v", what, lost.Holder)
	}
}

var lockTests = []conformanceTest{
	{"who holds a lock is told to those who want it", func(m *machine) {
		first, second := service.Claimed(m, claim("first")), service.Claimed(m, claim("second"))
		m.must(first.Lock(m.Context(), "default"))
		err := second.Lock(m.Context(), "default")
		var locked *service.LockedError
		if !errors.As(err, &locked) || locked.Profile != "default" || locked.Holder.Token != "first" ||
			locked.Holder.Owner == nil || *locked.Holder.Owner != *claim("first").Owner || time.Since(locked.Holder.Since).Abs() > time.Hour {
			m.Errorf("error %#v", err)
		}
		m.wantError("lock", err, "alice on laptop of first (disnix-env, process 4711) since ")
		m.wantError("lock without a claim", m.Lock(m.Context(), "default"), "alice on laptop of first (disnix-env, process 4711) since ", "disnix-lock --force")
	}},
	{"whoever has the lock can change everything", func(m *machine) {
		m.deploy("default", "a")
		holder := service.Claimed(m, claim("holder"))
		m.must(holder.Lock(m.Context(), "default"))
		a := service.Activity{Component: m.add("a", "a"), Container: "box", Type: "recorder"}
		m.must(holder.Activate(m.Context(), a))
		m.must(holder.SetProfile(m.Context(), "default", m.profile("other", "other")))
		m.must(holder.CleanSnapshots(m.Context(), 1, "box", "a"))
		m.must(holder.Unlock(m.Context(), "default"))
		m.wantCalls("lock a in box", "activate a in box", "unlock a in box")
	}},
	{"whoever has lost the lock to others can change nothing", func(m *machine) {
		former := service.Claimed(m, claim("former"))
		m.must(former.Lock(m.Context(), "default"))
		m.must(m.Unlock(m.Context(), "default"))
		m.must(service.Claimed(m, claim("present")).Lock(m.Context(), "default"))
		for what, change := range m.changes(former) {
			m.wantLost(what, change(), "present")
		}
		m.wantCalls()
		m.wantGenerations("default")
		m.must(service.Claimed(m, claim("present")).Unlock(m.Context(), "default"))
	}},
	{"whoever has lost the lock to nobody can change nothing", func(m *machine) {
		former := service.Claimed(m, claim("former"))
		for what, change := range m.changes(former) {
			m.wantLost(what, change(), "")
		}
		m.wantCalls()
	}},
	{"what is asked for without a claim is done, as the original's programs ask", func(m *machine) {
		m.must(service.Claimed(m, claim("somebody")).Lock(m.Context(), "default"))
		m.must(m.Activate(m.Context(), service.Activity{Component: m.add("a", "a"), Container: "box", Type: "recorder"}))
		m.wantCalls("activate a in box")
		m.must(m.Unlock(m.Context(), "default"))
	}},
	{"plugins do not inherit the claim", func(m *machine) {
		m.file("modules/inheriting", "#!/bin/sh\n[ -z \"$"+service.ClaimVariable+"\" ]\n")
		m.must(os.Chmod(filepath.Join(m.root, "modules/inheriting"), 0o755))
		holder := service.Claimed(m, claim("holder"))
		m.must(holder.Lock(m.Context(), "default"))
		m.must(holder.Activate(m.Context(), service.Activity{Component: m.add("a", "a"), Container: "box", Type: "inheriting"}))
	}},
	{"a lock is not released before the end of what is under way on its behalf", func(m *machine) {
		m.file("wait", "activate a\n")
		former := service.Claimed(m, claim("former"))
		m.must(former.Lock(m.Context(), "default"))
		activity := service.Activity{Component: m.add("a", "a"), Container: "box", Type: "recorder"}
		ctx, cancel := context.WithCancel(m.Context())
		defer cancel()
		activated, released := make(chan error, 1), make(chan error, 1)
		go func() { activated <- former.Activate(ctx, activity) }()
		stop := make(chan struct{})
		awaitFile(filepath.Join(m.root, "waiting"), stop)
		// Somebody who does not want to wait is not let in.
		impatient, giveUp := context.WithTimeout(m.Context(), 50*time.Millisecond)
		defer giveUp()
		m.wantError("unlock", m.Unlock(impatient, "default"))
		go func() { released <- m.Unlock(m.Context(), "default") }()
		cancel()
		m.wantError("activate", <-activated)
		m.must(<-released)
		m.wantCalls("activate a in box", "stopped")
	}},
}
