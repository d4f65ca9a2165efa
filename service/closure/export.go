package closure

import (
	"context"
	"io"
	"path"
	"slices"
)

// Source is a store whose paths are named on command lines, which are bounded.
type Source struct {
	// Requisites returns the closure of any number of paths, dependencies
	// before dependants.
	Requisites func(ctx context.Context, paths []string) ([]string, error)
	// Export writes paths that fit on one command line as a stream, in an
	// order in which they can be imported.
	Export func(ctx context.Context, paths []string, w io.Writer) error
}

// Export writes any number of paths (not their dependencies) to w as one
// stream, in which dependencies come before dependants.
func Export(ctx context.Context, paths []string, w io.Writer, from Source) error {
	batches := slices.Collect(Batches(paths))
	if len(batches) > 1 {
		ordered, err := from.dependencyOrder(ctx, paths)
		if err != nil {
			return err
		}
		batches = slices.Collect(Batches(ordered))
	}
	joined := NewJoiner(w)
	for _, batch := range batches {
		err := from.Export(ctx, batch, joined)
		if err == nil {
			err = joined.Next()
		}
		if err != nil {
			return err
		}
	}
	return joined.Close()
}

// dependencyOrder sorts paths so that dependencies come before dependants: a
// store sorts only what it exports at once.
func (s Source) dependencyOrder(ctx context.Context, paths []string) ([]string, error) {
	wanted := make(map[string]bool, len(paths))
	for _, name := range paths {
		wanted[path.Clean(name)] = true
	}
	requisites, err := s.Requisites(ctx, paths)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(requisites, func(name string) bool { return !wanted[name] }), nil
}
