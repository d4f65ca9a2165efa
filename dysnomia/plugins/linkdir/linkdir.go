// Package linkdir puts files of components into directories where a server or
// process manager looks for them.
//
// What was installed is remembered in the state directory, so that exactly
// that is removed again, although the component or the properties of its
// container may have changed. Files of others are never touched (modules page,
// section 29, item 14).
package linkdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/disnix-go/disnix/dysnomia"
)

// Entry is a file or directory of a component that appears somewhere else. All
// paths are absolute.
type Entry struct {
	// Path is where it appears.
	Path string `json:"path"`
	// Source is the file of the component.
	Source string `json:"source"`
	// Copy asks for a copy of a file instead of a link.
	Copy bool `json:"copy,omitempty"`
}

// Name is the base name of the path.
func (e Entry) Name() string { return filepath.Base(e.Path) }

// ErrNone says that a component has no files where some are needed. What was
// installed for it can be removed all the same.
var ErrNone = errors.New("there are none")

// Entries returns everything in a directory of a component as entries of
// another directory, sorted by name. Nothing is an error, which wraps
// [ErrNone].
func Entries(source, dir string) ([]Entry, error) {
	list, err := os.ReadDir(source)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(list) == 0 {
		return nil, fmt.Errorf("find the files of the component: %w in %s", ErrNone, source)
	}
	if err != nil {
		return nil, fmt.Errorf("find the files of the component: %w", err)
	}
	var entries []Entry
	for _, file := range list {
		entries = append(entries, Entry{Path: filepath.Join(dir, file.Name()), Source: filepath.Join(source, file.Name())})
	}
	return entries, nil
}

// recordKind is the kind of the records in the state directory: entries by
// path of the component, because versions of a component have one name.
const recordKind = "links"

type record map[string][]Entry

func recall(r *dysnomia.Request) (record, error) {
	known := record{}
	_, err := r.State.Recall(recordKind, r.Container, r.ComponentName, &known)
	return known, err
}

// Install makes the entries of the component appear, and the directories that
// they are in. What is in place already stays. An entry of another version of
// the component is replaced, and so is a link to nothing; anything else in the
// way is an error, and then nothing is changed. Everything is made under another
// name before the first entry appears, and each appears at once. If that fails
// in the middle, what it has made is removed again.
func Install(r *dysnomia.Request, entries []Entry) error {
	known, err := recall(r)
	if err != nil {
		return err
	}
	others, err := inOtherContainers(r)
	if err != nil {
		return err
	}
	places := make([]place, len(entries))
	var errs []error
	for i, entry := range entries {
		places[i], err = known.find(r, entry, others)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	before := slices.Clone(known[r.Component])
	if err := known.add(r, entries); err != nil {
		return err
	}
	pending, err := prepare(entries, places)
	if err != nil {
		return errors.Join(err, known.set(r, before))
	}
	var made []Entry
	for i, p := range pending {
		if err := p.appear(); err != nil {
			return errors.Join(err, discard(pending[i:]), known.remove(r, made), known.set(r, before))
		}
		made = append(made, p.Entry)
	}
	return nil
}

// add records entries before they are made: after a crash in between they are
// known.
func (known record) add(r *dysnomia.Request, entries []Entry) error {
	all := slices.Clone(known[r.Component])
	for _, entry := range entries {
		if !slices.Contains(all, entry) {
			all = append(all, entry)
		}
	}
	return known.set(r, all)
}

// Installed returns the entries of the component that are in place: those that
// were installed, in that order, and then those given that were installed by a
// program that keeps no record. What another container shares is not among
// them: it stays as long as it is needed there.
func Installed(r *dysnomia.Request, entries []Entry) ([]Entry, error) {
	known, err := recall(r)
	if err != nil {
		return nil, err
	}
	others, err := inOtherContainers(r)
	if err != nil {
		return nil, err
	}
	candidates := slices.Clone(known[r.Component])
	for _, entry := range entries {
		if !slices.Contains(candidates, entry) {
			candidates = append(candidates, entry)
		}
	}
	var placed []Entry
	for _, entry := range candidates {
		ours, err := known.isOurs(r, entry)
		if err != nil {
			return nil, err
		}
		if ours && others[entry.Path] == "" {
			placed = append(placed, entry)
		}
	}
	return placed, nil
}

// Remove removes what [Installed] returns for the same entries, and forgets it.
// Directories stay.
func Remove(r *dysnomia.Request, entries []Entry) error {
	known, err := recall(r)
	if err != nil {
		return err
	}
	placed, err := Installed(r, entries)
	if err != nil {
		return err
	}
	if err := known.remove(r, placed); err != nil {
		return err
	}
	return known.set(r, nil)
}

// remove removes entries that are still those of the component.
func (known record) remove(r *dysnomia.Request, entries []Entry) error {
	for _, entry := range entries {
		ours, err := known.isOurs(r, entry)
		if err == nil && ours {
			err = os.Remove(entry.Path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", entry.Path, err)
		}
	}
	return nil
}

// set records exactly these entries of the component.
func (known record) set(r *dysnomia.Request, entries []Entry) error {
	before := known[r.Component]
	if slices.Equal(before, entries) {
		return nil
	}
	known[r.Component] = entries
	if len(entries) == 0 {
		delete(known, r.Component)
	}
	if len(known) == 0 {
		return r.State.Forget(recordKind, r.Container, r.ComponentName)
	}
	return r.State.Remember(recordKind, r.Container, r.ComponentName, known)
}
