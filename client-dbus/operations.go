package dbusclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/spool"
)

// PrintInvalid implements [service.Store].
func (c *Client) PrintInvalid(ctx context.Context, paths []string) ([]string, error) {
	return c.run(ctx, "print_invalid", list(paths))
}

// QueryRequisites implements [service.Store].
func (c *Client) QueryRequisites(ctx context.Context, paths []string) ([]string, error) {
	return c.run(ctx, "query_requisites", list(paths))
}

// Realise implements [service.Store].
func (c *Client) Realise(ctx context.Context, derivations []string) ([]string, error) {
	return c.run(ctx, "realise", list(derivations))
}

// list makes the list of a message; there is no nil.
func list(words []string) []string { return append([]string{}, words...) }

// ImportClosure implements [service.Store]. The service does not tell what it
// has imported: it is asked for.
func (c *Client) ImportClosure(ctx context.Context, closure io.Reader) ([]string, error) {
	file, paths, err := spool.Closure(ctx, c.directory, closure)
	if err != nil {
		return nil, err
	}
	defer os.Remove(file)
	if _, err := c.run(ctx, "import", file); err != nil {
		return nil, err
	}
	return service.CheckImported(ctx, c, paths)
}

// ExportClosure implements [service.Store].
func (c *Client) ExportClosure(ctx context.Context, paths []string, closure io.Writer) error {
	file, err := c.file(ctx, "export", list(paths))
	if err != nil {
		return err
	}
	return spool.TakeFile(ctx, closure, file)
}

// CollectGarbage implements [service.Store].
func (c *Client) CollectGarbage(ctx context.Context, deleteOld bool) error {
	_, err := c.run(ctx, "collect_garbage", deleteOld)
	return err
}

// SetProfile implements [service.Profiles].
func (c *Client) SetProfile(ctx context.Context, profile, path string) error {
	_, err := c.run(ctx, "set", profile, path)
	return err
}

// QueryInstalled implements [service.Profiles].
func (c *Client) QueryInstalled(ctx context.Context, profile string) ([]byte, error) {
	results, err := c.run(ctx, "query_installed", profile)
	if err != nil {
		return nil, err
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("query_installed: the service answers with %d texts instead of one", len(results))
	}
	if results[0] == "" {
		return nil, nil
	}
	return []byte(results[0]), nil
}

// Lock implements [service.Profiles].
func (c *Client) Lock(ctx context.Context, profile string) error {
	return c.notifying(ctx, "lock", profile)
}

// Unlock implements [service.Profiles].
func (c *Client) Unlock(ctx context.Context, profile string) error {
	return c.notifying(ctx, "unlock", profile)
}

// notifying runs a job about a lock and passes on what its log says: a user
// wants to know whose lock it was.
func (c *Client) notifying(ctx context.Context, method, profile string) error {
	_, log, err := c.runLogged(ctx, method, profile)
	if err == nil && c.log != nil {
		_ = passOn(log, c.log) // if nobody listens, the lock is held or released nevertheless
	}
	return err
}

// Activate implements [service.Activities].
func (c *Client) Activate(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "activate", a)
}

// Deactivate implements [service.Activities].
func (c *Client) Deactivate(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "deactivate", a)
}

// Snapshot implements [service.Activities].
func (c *Client) Snapshot(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "snapshot", a)
}

// Restore implements [service.Activities].
func (c *Client) Restore(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "restore", a)
}

// DeleteState implements [service.Activities].
func (c *Client) DeleteState(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "delete_state", a)
}

// activity runs a plugin. What it prints is in the log of the job, and passed
// on when the job has ended, whether or not it failed.
func (c *Client) activity(ctx context.Context, method string, a service.Activity) error {
	if a.Container == "" {
		a.Container = a.Type
	}
	_, log, err := c.runLogged(ctx, method, a.Component, a.Container, a.Type, list(a.Arguments))
	var failure *FailureError
	if a.Output == nil || err != nil && !errors.As(err, &failure) {
		return err
	}
	if failure != nil {
		_, writeErr := a.Output.Write(withoutTitle(failure.Log))
		return errors.Join(err, writeErr)
	}
	return passOn(log, a.Output)
}

