package linkdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
)

// place is what there is in the place of an entry.
type place int

const (
	vacant   place = iota
	taken          // by the entry itself
	outdated       // to be replaced
)

// find looks for an entry in its place. What must not be replaced is an error.
func (known record) find(r *dysnomia.Request, e Entry) (place, error) {
	info, err := os.Lstat(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return vacant, nil
	}
	if err != nil {
		return vacant, wrap(e, err)
	}
	switch {
	case e.Copy && info.Mode().IsRegular():
		if same, err := sameContent(e.Path, e.Source); err != nil || same {
			return taken, wrap(e, err)
		}
		if known.has(e.Path) {
			return outdated, nil
		}
	case !e.Copy && info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(e.Path)
		if err != nil || target == e.Source {
			return taken, wrap(e, err)
		}
		if isVersion(r, e, target) || leadsNowhere(e.Path) {
			return outdated, nil
		}
		return vacant, fmt.Errorf("install %s: it links to %s, which another component needs: deactivate that, or remove the link if nobody needs it", e.Path, target)
	}
	return vacant, fmt.Errorf("install %s: it exists and was not made for this component: remove it if nobody needs it", e.Path)
}

// isOurs reports whether what is in place was made for this component.
func (known record) isOurs(r *dysnomia.Request, e Entry) (bool, error) {
	if !e.Copy {
		target, err := os.Readlink(e.Path)
		return err == nil && target == e.Source, nil
	}
	info, err := os.Lstat(e.Path)
	if err != nil || !info.Mode().IsRegular() {
		return false, nil
	}
	if slices.Contains(known[r.Component], e) {
		return true, nil
	}
	return sameContent(e.Path, e.Source)
}

// has reports whether any version of the component has installed a copy.
func (known record) has(path string) bool {
	for _, entries := range known {
		if slices.ContainsFunc(entries, func(e Entry) bool { return e.Copy && e.Path == path }) {
			return true
		}
	}
	return false
}

// isVersion reports whether a link leads to the same file of a component with
// the same name.
func isVersion(r *dysnomia.Request, e Entry, target string) bool {
	inside, ok := strings.CutPrefix(e.Source, r.Component+"/")
	if !ok {
		return false
	}
	component, ok := strings.CutSuffix(target, "/"+inside)
	return ok && r.NameOf(component) == r.ComponentName
}

func leadsNowhere(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// sameContent reports whether two files are equal; a missing source equals
// nothing.
func sameContent(path, source string) (bool, error) {
	want, err := os.ReadFile(source)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	got, err := os.ReadFile(path)
	return err == nil && bytes.Equal(got, want), err
}

// install makes the link or copy. It is never half there, and never missing if
// it replaces another. If it does not replace, it fails when somebody else has
// made something of that name meanwhile.
func (e Entry) install(replace bool) error {
	dir := filepath.Dir(e.Path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("install %s: %w", e.Path, err)
	}
	if !e.Copy && !replace {
		return wrap(e, os.Symlink(e.Source, e.Path))
	}
	// No server reads names that begin with a dot.
	temporary := filepath.Join(dir, ".dysnomia-"+e.Name())
	err := ignoreMissing(os.Remove(temporary))
	if err == nil {
		err = e.make(temporary)
	}
	switch {
	case err == nil && replace:
		err = os.Rename(temporary, e.Path)
	case err == nil:
		err = os.Link(temporary, e.Path)
	}
	return wrap(e, errors.Join(err, ignoreMissing(os.Remove(temporary))))
}

func wrap(e Entry, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("install %s: %w", e.Path, err)
}

func (e Entry) make(path string) error {
	if !e.Copy {
		return os.Symlink(e.Source, path)
	}
	content, err := os.ReadFile(e.Source)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
