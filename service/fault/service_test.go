package fault_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/fault"
	"github.com/disnix-go/disnix/service/servicetest"
)

// operations calls every operation of a target.
func operations(s service.Service) map[string]func(context.Context) error {
	discard := func(_ any, err error) error { return err }
	return map[string]func(context.Context) error{
		"print-invalid":    func(ctx context.Context) error { return discard(s.PrintInvalid(ctx, nil)) },
		"query-requisites": func(ctx context.Context) error { return discard(s.QueryRequisites(ctx, nil)) },
		"import": func(ctx context.Context) error {
			return discard(s.ImportClosure(ctx, strings.NewReader(strings.Repeat("\x00", 8))))
		},
		"export":          func(ctx context.Context) error { return s.ExportClosure(ctx, nil, io.Discard) },
		"realise":         func(ctx context.Context) error { return discard(s.Realise(ctx, nil)) },
		"collect-garbage": func(ctx context.Context) error { return s.CollectGarbage(ctx, false) },
		"set":             func(ctx context.Context) error { return s.SetProfile(ctx, "default", "path") },
		"query-installed": func(ctx context.Context) error { return discard(s.QueryInstalled(ctx, "default")) },
		"lock":            func(ctx context.Context) error { return s.Lock(ctx, "locking") },
		"unlock": func(ctx context.Context) error {
			return errors.Join(s.Lock(ctx, "unlocking"), s.Unlock(ctx, "unlocking"))
		},
		"activate":                func(ctx context.Context) error { return s.Activate(ctx, service.Activity{}) },
		"deactivate":              func(ctx context.Context) error { return s.Deactivate(ctx, service.Activity{}) },
		"snapshot":                func(ctx context.Context) error { return s.Snapshot(ctx, service.Activity{}) },
		"restore":                 func(ctx context.Context) error { return s.Restore(ctx, service.Activity{}) },
		"delete-state":            func(ctx context.Context) error { return s.DeleteState(ctx, service.Activity{}) },
		"shell":                   func(ctx context.Context) error { return s.Shell(ctx, service.Activity{}, service.ShellSession{}) },
		"query-all-snapshots":     func(ctx context.Context) error { return discard(s.QueryAllSnapshots(ctx, "", "")) },
		"query-latest-snapshot":   func(ctx context.Context) error { return discard(s.QueryLatestSnapshot(ctx, "", "")) },
		"print-missing-snapshots": func(ctx context.Context) error { return discard(s.PrintMissingSnapshots(ctx, nil)) },
		"resolve-snapshots":       func(ctx context.Context) error { return discard(s.ResolveSnapshots(ctx, nil)) },
		"import-snapshots": func(ctx context.Context) error {
			return s.ImportSnapshot(ctx, "c", "k", "1", strings.NewReader(""))
		},
		"register-snapshots": func(ctx context.Context) error { return s.RegisterSnapshots(ctx, "c", "k", nil) },
		"export-snapshots":   func(ctx context.Context) error { return s.ExportSnapshot(ctx, "path", io.Discard) },
		"clean-snapshots":    func(ctx context.Context) error { return s.CleanSnapshots(ctx, 1, "c", "k") },
		"capture-config":     func(ctx context.Context) error { return discard(s.CaptureConfig(ctx)) },
	}
}

func TestEveryOperationPassesItsPoints(t *testing.T) {
	for operation, call := range operations(fault.Service(new(servicetest.Fake))) {
		var passed []string
		restore := fault.Inject(func(point string) error {
			passed = append(passed, point)
			return nil
		})
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
		restore()
		for _, point := range []string{"target/" + operation, "target/" + operation + "/done"} {
			if !slices.Contains(passed, point) {
				t.Errorf("%s does not pass the point %s, only %q", operation, point, passed)
			}
			failing := fault.Inject(func(p string) error {
				if p == point {
					return fault.ErrInjected
				}
				return nil
			})
			fresh := operations(fault.Service(new(servicetest.Fake)))
			if err := fresh[operation](t.Context()); !errors.Is(err, fault.ErrInjected) {
				t.Errorf("%s does not fail at %s: %v", operation, point, err)
			}
			failing()
		}
	}
}
