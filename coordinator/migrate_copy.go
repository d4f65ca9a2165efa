package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/service"
)

// CopySnapshots copies the snapshots of a component from one repository to
// another: the latest one, or with all every generation, oldest first. What
// the receiver has already is not transferred but registered again, so that
// the order of its generations becomes that of the sender. It returns the
// number of snapshots, which is 0 without an error if there are none
// (transition, 7.3).
//
// It stops at the first failure; then the newest generation of the receiver
// is one that the sender has, too.
func CopySnapshots(ctx context.Context, from, to service.Snapshots, container, component string, all bool) (int, error) {
	query := from.QueryLatestSnapshot
	if all {
		query = from.QueryAllSnapshots
	}
	snapshots, err := query(ctx, container, component)
	if err != nil {
		return 0, fmt.Errorf("query the snapshots of the sender: %w", err)
	}
	if len(snapshots) == 0 {
		return 0, nil
	}
	for _, snapshot := range snapshots {
		if _, err := snapshotID(snapshot, container, component); err != nil {
			return 0, err
		}
	}
	missing, err := to.PrintMissingSnapshots(ctx, snapshots)
	if err != nil {
		return 0, fmt.Errorf("query which snapshots the receiver misses: %w", err)
	}
	for i, snapshot := range snapshots {
		if err := ctx.Err(); err != nil {
			return i, err
		}
		// The same snapshot may be several generations.
		if slices.Contains(missing, snapshot) && !slices.Contains(snapshots[:i], snapshot) {
			err = transferSnapshot(ctx, from, to, container, component, snapshot)
		} else {
			err = registerSnapshot(ctx, to, container, component, snapshot)
		}
		if err != nil {
			return i, err
		}
	}
	return len(snapshots), nil
}

// snapshotID returns the last part of container/component/id.
func snapshotID(snapshot, container, component string) (string, error) {
	id, ok := strings.CutPrefix(snapshot, container+"/"+component+"/")
	if !ok || id == "" || id == "." || id == ".." || strings.ContainsRune(id, '/') {
		return "", fmt.Errorf("%q does not name a snapshot of component %q in container %q", snapshot, component, container)
	}
	return id, nil
}

func transferSnapshot(ctx context.Context, from, to service.Snapshots, container, component, snapshot string) error {
	path, err := resolveSnapshot(ctx, from, snapshot)
	if err != nil {
		return err
	}
	id, err := snapshotID(snapshot, container, component)
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	exported := make(chan error, 1)
	go func() {
		err := from.ExportSnapshot(ctx, path, writer)
		writer.CloseWithError(err)
		exported <- err
	}()
	importErr := to.ImportSnapshot(ctx, container, component, id, reader)
	if importErr == nil {
		// The archive may be followed by padding that nobody reads.
		_, importErr = io.Copy(io.Discard, reader)
	}
	reader.CloseWithError(importErr)
	exportErr := <-exported
	switch {
	case exportErr != nil && (importErr == nil || errors.Is(importErr, exportErr)):
		return fmt.Errorf("export snapshot %s: %w", snapshot, exportErr)
	case importErr != nil:
		return fmt.Errorf("import snapshot %s: %w", snapshot, importErr)
	}
	return nil
}

// registerSnapshot makes a snapshot that is stored already the newest
// generation.
func registerSnapshot(ctx context.Context, in service.Snapshots, container, component, snapshot string) error {
	path, err := resolveSnapshot(ctx, in, snapshot)
	if err != nil {
		return err
	}
	if err := in.RegisterSnapshots(ctx, container, component, []string{path}); err != nil {
		return fmt.Errorf("register snapshot %s: %w", snapshot, err)
	}
	return nil
}

func resolveSnapshot(ctx context.Context, in service.Snapshots, snapshot string) (string, error) {
	paths, err := in.ResolveSnapshots(ctx, []string{snapshot})
	if err != nil {
		return "", fmt.Errorf("resolve snapshot %s: %w", snapshot, err)
	}
	if len(paths) != 1 {
		return "", fmt.Errorf("resolve snapshot %s: got %d paths instead of one", snapshot, len(paths))
	}
	return paths[0], nil
}
