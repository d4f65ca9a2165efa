package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Extract creates root, which must not exist, from an archive. Nothing outside
// of it is written, and nothing is left if it fails. The files are not synced
// to the disk.
func Extract(ctx context.Context, r io.Reader, root string) (err error) {
	if _, err := os.Lstat(root); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return fmt.Errorf("extract archive to %s: %w", root, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("extract archive to %s: %w", root, err), os.RemoveAll(root))
		}
	}()
	source := &ending{Reader: reader{ctx, r}}
	if err := extract(tar.NewReader(source), root); err != nil {
		return err
	}
	if source.ended {
		return fmt.Errorf("it is cut off: %w", io.ErrUnexpectedEOF)
	}
	_, err = io.Copy(io.Discard, source)
	return err
}

// ending remembers that the end of the input was reached. A complete archive
// says itself where it ends, so that nobody reads further.
type ending struct {
	io.Reader
	ended bool
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if n > 0 && errors.Is(err, io.EOF) {
		return n, nil
	}
	e.ended = e.ended || errors.Is(err, io.EOF)
	return n, err
}

func extract(archive *tar.Reader, root string) error {
	header, err := archive.Next()
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case err != nil:
		return err
	case path.Clean(header.Name) != ".":
		return extractTree(archive, root, nil, header)
	case header.Typeflag == tar.TypeReg:
		return extractFile(archive, root, header)
	case header.Typeflag == tar.TypeDir:
		return extractTree(archive, root, header, nil)
	default:
		return fmt.Errorf("its first entry is of an unknown kind: %q", header.Typeflag)
	}
}

// extractFile creates the only file of an archive.
func extractFile(archive *tar.Reader, root string, header *tar.Header) error {
	dir, err := os.OpenRoot(filepath.Dir(root))
	if err != nil {
		return err
	}
	defer dir.Close()
	return writeFile(dir, filepath.Base(root), header, archive)
}

// extractTree creates the directory root with the other entries in it. Archives
// made by other tools may lack the entry of the directory itself; then first is
// the entry that was read instead.
func extractTree(archive *tar.Reader, root string, self, first *tar.Header) error {
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer dir.Close()
	var directories []*tar.Header // whose modes and times are set at last
	if self != nil {
		directories = append(directories, self)
	}
	for header := first; ; header = nil {
		if header == nil {
			if header, err = archive.Next(); errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		header.Name = path.Clean(header.Name)
		if err := extractEntry(dir, header, archive); err != nil {
			return fmt.Errorf("entry %q: %w", header.Name, err)
		}
		if header.Typeflag == tar.TypeDir {
			directories = append(directories, header)
		}
	}
	for i := len(directories) - 1; i >= 0; i-- {
		if err := setAttributes(dir, directories[i].Name, directories[i]); err != nil {
			return err
		}
	}
	return nil
}

func extractEntry(dir *os.Root, header *tar.Header, content io.Reader) error {
	name := header.Name
	if !filepath.IsLocal(name) {
		return errors.New("it is outside of the archive")
	}
	if parent := path.Dir(name); parent != "." {
		if err := dir.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	switch header.Typeflag {
	case tar.TypeDir:
		// Writable until its entries exist.
		if err := dir.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case tar.TypeReg:
		return writeFile(dir, name, header, content)
	case tar.TypeSymlink:
		if strings.ContainsRune(header.Linkname, 0) {
			return errors.New("its target is not a file name")
		}
		return dir.Symlink(header.Linkname, name)
	case tar.TypeLink:
		return dir.Link(path.Clean(header.Linkname), name)
	default:
		return fmt.Errorf("it is of an unknown kind: %q", header.Typeflag)
	}
}

func writeFile(dir *os.Root, name string, header *tar.Header, content io.Reader) error {
	file, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return setAttributes(dir, name, header)
}

func setAttributes(dir *os.Root, name string, header *tar.Header) error {
	if err := dir.Chmod(name, header.FileInfo().Mode().Perm()); err != nil {
		return err
	}
	return dir.Chtimes(name, header.ModTime, header.ModTime)
}
