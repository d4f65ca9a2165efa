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
	"github.com/disnix-go/disnix/service/commandline"
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

// Realise implements [Store] with nix-store -r. Nothing keeps the results: that
// is for the caller to see to.
func (s NixStore) Realise(ctx context.Context, derivations []string) ([]string, error) {
	outputs, err := s.lines(ctx, derivations, "-r", "--no-gc-warning")
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
	return commandline.Lines(out.String()), nil
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
	destination := &watchedWriter{Writer: w}
	err := closure.Export(ctx, paths, destination, closure.Source{
		Requisites: func(ctx context.Context, paths []string) ([]string, error) { return s.lines(ctx, paths, "-qR") },
		Export: func(ctx context.Context, paths []string, w io.Writer) error {
			return nix.Run(ctx, nix.Command{Name: "nix-store", Args: append([]string{"--export"}, paths...), Stdout: w, Stderr: s.Log})
		},
	})
	if destination.err != nil {
		return fmt.Errorf("write closure: %w", destination.err)
	}
	return err
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
	return closure.Each(paths, func(batch []string) ([]string, error) {
		var out bytes.Buffer
		err := nix.Run(ctx, nix.Command{
			Name: "nix-store", Args: slices.Concat(options, batch),
			Stdout: &out, Stderr: s.Log,
		})
		return commandline.Lines(out.String()), err
	})
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
