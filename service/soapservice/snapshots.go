package soapservice

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapwire"
)

// importSnapshot stores the snapshot that the client sends, file by file or as
// an archive.
func (c *call) importSnapshot(target service.Service, m *soapwire.ImportLocalSnapshots) error {
	snapshot := path.Clean(text(m.Snapshot))
	store := func(archive io.Reader) error {
		return target.ImportSnapshot(c.ctx, text(m.Container), text(m.Component), path.Base(snapshot), archive)
	}
	if c.wants(soapwire.FeatureArchive) && len(m.DataHandlers) == 1 && len(m.Paths) == 0 && m.DataHandlers[0] != nil {
		archive, err := openContent(m.DataHandlers[0])
		if err != nil {
			return err
		}
		return store(archive)
	}
	names, err := relativeNames(snapshot, m)
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := packFiles(c.ctx, writer, names, m.DataHandlers)
		writer.CloseWithError(err)
		packed <- err
	}()
	err = store(reader)
	_ = reader.CloseWithError(errors.New("the snapshot is not stored"))
	if packErr := <-packed; packErr != nil && err != nil && requestFailure(packErr) != nil {
		return packErr
	}
	return err
}

// relativeNames returns the names of a snapshot's files below it.
func relativeNames(snapshot string, m *soapwire.ImportLocalSnapshots) ([]string, error) {
	if len(m.Paths) < len(m.DataHandlers) {
		return nil, fmt.Errorf("Index %d out of bounds for length %d", len(m.Paths), len(m.Paths))
	}
	names := make([]string, len(m.DataHandlers))
	for i := range m.DataHandlers {
		name, below := strings.CutPrefix(path.Clean(text(m.Paths[i])), strings.TrimSuffix(snapshot, "/")+"/")
		if !below || !filepath.IsLocal(name) {
			return nil, &soapwire.Fault{Code: soapwire.Client, Text: fmt.Sprintf("import snapshot: %q is not below the snapshot %q", text(m.Paths[i]), text(m.Snapshot))}
		}
		if m.DataHandlers[i] == nil {
			return nil, &soapwire.Fault{Code: soapwire.Client, Text: fmt.Sprintf("import snapshot: the file %q has no content", text(m.Paths[i]))}
		}
		names[i] = name
	}
	return names, nil
}

// packFiles makes an archive of files that are received. Their size must be
// known before, so each goes to a temporary file, which has no name: whatever
// happens, it does not stay.
func packFiles(ctx context.Context, w io.Writer, names []string, contents []*soapwire.Content) error {
	archive := tar.NewWriter(w)
	if err := archive.WriteHeader(&tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: time.Now()}); err != nil {
		return err
	}
	if len(names) == 0 {
		return archive.Close()
	}
	file, err := os.CreateTemp("", "disnix.")
	if err != nil {
		return fmt.Errorf("store a file of the snapshot: %w", err)
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil {
		return err
	}
	for i, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := packFile(archive, name, contents[i], file); err != nil {
			return fmt.Errorf("store %s of the snapshot: %w", name, err)
		}
	}
	return archive.Close()
}

// packFile adds a file to the archive.
func packFile(archive *tar.Writer, name string, content *soapwire.Content, file *os.File) error {
	stream, err := openContent(content)
	if err != nil {
		return err
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	size, err := io.Copy(io.NewOffsetWriter(file, 0), stream)
	if err != nil {
		return err
	}
	err = archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size, ModTime: time.Now()})
	if err == nil {
		_, err = io.Copy(archive, io.NewSectionReader(file, 0, size))
	}
	return err
}

// exportSnapshot returns the contents of a snapshot's files, in the order in
// which listSnapshot has their paths; or its archive.
func (c *call) exportSnapshot(target service.Service, snapshot string) ([]*soapwire.Content, error) {
	if c.wants(soapwire.FeatureArchive) {
		return []*soapwire.Content{soapwire.NewContent(soapwire.ArchiveType, func(w io.Writer) error {
			return target.ExportSnapshot(c.ctx, snapshot, w)
		})}, nil
	}
	files, err := listSnapshot(c.ctx, target, snapshot)
	if err != nil {
		return nil, err
	}
	walk := newSnapshotWalk(c.ctx, target, snapshot)
	c.cleanups = append(c.cleanups, walk.close)
	contents := make([]*soapwire.Content, len(files))
	for i, file := range files {
		contents[i] = soapwire.NewContent("", func(w io.Writer) error {
			name, content, err := walk.next()
			if err == nil && name != file {
				err = fmt.Errorf("export snapshot %s: it has changed", snapshot)
			}
			if err == nil {
				_, err = io.Copy(w, content)
			}
			return err
		})
	}
	return contents, nil
}

// listSnapshot returns the paths of the files of a snapshot.
func listSnapshot(ctx context.Context, target service.Service, snapshot string) ([]string, error) {
	walk := newSnapshotWalk(ctx, target, snapshot)
	defer walk.close()
	var files []string
	for {
		file, _, err := walk.next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
}

// snapshotWalk goes through the files of a snapshot, as they are in its archive.
// A snapshot does not change, so every walk is the same.
type snapshotWalk struct {
	snapshot string
	reader   *io.PipeReader
	archive  *tar.Reader
	cancel   context.CancelFunc
	ended    chan struct{}
}

func newSnapshotWalk(ctx context.Context, target service.Service, snapshot string) *snapshotWalk {
	ctx, cancel := context.WithCancel(ctx)
	reader, writer := io.Pipe()
	walk := &snapshotWalk{snapshot, reader, tar.NewReader(reader), cancel, make(chan struct{})}
	go func() {
		defer close(walk.ended)
		writer.CloseWithError(target.ExportSnapshot(ctx, snapshot, writer))
	}()
	return walk
}

// next returns the path of the next file and what is in it, or io.EOF.
func (s *snapshotWalk) next() (string, io.Reader, error) {
	for {
		header, err := s.archive.Next()
		if err != nil {
			return "", nil, err
		}
		switch header.Typeflag {
		case tar.TypeDir:
		case tar.TypeReg:
			return path.Join(s.snapshot, header.Name), s.archive, nil
		default:
			return "", nil, fmt.Errorf("export snapshot %s: %s is a link, which files by SOAP cannot be: a client that asks for archives gets it", s.snapshot, header.Name)
		}
	}
}

func (s *snapshotWalk) close() {
	s.cancel()
	_ = s.reader.Close()
	<-s.ended
}
