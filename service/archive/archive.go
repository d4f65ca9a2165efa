// Package archive moves the tree of a snapshot as a tar stream.
//
// A snapshot is a directory or a single file; the first entry of its archive
// is named "." and says which. Directories, regular files and symbolic links
// are kept with their modes and times (links without), owners are not: they
// differ between machines. Equal trees have equal archives.
package archive

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Write writes the file or directory as an archive. Files of other kinds
// (sockets, pipes, devices) are an error.
func Write(ctx context.Context, root string, w io.Writer) error {
	archive := tar.NewWriter(w)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return writeEntry(ctx, archive, root, name, entry)
	})
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return fmt.Errorf("archive %s: %w", root, err)
	}
	return nil
}

func writeEntry(ctx context.Context, archive *tar.Writer, root, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	link := ""
	switch info.Mode().Type() {
	case 0, fs.ModeDir:
	case fs.ModeSymlink:
		if link, err = os.Readlink(name); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s is neither a file, a directory nor a symbolic link", name)
	}
	relative, err := filepath.Rel(root, name)
	if err != nil {
		return err
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	header.Name = filepath.ToSlash(relative)
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", ""
	header.AccessTime, header.ChangeTime = time.Time{}, time.Time{}
	if link != "" {
		header.ModTime = time.Time{}
	}
	header.Format = tar.FormatPAX
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(archive, reader{ctx, file})
	return err
}

// reader ends with the error of a context that was cancelled.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
