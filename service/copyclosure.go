package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// CopyClosure copies the closure of paths from one store to another. It costs
// the destination two operations whatever the number of paths: it is asked once
// which of them it misses, and only these are transferred. It returns the paths
// that were copied; that the destination has them now is part of the import.
//
// The closure is streamed, nothing is stored in between. Between stores that
// are the same nothing is copied. After a failure it can be repeated: what has
// arrived is not copied again.
func CopyClosure(ctx context.Context, from, to Store, paths []string) ([]string, error) {
	requisites, err := from.QueryRequisites(ctx, paths)
	if err != nil {
		return nil, fmt.Errorf("at the source: %w", err)
	}
	if len(requisites) == 0 {
		return nil, nil
	}
	missing, err := to.PrintInvalid(ctx, requisites)
	if err != nil {
		return nil, fmt.Errorf("at the destination: %w", err)
	}
	if len(missing) == 0 {
		return nil, nil
	}
	imported, err := transfer(ctx, from, to, missing)
	if err != nil {
		return nil, err
	}
	arrived := make(map[string]bool, len(imported))
	for _, path := range imported {
		arrived[path] = true
	}
	lost := slices.DeleteFunc(slices.Clone(missing), func(path string) bool { return arrived[path] })
	if len(lost) > 0 {
		return nil, fmt.Errorf("at the destination: %w", notValid(lost))
	}
	return missing, nil
}

// CheckImported asks a store whether it has the paths of a closure that it has
// imported, and returns them if so.
func CheckImported(ctx context.Context, store Store, paths []string) ([]string, error) {
	lost, err := store.PrintInvalid(ctx, paths)
	if err != nil {
		return nil, fmt.Errorf("verify the imported closure: %w", err)
	}
	if len(lost) > 0 {
		return nil, notValid(lost)
	}
	return paths, nil
}

func notValid(lost []string) error {
	return fmt.Errorf("%s did not become valid, although the import was successful: look at the Nix store there (nix-store --verify)", summary(lost))
}

// transfer streams paths from one store to the other. When one side fails the
// other one is stopped, and only the error of the side that failed by itself
// is returned. Otherwise it returns what the destination says it has imported.
func transfer(ctx context.Context, from, to Store, paths []string) ([]string, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	reader, writer := io.Pipe()
	destination := &watchedWriter{Writer: writer}
	exported := make(chan error, 1)
	go func() {
		err := from.ExportClosure(ctx, paths, destination)
		if err == nil {
			err = writer.Close()
		} else {
			_ = writer.CloseWithError(err)
		}
		exported <- err
	}()
	imported, importErr := to.ImportClosure(ctx, reader)
	if importErr != nil {
		stop()
	}
	_ = reader.CloseWithError(errNotRead)
	exportErr := <-exported

	switch {
	case importErr != nil && (exportErr == nil || destination.err != nil || errors.Is(exportErr, context.Canceled)):
		return nil, fmt.Errorf("at the destination: %w", importErr)
	case exportErr != nil:
		return nil, fmt.Errorf("at the source: %w", exportErr)
	default:
		return imported, nil
	}
}

// errNotRead is what the source sees when the destination reads no further.
var errNotRead = errors.New("the destination stopped reading")
