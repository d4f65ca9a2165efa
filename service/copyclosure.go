package service

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// CopyClosure copies the closure of paths from one store to another. Paths
// that the destination has already are not transferred; afterwards it is asked
// once more whether it has all of them. It returns the paths that were copied.
//
// The closure is streamed, nothing is stored in between. Between stores that
// are the same nothing is copied.
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
	if err := transfer(ctx, from, to, missing); err != nil {
		return nil, err
	}
	lost, err := to.PrintInvalid(ctx, missing)
	if err != nil {
		return nil, fmt.Errorf("verify the copied closure at the destination: %w", err)
	}
	if len(lost) > 0 {
		return nil, fmt.Errorf("at the destination: %s did not become valid, although the import was successful", summary(lost))
	}
	return missing, nil
}

// transfer streams paths from one store to the other. When one side fails the
// other one is stopped, and only the error of the side that failed by itself
// is returned.
func transfer(ctx context.Context, from, to Store, paths []string) error {
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
	_, importErr := to.ImportClosure(ctx, reader)
	if importErr != nil {
		stop()
	}
	_ = reader.CloseWithError(errNotRead)
	exportErr := <-exported

	switch {
	case importErr != nil && (exportErr == nil || destination.err != nil || errors.Is(exportErr, context.Canceled)):
		return fmt.Errorf("at the destination: %w", importErr)
	case exportErr != nil:
		return fmt.Errorf("at the source: %w", exportErr)
	default:
		return nil
	}
}

// errNotRead is what the source sees when the destination reads no further.
var errNotRead = errors.New("the destination stopped reading")
