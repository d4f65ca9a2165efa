package linkdir

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
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
func (known record) find(r *dysnomia.Request, e Entry, others foreign) (place, error) {
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
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(e.Path)
		if err != nil || target == e.Source && !e.Copy {
			return taken, wrap(e, err)
		}
		if others[e.Path] != "" && !leadsNowhere(e.Path) {
			return vacant, others.conflict(e)
		}
		if target == e.Source || isVersion(r, e, target) || leadsNowhere(e.Path) {
			return outdated, nil
		}
		return vacant, fmt.Errorf("install %s: it links to %s, which another component needs: deactivate that, or remove the link if nobody needs it", e.Path, target)
	}
	return vacant, fmt.Errorf("install %s: it exists and was not made for this component: remove it if nobody needs it", e.Path)
}

// isOurs reports whether what is in place was made for this component.
func (known record) isOurs(r *dysnomia.Request, e Entry) (bool, error) {
	if target, err := os.Readlink(e.Path); err == nil {
		return target == e.Source, nil // the original makes no copies
	}
	if !e.Copy {
		return false, nil
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
	info, err := os.Stat(source)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if present, err := os.Lstat(path); err != nil || present.Size() != info.Size() {
		return false, err
	}
	want, err := checksum(source)
	if err != nil {
		return false, err
	}
	got, err := checksum(path)
	return err == nil && got == want, err
}

func checksum(path string) ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	file, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return sum, err
	}
	hash.Sum(sum[:0])
	return sum, nil
}

// pending is an entry that has to appear.
type pending struct {
	Entry
	// temporary is what was made to be renamed, or empty.
	temporary string
	replace   bool
}

// prepare makes everything that is not in its place yet, under other names.
func prepare(entries []Entry, places []place) ([]pending, error) {
	var list []pending
	for i, entry := range entries {
		if places[i] == taken {
			continue
		}
		p := pending{Entry: entry, replace: places[i] == outdated}
		err := os.MkdirAll(filepath.Dir(entry.Path), 0o755)
		if err == nil && (entry.Copy || p.replace) {
			// No server knows such names, whatever it thinks of dots: the
			// suffix is not its own.
			p.temporary = filepath.Join(filepath.Dir(entry.Path), ".dysnomia-"+entry.Name()+".part")
			err = ignoreMissing(os.Remove(p.temporary))
		}
		list = append(list, p)
		if err == nil && p.temporary != "" {
			err = entry.make(p.temporary)
		}
		if err != nil {
			return nil, errors.Join(wrap(entry, err), discard(list))
		}
	}
	return list, nil
}

// appear puts an entry into its place. It is never half there, and never
// missing if it replaces another. If it does not replace, it fails when
// somebody else has made something of that name meanwhile.
func (p pending) appear() error {
	var err error
	switch {
	case p.replace:
		err = os.Rename(p.temporary, p.Path)
	case p.Copy:
		if err = os.Link(p.temporary, p.Path); err == nil {
			err = os.Remove(p.temporary)
		}
	default:
		err = os.Symlink(p.Source, p.Path)
	}
	return wrap(p.Entry, err)
}

// discard removes what was made and does not appear.
func discard(list []pending) error {
	var errs []error
	for _, p := range list {
		if p.temporary != "" {
			errs = append(errs, ignoreMissing(os.Remove(p.temporary)))
		}
	}
	return errors.Join(errs...)
}

func wrap(e Entry, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("install %s: %w", e.Path, err)
}

// make makes the link or copy. A copy can be read by everybody, and is as old
// as it looks: servers tell versions by the time, and in the Nix store all
// files are equally old.
func (e Entry) make(path string) error {
	if !e.Copy {
		return os.Symlink(e.Source, path)
	}
	source, err := os.Open(e.Source)
	if err != nil {
		return err
	}
	defer source.Close()
	// Nothing is followed that somebody else has put there.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err = io.Copy(file, source); err == nil {
		err = errors.Join(file.Chmod(0o644), file.Sync())
	}
	return errors.Join(err, file.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
