package dysnomia

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoChecksum says that no checksum is known for a snapshot, as with those
// that early versions of the original made.
var ErrNoChecksum = errors.New("no checksum is known")

// ChecksumError says that a snapshot is not what was stored.
type ChecksumError struct {
	// Snapshot is the relative path, container/component/id.
	Snapshot string
	// Have and Want are the computed and the stored checksum, sha256:<hex>.
	Have, Want string
}

// Error is the message of the original (host page, section 6).
func (e *ChecksumError) Error() string {
	return fmt.Sprintf("Checksum mismatch detected for snapshot: %s, we have: '%s', we expect: '%s'", e.Snapshot, e.Have, e.Want)
}

// Check compares a snapshot with its checksum. It returns a [*ChecksumError]
// if they differ, and [ErrNoChecksum] if there is none. Checksums of the
// original, which depend on the order of directories, are recognised too.
func (s *State) Check(g Generation) error {
	if err := g.check(); err != nil {
		return fmt.Errorf("check snapshot: %w", err)
	}
	stored, err := os.ReadFile(s.checksumPath(g))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("check snapshot %s: %w", g.Snapshot(), ErrNoChecksum)
	}
	if err != nil {
		return fmt.Errorf("check snapshot %s: %w", g.Snapshot(), err)
	}
	want := strings.TrimSpace(string(stored))
	have, err := Checksum(s.snapshotPath(g))
	if err != nil {
		return fmt.Errorf("check snapshot %s: %w", g.Snapshot(), err)
	}
	if have == want {
		return nil
	}
	for _, order := range []traversal{directoryOrder, directoryOrderWithoutBlanks} {
		if old, err := checksum(s.snapshotPath(g), order); err == nil && old == want {
			return nil
		}
	}
	return &ChecksumError{Snapshot: g.Snapshot(), Have: have, Want: want}
}

// checkUndamaged returns a [*ChecksumError] if a snapshot is not what was
// stored, as far as that is known.
func (s *State) checkUndamaged(g Generation) error {
	err := s.Check(g)
	if mismatch := new(ChecksumError); errors.As(err, &mismatch) {
		return fmt.Errorf("%w: it is damaged: delete %s and take it again (if it was made by Dysnomia and only copied to another file system, delete its checksum %s)",
			mismatch, s.snapshotPath(g), s.checksumPath(g))
	}
	return nil // what else is wrong shows when it is read
}

// Checksum returns sha256:<hex> of a snapshot: of the content of a file, or,
// for a directory, of the list of everything in it, an empty line, the
// contents of its files, and a line for each symbolic link, all in the order
// of names. A directory with one file and no link has the checksum that the
// original computes (host page, section 5).
func Checksum(path string) (string, error) { return checksum(path, sortedOrder) }

// traversal is how the stream of a checksum is made.
type traversal int

const (
	sortedOrder traversal = iota
	// directoryOrder is that of the original, as the file system lists it.
	directoryOrder
	// directoryOrderWithoutBlanks leaves out the contents of files whose names
	// the original cannot handle.
	directoryOrderWithoutBlanks
)

func checksum(path string, order traversal) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if info.IsDir() {
		err = serialize(sum, path, order)
	} else {
		err = hashFile(sum, path)
	}
	if err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

func serialize(sum hash.Hash, dir string, order traversal) error {
	names, files, links := []string{"."}, []string(nil), []string(nil)
	err := walk(dir, ".", func(name string, entry fs.DirEntry) error {
		names = append(names, name)
		switch {
		case entry.Type().IsRegular():
			files = append(files, name)
		case entry.Type() == fs.ModeSymlink:
			target, err := os.Readlink(filepath.Join(dir, name))
			links = append(links, name+" -> "+target)
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	if order == sortedOrder {
		slices.Sort(names)
		slices.Sort(files)
		slices.Sort(links)
	} else {
		links = nil
	}
	w := bufio.NewWriterSize(sum, 256<<10) // files are read through it
	for _, name := range names {
		fmt.Fprintln(w, name)
	}
	fmt.Fprintln(w)
	for _, name := range files {
		if order == directoryOrderWithoutBlanks && strings.ContainsAny(name, " \t\n\\\"'") {
			continue
		}
		if err := hashFile(w, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for _, link := range links {
		fmt.Fprintln(w, link)
	}
	return w.Flush()
}

// walk visits everything below dir/name in the order in which the file system
// lists it, directories before their content. Names are relative to dir and
// begin with ./.
func walk(dir, name string, visit func(name string, entry fs.DirEntry) error) error {
	list, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	entries, err := list.ReadDir(-1)
	list.Close()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		below := name + "/" + entry.Name()
		if err := visit(below, entry); err != nil {
			return err
		}
		if entry.IsDir() {
			if err := walk(dir, below, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

func hashFile(w io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}
