// Package dump moves the dumps of databases between client programs and
// compressed files: everything is streamed, both ends of every pipe are
// checked, and a dump is identified by its content.
//
// The files are those of the original: xz, read by any xz. What is compressed
// at most is decided by how fast the dump comes, see [Writer].
package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Write runs a program that prints a dump and stores it, compressed, in a new
// file. It returns the id of the content: the SHA-256 of the lines, without
// those that skip recognises (nil: none). An empty dump is an error: every
// program prints at least a header.
func (c Clients) Write(ctx context.Context, name string, program *exec.Cmd, skip Skip, patience Patience) (id string, err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", fmt.Errorf("write dump: %w", err)
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	compressed, err := c.NewWriter(ctx, file, patience)
	if err != nil {
		return "", fmt.Errorf("write dump: %w", err)
	}
	content := newContent(skip)
	out, err := program.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("write dump: %w", err)
	}
	widen(out)
	said := &messages{}
	program.Stderr = said
	if err := program.Start(); err != nil {
		return "", errors.Join(fmt.Errorf("write dump: %w", err), compressed.Close())
	}
	size, problem := io.CopyBuffer(io.MultiWriter(content, compressed), onlyReader{out}, make([]byte, 256<<10))
	out.Close() // a program that still writes notices
	ended := failure(ctx, program, said, program.Wait())
	problem = errors.Join(problem, compressed.Close())
	switch {
	case problem != nil && ctx.Err() == nil:
		// The program has only failed because nobody listened.
		return "", fmt.Errorf("write dump: %w", problem)
	case ended != nil:
		return "", fmt.Errorf("write dump: %w", ended)
	case size == 0:
		return "", fmt.Errorf("write dump: %s printed nothing", filepath.Base(program.Path))
	}
	return content.ID(), nil
}

// widen lets a pipe have room for 1 MiB, so that both ends wait less often for
// each other. It does not matter if the system refuses it.
func widen(end any) {
	file, ok := end.(*os.File)
	if !ok {
		return
	}
	if conn, err := file.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
}

// onlyReader hides that a pipe could be copied in other ways than reading.
type onlyReader struct{ io.Reader }

// Filter passes on everything that it reads, with changes.
type Filter func(to io.Writer, from io.Reader) error

// Load decompresses a dump into a program, through a filter if it is not nil.
// It fails if the file is damaged or cut off, or the program fails or has not
// read everything.
func (c Clients) Load(ctx context.Context, name string, program *exec.Cmd, filter Filter) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read dump: %w", err)
	}
	defer file.Close()
	decompress, err := (Clients{Search: c.Search}).Command(ctx, []string{"xz"}, "-dc")
	if err != nil {
		return fmt.Errorf("read dump: %w", err)
	}
	decompress.Stdin = file
	if err := pipe(ctx, decompress, program, filter); err != nil {
		return fmt.Errorf("read dump %s: %w", name, err)
	}
	return nil
}

// filtered is a standard input that goes through a filter.
type filtered struct {
	*os.File
	filter Filter
}

// WriteTo is how the standard input is written to the program.
func (f filtered) WriteTo(w io.Writer) (int64, error) {
	widen(w)
	return 0, f.filter(w, onlyReader{f.File})
}

// Pipe runs two programs, the output of the first being the input of the
// second. It fails if one of them does.
func Pipe(ctx context.Context, from, to *exec.Cmd) error { return pipe(ctx, from, to, nil) }

func pipe(ctx context.Context, from, to *exec.Cmd, filter Filter) error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	widen(write)
	from.Stdout, to.Stdin = write, read
	if filter != nil {
		to.Stdin = filtered{read, filter}
	}
	var fromSaid, toSaid messages
	from.Stderr, to.Stderr = &fromSaid, &toSaid
	err = from.Start()
	write.Close()
	if err != nil {
		return err
	}
	err = to.Start()
	if filter == nil || err != nil {
		read.Close()
	}
	if err != nil {
		return errors.Join(err, ignoreBrokenPipe(from.Wait()))
	}
	var fromEnded error
	var both sync.WaitGroup
	both.Go(func() { fromEnded = from.Wait() })
	toEnded := failure(ctx, to, &toSaid, to.Wait())
	read.Close() // the first notices that nobody reads any more
	both.Wait()
	if toEnded != nil {
		// That the first could not go on is only the consequence.
		return errors.Join(toEnded, failure(ctx, from, &fromSaid, ignoreBrokenPipe(fromEnded)))
	}
	return failure(ctx, from, &fromSaid, fromEnded)
}
