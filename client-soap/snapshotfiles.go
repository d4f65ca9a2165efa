package soapclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/spool"
)

// Snapshots to and from the original's service travel file by file (SOAP page,
// section 5). They pass through temporary directories.

// importFiles sends the files of a snapshot. What cannot be sent as a file is
// an error: it would be missing when the snapshot is restored.
func (c *Client) importFiles(ctx context.Context, container, component, id string, archive io.Reader) (err error) {
	dir, snapshot, err := spool.UnpackSnapshot(ctx, "", id, archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.RemoveTree(dir)) }()
	files, err := listFiles(snapshot)
	if err != nil {
		return fmt.Errorf("import snapshot %s: %w", id, err)
	}
	request := &soapwire.ImportLocalSnapshots{Container: &container, Component: &component, Snapshot: new("/" + id)}
	for _, name := range files {
		file := filepath.Join(snapshot, name)
		request.DataHandlers = append(request.DataHandlers, soapwire.NewContent("", func(w io.Writer) error {
			return spool.CopyFile(ctx, c.reportUpload(ctx, w, "snapshot"), file)
		}))
		request.Paths = append(request.Paths, new(path.Join("/"+id, name)))
	}
	return c.importLocalSnapshots(ctx, "", request)
}

// listFiles returns the names of the files below a directory, sorted.
func listFiles(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		if entry.Type().IsRegular() {
			files = append(files, name)
			return nil
		}
		if !entry.IsDir() {
			return cannotSend(name, "no regular file")
		}
		entries, err := os.ReadDir(file)
		if err == nil && len(entries) == 0 {
			return cannotSend(name, "an empty directory")
		}
		return err
	})
	return files, err
}

func cannotSend(name, what string) error {
	return fmt.Errorf("%s is %s, which the original's DisnixWebService cannot receive: run disnix-webservice on the target", name, what)
}

// exportFiles receives the files of a snapshot.
func (c *Client) exportFiles(ctx context.Context, snapshot string, archive io.Writer) (err error) {
	paths, err := c.typed.ExportRemoteSnapshotPathsContext(ctx, &soapwire.ExportRemoteSnapshotPaths{Derivation: &snapshot})
	if err != nil {
		return err
	}
	answer, contents, err := c.exportRemoteSnapshots(ctx, snapshot, "")
	if err != nil {
		return err
	}
	defer answer.Close()
	names, err := relativeNames(snapshot, words(paths.Return_))
	if err == nil && len(names) != len(contents) {
		err = fmt.Errorf("there are %d names, but %d files", len(names), len(contents))
	}
	if err != nil {
		return fmt.Errorf("export snapshot %s: %w", snapshot, err)
	}
	dir, err := os.MkdirTemp("", "disnix.")
	if err != nil {
		return fmt.Errorf("export snapshot %s: %w", snapshot, err)
	}
	defer func() { err = errors.Join(err, spool.RemoveTree(dir)) }()
	target := filepath.Join(dir, path.Base(path.Clean(snapshot)))
	for i, name := range names {
		if err := receiveFile(ctx, filepath.Join(target, name), contents[i]); err != nil {
			return fmt.Errorf("export snapshot %s: receive %q: %w", snapshot, name, err)
		}
	}
	if err := answer.finish(); err != nil {
		return err
	}
	if len(names) == 0 { // an empty directory
		if err := os.Mkdir(target, 0o755); err != nil {
			return fmt.Errorf("export snapshot %s: %w", snapshot, err)
		}
	}
	return spool.PackSnapshot(ctx, target, archive)
}

// relativeNames returns the names of files below a snapshot; the only one is
// "." if it is a file itself.
func relativeNames(snapshot string, paths []string) ([]string, error) {
	root := path.Clean(snapshot)
	names := make([]string, len(paths))
	for i, file := range paths {
		if path.Clean(file) == root && len(paths) == 1 {
			names[i] = "."
			continue
		}
		name, below := strings.CutPrefix(path.Clean(file), strings.TrimSuffix(root, "/")+"/")
		if !below || !filepath.IsLocal(name) {
			return nil, fmt.Errorf("the service names the file %q, which is not below it", file)
		}
		names[i] = name
	}
	return names, nil
}

// receiveFile writes a content to a new file.
func receiveFile(ctx context.Context, file string, content *soapwire.Content) error {
	if content == nil {
		return errors.New("the reply has no content for it")
	}
	stream, err := content.Open()
	if err != nil {
		return asText(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, stream)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return errors.Join(err, out.Close())
}
