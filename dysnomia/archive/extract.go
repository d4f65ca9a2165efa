package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// Extract unpacks the archive read from r into root, whose existing files it
// does not touch: names must be new. The entry "." becomes base; every other
// entry is created below base, so base must be a local name that does not
// exist yet, or "." for root itself.
//
// Refused are names that lead out of root (absolute, or with ..) or are longer
// than a path may be, entries below a symbolic link of the archive, devices,
// pipes and sockets, an archive that is nothing but a symbolic link, and one
// that is cut off. A symbolic link may point anywhere; it is never followed. A
// hard link must be to an earlier file of the archive. The user id bit of files
// is dropped, since their owners are not kept.
//
// When it fails, what was unpacked is left for the caller to remove.
func Extract(ctx context.Context, root *os.Root, base string, r io.Reader) error {
	end := &ending{Reader: contextReader{ctx, r}}
	x := &extraction{root: root, base: base, dirs: map[string]*tar.Header{}, files: map[string]bool{}}
	if base == "." {
		x.dirs["."] = nil
	}
	archive := tar.NewReader(end)
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			if end.reached || entries == 0 {
				return errors.New("unpack archive: it is cut off")
			}
			break
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it is cut off")
		}
		if err != nil {
			return fmt.Errorf("unpack archive: %w", err)
		}
		if err := x.entry(header, archive); err != nil {
			return fmt.Errorf("unpack %.200q: %w", header.Name, err)
		}
	}
	if _, err := io.Copy(io.Discard, end); err != nil {
		return fmt.Errorf("unpack archive: %w", err)
	}
	return x.finish()
}

// ending remembers that the end of the input was reached. An archive itself
// says where it ends, so that nobody reads on: not even if its last file ends
// with zeros, as the archive does, is one that is cut off taken for complete.
type ending struct {
	io.Reader
	reached bool
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if n > 0 && errors.Is(err, io.EOF) {
		return n, nil
	}
	e.reached = e.reached || errors.Is(err, io.EOF)
	return n, err
}

// extraction is what was unpacked so far, by names below root.
type extraction struct {
	root  *os.Root
	base  string
	dirs  map[string]*tar.Header // nil: made because an entry is below it
	files map[string]bool
}

func (x *extraction) entry(header *tar.Header, content io.Reader) error {
	name, err := x.place(header.Name)
	if err != nil {
		return err
	}
	if header.Typeflag == tar.TypeDir {
		if err := x.mkdir(name); err != nil {
			return err
		}
		x.dirs[name] = header
		return nil
	}
	if err := x.mkdir(path.Dir(name)); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		x.files[name] = true
		return x.file(name, header, content)
	case tar.TypeSymlink:
		if name == x.base {
			return errors.New("the whole archive is a symbolic link")
		}
		return x.root.Symlink(header.Linkname, name)
	case tar.TypeLink:
		original, err := x.place(header.Linkname)
		if err != nil || !x.files[original] {
			return fmt.Errorf("it is a hard link to %q, which is no earlier file of the archive", header.Linkname)
		}
		x.files[name] = true
		return x.root.Link(original, name)
	}
	return fmt.Errorf("it is of type %q: only files, directories and links are accepted", header.Typeflag)
}

// longestName is how long a path may be on Linux.
const longestName = 4096

// place returns the name below root of an entry.
func (x *extraction) place(name string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", errors.New("the name leads out of the archive")
	}
	if len(name) > longestName {
		return "", fmt.Errorf("the name is longer than %d bytes", longestName)
	}
	return path.Join(x.base, path.Clean(name)), nil
}

// mkdir makes a directory and those above it. One that exists must have been
// made by this extraction: all else could be a link.
func (x *extraction) mkdir(name string) error {
	if _, ok := x.dirs[name]; ok || name == "." {
		return nil
	}
	if err := x.mkdir(path.Dir(name)); err != nil {
		return err
	}
	if err := x.root.Mkdir(name, 0o700); err != nil {
		return err
	}
	x.dirs[name] = nil
	return nil
}

func (x *extraction) file(name string, header *tar.Header, content io.Reader) error {
	file, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = copyContent(file, content, header.Size)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the archive is cut off")
	}
	mode := header.FileInfo().Mode() & fs.ModePerm
	err = errors.Join(err, file.Chmod(mode), file.Close())
	if err != nil || header.ModTime.Unix() == 0 {
		return err
	}
	return x.root.Chtimes(name, time.Time{}, header.ModTime)
}

// finish gives the directories their modes and times, which unpacking below
// them would have changed or been hindered by.
func (x *extraction) finish() error {
	names := slices.Sorted(maps.Keys(x.dirs))
	slices.Reverse(names) // those below before those above, which may be locked then
	for _, name := range names {
		header := x.dirs[name]
		mode, changed := fs.FileMode(0o755), time.Time{}
		if header != nil {
			mode = header.FileInfo().Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSticky)
			if header.ModTime.Unix() != 0 {
				changed = header.ModTime
			}
		} else if x.base == "." && name == "." {
			continue
		}
		if err := x.root.Chtimes(name, time.Time{}, changed); err != nil {
			return fmt.Errorf("unpack directory %q: %w", name, err)
		}
		if err := x.root.Chmod(name, mode); err != nil {
			return fmt.Errorf("unpack directory %q: %w", name, err)
		}
	}
	return nil
}
