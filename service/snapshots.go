package service

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/disnix-go/disnix/dysnomia"
)

// QueryAllSnapshots implements [Snapshots].
func (l *Local) QueryAllSnapshots(_ context.Context, container, component string) ([]string, error) {
	return snapshotNames(l.host.State().QueryAll(l.name(container), l.name(component)))
}

// QueryLatestSnapshot implements [Snapshots].
func (l *Local) QueryLatestSnapshot(_ context.Context, container, component string) ([]string, error) {
	return snapshotNames(l.host.State().QueryLatest(l.name(container), l.name(component)))
}

// PrintMissingSnapshots implements [Snapshots].
func (l *Local) PrintMissingSnapshots(_ context.Context, snapshots []string) ([]string, error) {
	return l.host.State().PrintMissing(snapshots)
}

// ResolveSnapshots implements [Snapshots].
func (l *Local) ResolveSnapshots(_ context.Context, snapshots []string) ([]string, error) {
	return l.host.State().Resolve(snapshots)
}

// ImportSnapshot implements [Snapshots].
func (l *Local) ImportSnapshot(ctx context.Context, container, component, id string, archive io.Reader) error {
	return l.claimed(ctx, "", func() error {
		return l.host.State().ImportArchive(ctx, l.name(container), l.name(component), id, archive)
	})
}

// RegisterSnapshots implements [Snapshots]. Snapshots outside of the
// repository are copied into it.
func (l *Local) RegisterSnapshots(ctx context.Context, container, component string, paths []string) error {
	return l.claimed(ctx, "", func() error {
		for _, path := range paths {
			if err := l.host.State().Import(ctx, l.name(container), l.name(component), path); err != nil {
				return err
			}
		}
		return nil
	})
}

// ExportSnapshot implements [Snapshots]. Only snapshots of the repository are
// exported.
func (l *Local) ExportSnapshot(ctx context.Context, path string, archive io.Writer) error {
	state := l.host.State()
	root := filepath.Join(state.Dir, "snapshots")
	snapshot, err := filepath.Rel(root, filepath.Clean(path))
	if err != nil || !filepath.IsLocal(snapshot) {
		return fmt.Errorf("export snapshot %s: it is not in the snapshot repository %s", path, root)
	}
	return state.Export(ctx, snapshot, archive)
}

// CleanSnapshots implements [Snapshots].
func (l *Local) CleanSnapshots(ctx context.Context, keep int, container, component string) error {
	return l.claimed(ctx, "", func() error {
		removed, err := l.host.State().CleanSnapshots(l.name(container), l.name(component), keep)
		for _, g := range removed.Generations {
			fmt.Fprintf(l.config.Log, "Removing old generation symlink: %s/%s/%d\n", g.Container, g.Component, g.Number)
		}
		return err
	})
}

// name returns the name of a container or component that was given by its
// name or store path; an empty one stays empty: it means all.
func (l *Local) name(given string) string {
	if given == "" {
		return ""
	}
	return l.host.ComponentName(given)
}

func snapshotNames(generations []dysnomia.Generation, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	names := make([]string, len(generations))
	for i, g := range generations {
		names[i] = g.Snapshot()
	}
	return names, nil
}
