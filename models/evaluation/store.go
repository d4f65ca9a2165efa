package evaluation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/models/nix"
)

// batchSize is how many installables are given to one program, so that its
// command line stays below the limits of the system.
const batchSize = 4000

// realise builds or fetches installables, each a store path or one output of
// a derivation, and returns the store path of each. If some can not be built
// the others are all the same; failures then collects what Nix says about it.
func realise(ctx context.Context, log io.Writer, installables []string, failures *failureLines) (map[string]string, error) {
	paths := make(map[string]string, len(installables))
	diagnostics := io.Writer(failures)
	if log != nil {
		diagnostics = io.MultiWriter(failures, log)
	}
	var failed *nix.Error
	for start := 0; start < len(installables); start += batchSize {
		batch := installables[start:min(start+batchSize, len(installables))]
		var out bytes.Buffer
		err := nix.Run(ctx, nix.Command{
			Name:   "nix-store",
			Args:   append([]string{"--realise", "--keep-going", "--no-gc-warning"}, batch...),
			Stdout: &out,
			Stderr: diagnostics,
		})
		if err != nil {
			if !errors.As(err, &failed) {
				return nil, err
			}
			continue
		}
		lines := strings.Fields(out.String())
		if len(lines) != len(batch) {
			return nil, fmt.Errorf("realise %d store paths: nix-store printed %d", len(batch), len(lines))
		}
		for i, installable := range batch {
			paths[installable] = lines[i]
		}
	}
	if failed != nil {
		return nil, failed
	}
	return paths, nil
}

// addText puts a document into the store. The references have to be valid
// store paths that the document mentions; they live as long as it does.
func (w *workspace) addText(ctx context.Context, name string, write func(io.Writer) error, references []string) (string, error) {
	if err := w.write(name, write); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	specification, err := w.writeJSON(name+".json", map[string]any{
		"name":       name,
		"file":       filepath.Join(w.dir, name),
		"references": append([]string{}, references...),
	})
	if err != nil {
		return "", err
	}
	var path string
	if err := w.evaluate(ctx, &path, "text.nix", "--argstr", "specification", specification); err != nil {
		return "", fmt.Errorf("put %s into the store: %w", name, err)
	}
	return path, nil
}

// writeJSON creates a file that an expression reads and returns its path.
func (w *workspace) writeJSON(name string, value any) (string, error) {
	err := w.write(name, func(out io.Writer) error { return json.NewEncoder(out).Encode(value) })
	if err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return filepath.Join(w.dir, name), nil
}

// Link registers a symbolic link to a store path as a garbage collection
// root, replacing a link that is there.
func Link(ctx context.Context, storePath, link string) error {
	absolute, err := filepath.Abs(link)
	if err != nil {
		return err
	}
	if info, err := os.Lstat(absolute); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return fmt.Errorf("create link %s to the store: there is a file of that name already", absolute)
	}
	_, err = nix.Output(ctx, "nix-store", "--realise", storePath, "--add-root", absolute, "--indirect")
	if err != nil {
		return fmt.Errorf("create link %s to the store: %w", absolute, err)
	}
	return nil
}
