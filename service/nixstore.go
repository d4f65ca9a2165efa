package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/service/closure"
)

// NixStore is the Nix store of this machine. Any number of paths may be given
// to its methods: they are passed to Nix in parts, because argument lists are
// bounded.
type NixStore struct {
	// Log receives the diagnostics of Nix, such as build logs, while it runs;
	// it may be nil. It must be safe for concurrent use. The last ones are
	// also part of errors.
	Log io.Writer
}

var _ Store = NixStore{}

// PrintInvalid implements [Store] with nix-store --check-validity.
func (s NixStore) PrintInvalid(ctx context.Context, paths []string) ([]string, error) {
	invalid, err := s.lines(ctx, paths, "--check-validity", "--print-invalid")
	if err != nil {
		return nil, fmt.Errorf("check the validity of %s: %w", summary(paths), err)
	}
	return invalid, nil
}

// QueryRequisites implements [Store] with nix-store -qR. Dependencies come
// before dependants also if there are several parts: each part has all
// dependencies of its paths, and only repetitions are left out.
func (s NixStore) QueryRequisites(ctx context.Context, paths []string) ([]string, error) {
	requisites, err := s.lines(ctx, paths, "-qR")
	if err != nil {
		return nil, fmt.Errorf("query the requisites of %s: %w", summary(paths), err)
	}
	return requisites, nil
}

// Realise implements [Store] with nix-store -r.
func (s NixStore) Realise(ctx context.Context, derivations []string) ([]string, error) {
	outputs, err := s.lines(ctx, derivations, "-r")
	if err != nil {
		return nil, fmt.Errorf("realise %s: %w", summary(derivations), err)
	}
	return outputs, nil
}

// ImportClosure implements [Store] with nix-store --import.
func (s NixStore) ImportClosure(ctx context.Context, stream io.Reader) ([]string, error) {
	var out bytes.Buffer
	source := &watchedReader{Reader: stream}
	err := nix.Run(ctx, nix.Command{
		Name: "nix-store", Args: []string{"--import"},
		Stdin: source, Stdout: &out, Stderr: s.Log,
	})
	if source.err != nil {
		return nil, fmt.Errorf("read closure: %w", source.err)
	}
	if err != nil {
		return nil, fmt.Errorf("import closure: %w", err)
	}
	return lines(out.String()), nil
}

// ExportClosure implements [Store] with nix-store --export.
func (s NixStore) ExportClosure(ctx context.Context, paths []string, w io.Writer) error {
	if err := s.exportClosure(ctx, paths, w); err != nil {
		return fmt.Errorf("export %s: %w", summary(paths), err)
	}
	return nil
}

func (s NixStore) exportClosure(ctx context.Context, paths []string, w io.Writer) error {
	if err := checkPaths(paths); err != nil {
		return err
	}
	batches := slices.Collect(closure.Batches(paths))
	if len(batches) > 1 {
		ordered, err := s.dependencyOrder(ctx, paths)
		if err != nil {
			return err
		}
		batches = slices.Collect(closure.Batches(ordered))
	}
	destination := &watchedWriter{Writer: w}
	joined := closure.NewJoiner(destination)
	for _, batch := range batches {
		err := nix.Run(ctx, nix.Command{
			Name: "nix-store", Args: append([]string{"--export"}, batch...),
			Stdout: joined, Stderr: s.Log,
		})
		if destination.err != nil {
			return fmt.Errorf("write closure: %w", destination.err)
		}
		if err != nil {
			return err
		}
		if err := joined.Next(); err != nil {
			return err
		}
	}
	return joined.Close()
}

// dependencyOrder sorts paths so that dependencies come before dependants. Nix
// itself sorts what it exports at once.
func (s NixStore) dependencyOrder(ctx context.Context, paths []string) ([]string, error) {
	wanted := make(map[string]bool, len(paths))
	for _, path := range paths {
		wanted[filepath.Clean(path)] = true
	}
	requisites, err := s.lines(ctx, paths, "-qR")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(requisites, func(path string) bool { return !wanted[path] }), nil
}

// CollectGarbage implements [Store] with nix-collect-garbage.
func (s NixStore) CollectGarbage(ctx context.Context, deleteOld bool) error {
	var args []string
	if deleteOld {
		args = append(args, "-d")
	}
	err := nix.Run(ctx, nix.Command{Name: "nix-collect-garbage", Args: args, Stdout: s.Log, Stderr: s.Log})
	if err != nil {
		return fmt.Errorf("collect garbage: %w", err)
	}
	return nil
}

// lines runs nix-store on every part of the paths and returns what it prints,
// without repetitions.
func (s NixStore) lines(ctx context.Context, paths []string, options ...string) ([]string, error) {
	if err := checkPaths(paths); err != nil {
		return nil, err
	}
	var result []string
	seen := make(map[string]bool)
	for batch := range closure.Batches(paths) {
		var out bytes.Buffer
		err := nix.Run(ctx, nix.Command{
			Name: "nix-store", Args: slices.Concat(options, batch),
			Stdout: &out, Stderr: s.Log,
		})
		if err != nil {
			return nil, err
		}
		for _, line := range lines(out.String()) {
			if !seen[line] {
				seen[line] = true
				result = append(result, line)
			}
		}
	}
	return result, nil
}

// checkPaths refuses what Nix would take for an option, or what could not be
// told apart in lists of lines.
func checkPaths(paths []string) error {
	for _, path := range paths {
		if !filepath.IsAbs(path) || strings.ContainsAny(path, "\n\x00") {
			return fmt.Errorf("%q is not a store path", path)
		}
	}
	return nil
}

// summary names paths in an error.
func summary(paths []string) string {
	switch len(paths) {
	case 0:
		return "no paths"
	case 1:
		return paths[0]
	default:
		return fmt.Sprintf("%s and %d more", paths[0], len(paths)-1)
	}
}

// lines splits output at newlines; an unterminated last line counts.
func lines(output string) []string {
	output = strings.TrimSuffix(output, "\n")
	if output == "" {
		return nil
	}
	return strings.Split(output, "\n")
}

// watchedReader keeps the error of a reader: a program that was fed from it
// only complains about the early end of its input.
type watchedReader struct {
	io.Reader
	err error
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// watchedWriter keeps the error of a writer: a program that writes to it only
// sees its output closed.
type watchedWriter struct {
	io.Writer
	err error
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}
