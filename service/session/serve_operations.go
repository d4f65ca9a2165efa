package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/disnix-go/disnix/service"
)

// handler is what the target does for a request.
type handler struct {
	words int // how many scalar arguments it has
	run   func(*task, service.Service, message) ([]string, error)
}

// finishes tells of which operations the end is known, also to others than the
// coordinator that asked: those that change what is deployed, and need nothing
// more from it. They are completed when the connection is lost. Everything else
// can be asked for again without harm, and is cancelled.
var finishes = map[string]bool{
	"set": true, "lock": true, "unlock": true,
	"activate": true, "deactivate": true, "snapshot": true, "restore": true, "delete-state": true,
	"register-snapshots": true, "clean-snapshots": true,
}

var handlers = map[string]handler{
	"print-invalid":    {0, list(service.Service.PrintInvalid)},
	"query-requisites": {0, list(service.Service.QueryRequisites)},
	"realise":          {0, list(service.Service.Realise)},
	"import": {0, func(t *task, s service.Service, _ message) ([]string, error) {
		return s.ImportClosure(t.ctx, &taskReader{task: t})
	}},
	"export": {0, func(t *task, s service.Service, m message) ([]string, error) {
		return nil, s.ExportClosure(t.ctx, m.list, taskWriter{t, kindOutput})
	}},
	"collect-garbage": {1, func(t *task, s service.Service, m message) ([]string, error) {
		return nil, s.CollectGarbage(t.ctx, m.flag(0))
	}},

	"set": {2, func(t *task, s service.Service, m message) ([]string, error) {
		return nil, s.SetProfile(t.ctx, m.words[0], m.words[1])
	}},
	"query-installed": {1, func(t *task, s service.Service, m message) ([]string, error) {
		manifest, err := s.QueryInstalled(t.ctx, m.words[0])
		return []string{string(manifest)}, err
	}},
	"lock": {1, func(t *task, s service.Service, m message) ([]string, error) {
		return nil, s.Lock(t.ctx, m.words[0])
	}},
	"unlock": {1, func(t *task, s service.Service, m message) ([]string, error) {
		return nil, s.Unlock(t.ctx, m.words[0])
	}},

	"activate":     {5, activity(service.Service.Activate)},
	"deactivate":   {5, activity(service.Service.Deactivate)},
	"snapshot":     {5, activity(service.Service.Snapshot)},
	"restore":      {5, activity(service.Service.Restore)},
	"delete-state": {5, activity(service.Service.DeleteState)},
	"shell":        {6, shell},

	"query-all-snapshots":     {2, snapshots(service.Service.QueryAllSnapshots)},
	"query-latest-snapshot":   {2, snapshots(service.Service.QueryLatestSnapshot)},
	"print-missing-snapshots": {0, list(service.Service.PrintMissingSnapshots)},
	"resolve-snapshots":       {0, list(service.Service.ResolveSnapshots)},
	"import-snapshot": {3, func(t *task, s service.Service, m message) ([]string, error) {
		return nil, s.ImportSnapshot(t.ctx, m.words[0], m.words[1], m.words[2], &taskReader{task: t})
	}},
	"register-snapshots": {2, func(t *task, s service.Service, m message) ([]string, error) {
		return nil, s.RegisterSnapshots(t.ctx, m.words[0], m.words[1], m.list)
	}},
	"export-snapshot": {1, func(t *task, s service.Service, m message) ([]string, error) {
		return nil, s.ExportSnapshot(t.ctx, m.words[0], taskWriter{t, kindOutput})
	}},
	"clean-snapshots": {3, func(t *task, s service.Service, m message) ([]string, error) {
		keep, err := strconv.Atoi(m.words[0])
		if err != nil {
			return nil, fmt.Errorf("%w: %q is not a number of generations", ErrProtocol, m.words[0])
		}
		return nil, s.CleanSnapshots(t.ctx, keep, m.words[1], m.words[2])
	}},

	"capture-config": {0, func(t *task, s service.Service, _ message) ([]string, error) {
		expression, err := s.CaptureConfig(t.ctx)
		return []string{expression}, err
	}},
}

// execute does what a request asks for.
func (t *task) execute(s service.Service, request message) ([]string, error) {
	h, ok := handlers[request.name]
	if !ok {
		return nil, fmt.Errorf("%w: the operation %q is unknown", ErrProtocol, request.name)
	}
	if len(request.words) != h.words {
		return nil, fmt.Errorf("%w: %s with %d arguments", ErrProtocol, request.name, len(request.words))
	}
	var err error
	if t.ctx, err = service.WithEncodedClaim(t.ctx, request.claim); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return h.run(t, s, request)
}

// flag returns the argument as a truth value.
func (m message) flag(i int) bool { return m.words[i] == "true" }

// list returns an operation from strings to strings.
func list(query func(service.Service, context.Context, []string) ([]string, error)) func(*task, service.Service, message) ([]string, error) {
	return func(t *task, s service.Service, m message) ([]string, error) { return query(s, t.ctx, m.list) }
}

// snapshots returns an operation from a container and a component to strings.
func snapshots(query func(service.Service, context.Context, string, string) ([]string, error)) func(*task, service.Service, message) ([]string, error) {
	return func(t *task, s service.Service, m message) ([]string, error) {
		return query(s, t.ctx, m.words[0], m.words[1])
	}
}

// activity returns an operation that runs a plugin.
func activity(run func(service.Service, context.Context, service.Activity) error) func(*task, service.Service, message) ([]string, error) {
	return func(t *task, s service.Service, m message) ([]string, error) {
		a := m.activity()
		if m.flag(3) {
			a.Output = taskWriter{t, kindOutput}
		}
		if m.flag(4) {
			a.Diagnostics = taskWriter{t, kindErrors}
		}
		return nil, run(s, t.ctx, a)
	}
}

func (m message) activity() service.Activity {
	return service.Activity{Component: m.words[0], Container: m.words[1], Type: m.words[2], Arguments: m.list}
}

// shell gives its input to the shell through a pipe, because otherwise the end
// of the shell would not be seen before the next input comes.
func shell(t *task, s service.Service, m message) (_ []string, err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open a pipe to the shell: %w", err)
	}
	defer func() { err = errors.Join(err, read.Close()) }()
	go func() {
		_, _ = io.Copy(write, &taskReader{task: t}) // fails when the shell ends first
		_ = write.Close()
	}()
	return nil, s.Shell(t.ctx, m.activity(), service.ShellSession{
		Command: m.words[5],
		Stdin:   read, Stdout: taskWriter{t, kindOutput}, Stderr: taskWriter{t, kindErrors},
	})
}
