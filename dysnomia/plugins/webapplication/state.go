package webapplication

import (
	"context"
	"maps"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/fileset"
)

// Snapshot stores the directories of a fileset that change.
func (p Plugin) Snapshot(ctx context.Context, r *dysnomia.Request) error {
	return p.ifFileset(r, func(r *dysnomia.Request) error { return fileset.Plugin{}.Snapshot(ctx, r) })
}

// Restore brings back the latest snapshot. If there is none, it is the latest
// that the original has filed under the name of the module.
func (p Plugin) Restore(ctx context.Context, r *dysnomia.Request) error {
	return p.ifFileset(r, func(request *dysnomia.Request) error {
		former, err := p.hasFormerSnapshot(r)
		if err != nil {
			return err
		}
		if !former {
			return fileset.Plugin{}.Restore(ctx, request)
		}
		theirs := *request
		theirs.Container = p.Module
		if err := (fileset.Plugin{}).Restore(ctx, &theirs); err != nil {
			return err
		}
		active, err := r.State.IsActive(r.Container, r.ComponentName)
		if err != nil || !active {
			return err
		}
		// Links in the directories that were replaced.
		return fileset.Plugin{}.Activate(ctx, request)
	})
}

// hasFormerSnapshot reports whether the only snapshots of the component are
// those that the original has filed under the name of the module, and no
// container has really this name.
func (p Plugin) hasFormerSnapshot(r *dysnomia.Request) (bool, error) {
	latest, err := r.State.LatestSnapshot(r.Container, r.ComponentName)
	if err != nil || latest != "" || r.Container == p.Module {
		return false, err
	}
	former, err := r.State.LatestSnapshot(p.Module, r.ComponentName)
	if err != nil || former == "" {
		return false, err
	}
	marked, err := isMarked(r, p.Module)
	if err != nil || !marked {
		return err == nil, err
	}
	return p.isFormer(r)
}

// CollectGarbage deletes the directories that change.
func (p Plugin) CollectGarbage(ctx context.Context, r *dysnomia.Request) error {
	return p.ifFileset(r, func(r *dysnomia.Request) error { return fileset.Plugin{}.CollectGarbage(ctx, r) })
}

// ifFileset does nothing to a component without state.
func (p Plugin) ifFileset(r *dysnomia.Request, do func(*dysnomia.Request) error) error {
	is, err := isFileset(r)
	if err != nil || !is {
		return err
	}
	return p.withFileset(r, do)
}

// withFileset calls do with a request of the plugin for filesets. Its container
// is that of the application, or the name of the module if the original has
// activated it and ours has not.
func (p Plugin) withFileset(r *dysnomia.Request, do func(*dysnomia.Request) error) error {
	request, err := filesetRequest(r)
	if err != nil {
		return err
	}
	known, err := isMarked(r, r.Container)
	if err != nil {
		return err
	}
	if !known {
		theirs, err := p.isFormer(r)
		if err != nil {
			return err
		}
		if theirs {
			request.Container = p.Module
		}
	}
	return do(request)
}

func filesetRequest(r *dysnomia.Request) (*dysnomia.Request, error) {
	root, err := documentRoot(r)
	if err != nil {
		return nil, err
	}
	request := *r
	request.Properties = maps.Clone(r.Properties)
	if request.Properties == nil {
		request.Properties = make(map[string]string)
	}
	request.Properties["targetDir"] = root
	return &request, nil
}

// activateFileset installs a fileset. Directories that the original has left
// as garbage are in use again.
func (p Plugin) activateFileset(ctx context.Context, r *dysnomia.Request) error {
	request, err := filesetRequest(r)
	if err != nil {
		return err
	}
	theirs, err := p.isFormer(r)
	if err != nil {
		return err
	}
	if err := (fileset.Plugin{}).Activate(ctx, request); err != nil || !theirs {
		return err
	}
	if err := r.State.UnmarkGarbage(p.Module, r.ComponentName); err != nil {
		return err
	}
	return r.State.UnmarkActive(p.Module, r.ComponentName)
}

func isMarked(r *dysnomia.Request, container string) (bool, error) {
	active, err := r.State.IsActive(container, r.ComponentName)
	if err != nil || active {
		return active, err
	}
	return r.State.IsGarbage(container, r.ComponentName)
}

// isFormer reports whether the original has filed the component under the name
// of the module. Its markers do not say which version is active: those that do
// belong to a container that has really this name.
func (p Plugin) isFormer(r *dysnomia.Request) (bool, error) {
	if r.Container == p.Module {
		return false, nil
	}
	for _, list := range []func(string) ([]dysnomia.Marker, error){r.State.Activated, r.State.Garbage} {
		markers, err := list(p.Module)
		if err != nil {
			return false, err
		}
		for _, m := range markers {
			if m.Component == r.ComponentName && m.Path == "" {
				return true, nil
			}
		}
	}
	return false, nil
}
