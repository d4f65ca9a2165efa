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
// the receiver has already is not transferred but registered again, unless it
// is in its place, so that the order of its generations becomes that of the
// sender. It returns the number of snapshots, which is 0 without an error if
// there are none (transition, 7.3).
//
// It stops at the first failure; then the newest generation of the receiver
// is one that the sender has, too.
func CopySnapshots(ctx context.Context, from, to service.Snapshots, container, component string, all bool) (int, error) {
	copied, err := copySnapshots(ctx, from, to, containerComponent{container, component}, container, all)
	return len(copied), err
}

// copySnapshots lets the receiver have the snapshots as those of a container
// that may have another name there. It returns their names at the receiver,
// oldest first.
func copySnapshots(ctx context.Context, from, to service.Snapshots, of containerComponent, as string, all bool) ([]string, error) {
	query := from.QueryLatestSnapshot
	if all {
		query = from.QueryAllSnapshots
	}
	snapshots, err := query(ctx, of.container, of.component)
	if err != nil {
		return nil, fmt.Errorf("query the snapshots of the sender: %w", err)
	}
	if len(snapshots) == 0 {
		return nil, nil
	}
	ids, there := make([]string, len(snapshots)), make([]string, len(snapshots))
	for i, snapshot := range snapshots {
		if ids[i], err = snapshotID(snapshot, of); err != nil {
			return nil, err
		}
		there[i] = as + "/" + of.component + "/" + ids[i]
	}
	missing, err := to.PrintMissingSnapshots(ctx, there)
	if err != nil {
		return nil, fmt.Errorf("query which snapshots the receiver misses: %w", err)
	}
	first, err := known(ctx, to, containerComponent{as, of.component}, there, missing)
	if err != nil {
		return nil, err
	}
	for i, snapshot := range snapshots {
		if i < first {
			continue
		}
		if err := ctx.Err(); err != nil {
			return there[:i], err
		}
		// The same snapshot may be several generations.
		if slices.Contains(missing, there[i]) && !slices.Contains(snapshots[:i], snapshot) {
			err = transferSnapshot(ctx, from, to, snapshot, containerComponent{as, of.component}, ids[i])
		} else {
			err = registerSnapshot(ctx, to, as, of.component, there[i])
		}
		if err != nil {
			return there[:i], err
		}
	}
	return there, nil
}

// known returns how many of the snapshots, oldest first, are the newest
// generations of the receiver already. To register these again would double
// its history whenever a copy is repeated.
func known(ctx context.Context, to service.Snapshots, of containerComponent, snapshots, missing []string) (int, error) {
	if len(snapshots) == 1 || len(missing) == len(snapshots) {
		return 0, nil
	}
	history, err := to.QueryAllSnapshots(ctx, of.container, of.component)
	if err != nil {
		return 0, fmt.Errorf("query the generations of the receiver: %w", err)
	}
	for n := min(len(snapshots), len(history)); n > 0; n-- {
		if slices.Equal(snapshots[:n], history[len(history)-n:]) && !slices.ContainsFunc(snapshots[:n], func(s string) bool {
			return slices.Contains(missing, s)
		}) {
			return n, nil
		}
	}
	return 0, nil
}

// snapshotID returns the last part of container/component/id.
func snapshotID(snapshot string, of containerComponent) (string, error) {
	id, ok := strings.CutPrefix(snapshot, of.container+"/"+of.component+"/")
	if !ok || id == "" || id == "." || id == ".." || strings.ContainsRune(id, '/') {
		return "", fmt.Errorf("%q does not name a snapshot of component %q in container %q", snapshot, of.component, of.container)
	}
	return id, nil
}

func transferSnapshot(ctx context.Context, from, to service.Snapshots, snapshot string, as containerComponent, id string) error {
	path, err := resolveSnapshot(ctx, from, snapshot)
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
	importErr := to.ImportSnapshot(ctx, as.container, as.component, id, reader)
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
