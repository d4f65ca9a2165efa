package evaluation

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/disnix-go/disnix/models/nix"
)

//go:embed glue/*.nix
var glue embed.FS

// workspace is a temporary directory that holds our expressions, and room
// for the files they read.
type workspace struct {
	dir string
	log io.Writer // may be nil
}

func newWorkspace(log io.Writer) (*workspace, error) {
	dir, err := os.MkdirTemp("", "disnix-evaluation.")
	if err != nil {
		return nil, fmt.Errorf("create directory for the evaluation: %w", err)
	}
	w := &workspace{dir: dir, log: log}
	if err := os.CopyFS(dir, glue); err != nil {
		w.close()
		return nil, fmt.Errorf("write expressions for the evaluation: %w", err)
	}
	return w, nil
}

func (w *workspace) close() { _ = os.RemoveAll(w.dir) }

// expression returns the path of an embedded expression.
func (w *workspace) expression(name string) string {
	return filepath.Join(w.dir, "glue", name)
}

// evaluate has Nix evaluate an embedded expression completely and decodes
// its value. Derivations are written to the store. What Nix says on the way
// goes to the log; if the evaluation fails, it is in the error alone.
func (w *workspace) evaluate(ctx context.Context, result any, expression string, args ...string) error {
	args = append([]string{"--eval", "--strict", "--json", "--read-write-mode"}, args...)
	var out, diagnostics bytes.Buffer
	err := nix.Run(ctx, nix.Command{
		Name:   "nix-instantiate",
		Args:   append(args, w.expression(expression)),
		Stdout: &out,
		Stderr: &diagnostics,
	})
	if err != nil {
		return err
	}
	if w.log != nil {
		if _, err := w.log.Write(diagnostics.Bytes()); err != nil {
			return fmt.Errorf("write diagnostics of Nix: %w", err)
		}
	}
	if err := json.Unmarshal(out.Bytes(), result); err != nil {
		return fmt.Errorf("decode value of %s: %w", expression, err)
	}
	return nil
}

// write creates a file for an expression to read.
func (w *workspace) write(name string, write func(io.Writer) error) (err error) {
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	return write(f)
}

// argumentsOf passes model files and what holds for targets by default.
func argumentsOf(files []file, in Inputs) []string {
	return append(fileArguments(files, in),
		"--argstr", "targetProperty", in.TargetProperty,
		"--argstr", "clientInterface", in.ClientInterface,
	)
}

// fileArguments passes model files.
func fileArguments(files []file, in Inputs) []string {
	var args []string
	for _, f := range files {
		args = append(args, "--argstr", f.argument, f.path)
	}
	if in.ShowTrace {
		args = append(args, "--show-trace")
	}
	return args
}

// extraArguments passes the extra parameters.
func (in Inputs) extraArguments() []string {
	if in.ExtraParams == "" {
		return nil
	}
	return []string{"--arg", "extraParams", in.ExtraParams}
}
