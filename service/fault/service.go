package fault

import (
	"context"
	"io"

	"github.com/disnix-go/disnix/service"
)

// Service returns the same target, whose operations pass fault points:
// target/<operation> before the target is asked, and target/<operation>/done
// before its answer is given. The names of the operations are those of the
// client-interface contract.
func Service(s service.Service) service.Service { return target{s} }

type target struct{ service.Service }

func around(operation string, do func() error) error {
	if err := Point("target/" + operation); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return Point("target/" + operation + "/done")
}

func (t target) CaptureConfig(ctx context.Context) (result string, err error) {
	err = around("capture-config", func() error {
		result, err = t.Service.CaptureConfig(ctx)
		return err
	})
	return result, err
}

func (t target) PrintInvalid(ctx context.Context, paths []string) (result []string, err error) {
	err = around("print-invalid", func() error {
		result, err = t.Service.PrintInvalid(ctx, paths)
		return err
	})
	return result, err
}

func (t target) QueryRequisites(ctx context.Context, paths []string) (result []string, err error) {
	err = around("query-requisites", func() error {
		result, err = t.Service.QueryRequisites(ctx, paths)
		return err
	})
	return result, err
}

func (t target) ImportClosure(ctx context.Context, closure io.Reader) (result []string, err error) {
	err = around("import", func() error {
		result, err = t.Service.ImportClosure(ctx, closure)
		return err
	})
	return result, err
}

func (t target) ExportClosure(ctx context.Context, paths []string, closure io.Writer) error {
	return around("export", func() error { return t.Service.ExportClosure(ctx, paths, closure) })
}

func (t target) Realise(ctx context.Context, derivations []string) (result []string, err error) {
	err = around("realise", func() error {
		result, err = t.Service.Realise(ctx, derivations)
		return err
	})
	return result, err
}

func (t target) CollectGarbage(ctx context.Context, deleteOld bool) error {
	return around("collect-garbage", func() error { return t.Service.CollectGarbage(ctx, deleteOld) })
}

func (t target) SetProfile(ctx context.Context, profile, path string) error {
	return around("set", func() error { return t.Service.SetProfile(ctx, profile, path) })
}

func (t target) QueryInstalled(ctx context.Context, profile string) (result []byte, err error) {
	err = around("query-installed", func() error {
		result, err = t.Service.QueryInstalled(ctx, profile)
		return err
	})
	return result, err
}

func (t target) Lock(ctx context.Context, profile string) error {
	return around("lock", func() error { return t.Service.Lock(ctx, profile) })
}

func (t target) Unlock(ctx context.Context, profile string) error {
	return around("unlock", func() error { return t.Service.Unlock(ctx, profile) })
}

func (t target) Activate(ctx context.Context, a service.Activity) error {
	return around("activate", func() error { return t.Service.Activate(ctx, a) })
}

func (t target) Deactivate(ctx context.Context, a service.Activity) error {
	return around("deactivate", func() error { return t.Service.Deactivate(ctx, a) })
}

func (t target) Snapshot(ctx context.Context, a service.Activity) error {
	return around("snapshot", func() error { return t.Service.Snapshot(ctx, a) })
}

func (t target) Restore(ctx context.Context, a service.Activity) error {
	return around("restore", func() error { return t.Service.Restore(ctx, a) })
}

func (t target) DeleteState(ctx context.Context, a service.Activity) error {
	return around("delete-state", func() error { return t.Service.DeleteState(ctx, a) })
}

func (t target) Shell(ctx context.Context, a service.Activity, s service.ShellSession) error {
	return around("shell", func() error { return t.Service.Shell(ctx, a, s) })
}

func (t target) QueryAllSnapshots(ctx context.Context, container, component string) (result []string, err error) {
	err = around("query-all-snapshots", func() error {
		result, err = t.Service.QueryAllSnapshots(ctx, container, component)
		return err
	})
	return result, err
}

func (t target) QueryLatestSnapshot(ctx context.Context, container, component string) (result []string, err error) {
	err = around("query-latest-snapshot", func() error {
		result, err = t.Service.QueryLatestSnapshot(ctx, container, component)
		return err
	})
	return result, err
}

func (t target) PrintMissingSnapshots(ctx context.Context, snapshots []string) (result []string, err error) {
	err = around("print-missing-snapshots", func() error {
		result, err = t.Service.PrintMissingSnapshots(ctx, snapshots)
		return err
	})
	return result, err
}

func (t target) ResolveSnapshots(ctx context.Context, snapshots []string) (result []string, err error) {
	err = around("resolve-snapshots", func() error {
		result, err = t.Service.ResolveSnapshots(ctx, snapshots)
		return err
	})
	return result, err
}

func (t target) ImportSnapshot(ctx context.Context, container, component, id string, archive io.Reader) error {
	return around("import-snapshots", func() error { return t.Service.ImportSnapshot(ctx, container, component, id, archive) })
}

func (t target) RegisterSnapshots(ctx context.Context, container, component string, paths []string) error {
	return around("register-snapshots", func() error { return t.Service.RegisterSnapshots(ctx, container, component, paths) })
}

func (t target) ExportSnapshot(ctx context.Context, path string, archive io.Writer) error {
	return around("export-snapshots", func() error { return t.Service.ExportSnapshot(ctx, path, archive) })
}

func (t target) CleanSnapshots(ctx context.Context, keep int, container, component string) error {
	return around("clean-snapshots", func() error { return t.Service.CleanSnapshots(ctx, keep, container, component) })
}
