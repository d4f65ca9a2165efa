package sshclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/disnix-go/disnix/service/commandline"
)

// Files on the target, for programs that take and print names of files. All
// commands are given to sh as words: names are never read by a shell.

// shell runs a script with parameters on the target.
func (c *commands) shell(ctx context.Context, operation, script string, parameters []string, stdin io.Reader, stdout io.Writer) error {
	return c.link.run(ctx, command{
		operation: operation,
		words:     append([]string{"sh", "-c", script, "sh"}, parameters...),
		stdin:     stdin,
		stdout:    stdout,
	}, c.log)
}

// temporary creates a temporary file or directory on the target.
func (c *commands) temporary(ctx context.Context, options ...string) (string, error) {
	var out commandline.Result
	err := c.link.run(ctx, command{operation: "tmpfile", words: append([]string{"disnix-tmpfile"}, options...), stdout: &out}, c.log)
	if err != nil {
		return "", fmt.Errorf("create a temporary file on the target: %w", err)
	}
	return onlyFile("disnix-tmpfile", commandline.Lines(out.String()))
}

// printedFile runs an operation that prints the name of a file that it leaves
// to the caller.
func (c *commands) printedFile(ctx context.Context, operation string, words []string) (string, error) {
	lines, err := c.lines(ctx, operation, words...)
	if err == nil {
		var file string
		if file, err = onlyFile(c.program, lines); err == nil {
			return file, nil
		}
	}
	for _, line := range lines {
		if isTemporary(line) {
			err = errors.Join(err, c.remove(ctx, line))
		}
	}
	return "", err
}

// onlyFile returns the name of the file that a program has printed. A file
// that is removed later must look like a temporary one.
func onlyFile(program string, lines []string) (string, error) {
	if len(lines) != 1 {
		return "", fmt.Errorf("%s on the target printed %d file names instead of one", program, len(lines))
	}
	if !isTemporary(lines[0]) {
		return "", fmt.Errorf("%s on the target printed %s instead of the name of a temporary file", program, printable([]byte(lines[0])))
	}
	return lines[0], nil
}

// isTemporary reports whether the name is one that disnix-tmpfile and the
// programs of the contract make: disnix.XXXXXX in any directory.
func isTemporary(name string) bool {
	base, ok := strings.CutPrefix(path.Base(name), "disnix.")
	return ok && base != "" && path.IsAbs(name) && path.Clean(name) == name
}

// remove removes a temporary file or directory on the target, also after a
// cancellation.
func (c *commands) remove(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := c.shell(ctx, "remove", `[ ! -d "$1" ] || chmod -R u+rwX "$1"; rm -rf -- "$1"`, []string{file}, nil, nil)
	if err != nil {
		return fmt.Errorf("remove temporary file %s on the target: %w", file, err)
	}
	return nil
}

// upload writes a stream to a file.
func (c *commands) upload(ctx context.Context, stream io.Reader, file string) error {
	return c.shell(ctx, "upload", `cat > "$1"`, []string{file}, stream, nil)
}

// download writes a file to w.
func (c *commands) download(ctx context.Context, file string, w io.Writer) error {
	return c.shell(ctx, "download", `cat "$1"`, []string{file}, nil, w)
}

// unpack extracts an archive into a new directory.
func (c *commands) unpack(ctx context.Context, archive io.Reader, dir string) error {
	return c.shell(ctx, "unpack", `mkdir "$1" && tar -xpf - -C "$1"`, []string{dir}, archive, nil)
}

// pack writes a directory as an archive with entries relative to it.
func (c *commands) pack(ctx context.Context, dir string, archive io.Writer) error {
	return c.shell(ctx, "pack", `tar -cf - -C "$1" .`, []string{dir}, nil, archive)
}