// passOn writes what the log of a job says that has succeeded.
func passOn(log string, w io.Writer) error {
	output, err := os.ReadFile(log)
	if err != nil {
		return nil // only the output is lost
	}
	_, err = w.Write(withoutTitle(output))
	return err
}

// withoutTitle cuts off the first line of a log, which tells only what the
// caller knows.
func withoutTitle(log []byte) []byte {
	_, rest, _ := bytes.Cut(log, []byte("\n"))
	return rest
}

// Shell implements [service.Activities]: there are no terminals on D-Bus.
func (c *Client) Shell(context.Context, service.Activity, service.ShellSession) error {
	return fmt.Errorf("ERROR: This operation is unsupported by this client! Use disnix-run-activity on the target, or disnix-ssh-client: %w", errors.ErrUnsupported)
}

// QueryAllSnapshots implements [service.Snapshots].
func (c *Client) QueryAllSnapshots(ctx context.Context, container, component string) ([]string, error) {
	return c.run(ctx, "query_all_snapshots", container, component)
}

// QueryLatestSnapshot implements [service.Snapshots].
func (c *Client) QueryLatestSnapshot(ctx context.Context, container, component string) ([]string, error) {
	return c.run(ctx, "query_latest_snapshot", container, component)
}

// PrintMissingSnapshots implements [service.Snapshots].
func (c *Client) PrintMissingSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	return c.run(ctx, "print_missing_snapshots", list(snapshots))
}

// ResolveSnapshots implements [service.Snapshots].
func (c *Client) ResolveSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	return c.run(ctx, "resolve_snapshots", list(snapshots))
}

// ImportSnapshot implements [service.Snapshots].
func (c *Client) ImportSnapshot(ctx context.Context, container, component, id string, archive io.Reader) (err error) {
	dir, snapshot, err := spool.UnpackSnapshot(ctx, c.directory, id, archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.RemoveTree(dir)) }()
	return c.RegisterSnapshots(ctx, container, component, []string{snapshot})
}

// RegisterSnapshots implements [service.Snapshots].
func (c *Client) RegisterSnapshots(ctx context.Context, container, component string, paths []string) error {
	_, err := c.run(ctx, "import_snapshots", container, component, list(paths))
	return err
}

// ExportSnapshot implements [service.Snapshots]. The service has no method for
// it: the snapshot is read from the repository on this machine, if the service
// agrees that it is there.
func (c *Client) ExportSnapshot(ctx context.Context, path string, archive io.Writer) error {
	path = filepath.Clean(path)
	id := filepath.Base(path)
	component := filepath.Base(filepath.Dir(path))
	container := filepath.Base(filepath.Dir(filepath.Dir(path)))
	resolved, err := c.ResolveSnapshots(ctx, []string{container + "/" + component + "/" + id})
	if err != nil {
		return fmt.Errorf("export snapshot %s: %w", path, err)
	}
	if !slices.Equal(resolved, []string{path}) {
		return fmt.Errorf("export snapshot %s: it is not in the snapshot repository", path)
	}
	return spool.PackSnapshot(ctx, path, archive)
}

// CleanSnapshots implements [service.Snapshots].
func (c *Client) CleanSnapshots(ctx context.Context, keep int, container, component string) error {
	number := int32(max(math.MinInt32, min(keep, math.MaxInt32)))
	_, err := c.run(ctx, "clean_snapshots", number, container, component)
	return err
}

// CaptureConfig implements [service.Service].
func (c *Client) CaptureConfig(ctx context.Context) (string, error) {
	file, err := c.file(ctx, "capture_config")
	if err != nil {
		return "", err
	}
	defer os.Remove(file) // the original's belongs to root, and stays
	expression, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the captured configuration: %w", err)
	}
	return string(expression), nil
}

// file runs a job whose result is the name of a temporary file.
func (c *Client) file(ctx context.Context, method string, args ...any) (string, error) {
	results, err := c.run(ctx, method, args...)
	if err != nil {
		return "", err
	}
	if len(results) != 1 {
		return "", fmt.Errorf("%s: the service answers with %d file names instead of one", method, len(results))
	}
	return results[0], nil
}
