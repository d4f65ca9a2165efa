package activitycmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/disnix-go/disnix/service"
)

// operation is one operation of the contract.
type operation struct {
	run           func(*call) error
	needs         needs
	boolean       bool // its only result is its exit status
	pathsAreFiles bool // relative operands are below the current directory
}

var operations = map[string]operation{
	"import":           {run: (*call).importClosures, needs: needsPath, boolean: true, pathsAreFiles: true},
	"export":           {run: (*call).exportClosure, pathsAreFiles: true},
	"print-invalid":    {run: list(service.Service.PrintInvalid), pathsAreFiles: true},
	"realise":          {run: list(service.Service.Realise), pathsAreFiles: true},
	"query-requisites": {run: list(service.Service.QueryRequisites), pathsAreFiles: true},
	"collect-garbage":  {run: (*call).collectGarbage, boolean: true},

	"set":             {run: (*call).setProfile, needs: needsNew, boolean: true, pathsAreFiles: true},
	"query-installed": {run: (*call).queryInstalled},
	"lock":            {run: (*call).lock, needs: needsProfile, boolean: true},
	"unlock":          {run: (*call).unlock, needs: needsProfile, boolean: true},

	"activate":     {run: activity(service.Service.Activate), needs: needsActivity, boolean: true},
	"deactivate":   {run: activity(service.Service.Deactivate), needs: needsActivity, boolean: true},
	"snapshot":     {run: activity(service.Service.Snapshot), needs: needsActivity, boolean: true},
	"restore":      {run: activity(service.Service.Restore), needs: needsActivity, boolean: true},
	"delete-state": {run: activity(service.Service.DeleteState), needs: needsActivity, boolean: true},
	"shell":        {run: (*call).shell, needs: needsActivity, boolean: true},

	"query-all-snapshots":     {run: selectSnapshots(service.Service.QueryAllSnapshots)},
	"query-latest-snapshot":   {run: selectSnapshots(service.Service.QueryLatestSnapshot)},
	"print-missing-snapshots": {run: list(service.Service.PrintMissingSnapshots)},
	"resolve-snapshots":       {run: list(service.Service.ResolveSnapshots), needs: needsSnapshots},
	"import-snapshots":        {run: (*call).importSnapshots, needs: needsOwner, boolean: true, pathsAreFiles: true},
	"export-snapshots":        {run: (*call).exportSnapshots, needs: needsSnapshots, pathsAreFiles: true},
	"clean-snapshots":         {run: (*call).cleanSnapshots, boolean: true},

	"capture-config": {run: (*call).captureConfig},
}

// list returns an operation from paths to lines.
func list(query func(service.Service, context.Context, []string) ([]string, error)) func(*call) error {
	return func(c *call) error {
		lines, err := query(c.service, c.ctx, c.Paths)
		if err != nil {
			return err
		}
		return c.print(lines)
	}
}

// selectSnapshots returns an operation from a container and a component to
// lines.
func selectSnapshots(query func(service.Service, context.Context, string, string) ([]string, error)) func(*call) error {
	return func(c *call) error {
		lines, err := query(c.service, c.ctx, c.Container, c.Component)
		if err != nil {
			return err
		}
		return c.print(lines)
	}
}

// activity returns an operation on a component.
func activity(run func(service.Service, context.Context, service.Activity) error) func(*call) error {
	return func(c *call) error { return run(c.service, c.ctx, c.activity()) }
}

func (c *call) activity() service.Activity {
	return service.Activity{
		Component:   c.Paths[0],
		Container:   c.Container,
		Type:        c.Type,
		Arguments:   c.Arguments,
		Output:      c.Stdout,
		Diagnostics: c.Stderr,
	}
}

func (c *call) shell() error {
	return c.service.Shell(c.ctx, c.activity(), service.ShellSession{
		Command: c.Command,
		Stdin:   c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr,
	})
}

func (c *call) collectGarbage() error { return c.service.CollectGarbage(c.ctx, c.DeleteOld) }

func (c *call) setProfile() error { return c.service.SetProfile(c.ctx, c.Profile, c.Paths[0]) }

func (c *call) lock() error { return c.service.Lock(c.ctx, c.Profile) }

func (c *call) unlock() error { return c.service.Unlock(c.ctx, c.Profile) }

// queryInstalled prints the manifest as it is; nothing without a profile.
func (c *call) queryInstalled() error {
	if c.Profile == "" {
		return nil
	}
	manifest, err := c.service.QueryInstalled(c.ctx, c.Profile)
	if err != nil {
		return err
	}
	_, err = c.Stdout.Write(manifest)
	return err
}

// errClosureFile says that a closure file cannot be read. (The text is the
// original's.)
var errClosureFile = errors.New("Cannot open closure file")

// importClosures imports files and prints the imported paths.
func (c *call) importClosures() error {
	for _, path := range c.Paths {
		if err := c.importClosure(path); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) importClosure(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: [%s]: %w", errClosureFile, path, err)
	}
	defer file.Close()
	imported, err := c.service.ImportClosure(c.ctx, file)
	if err != nil {
		return err
	}
	return c.print(imported)
}

// exportClosure prints the name of a temporary file with the closure, which is
// left to the caller.
func (c *call) exportClosure() error {
	return c.printTemporaryFile(0o644, func(w io.Writer) error {
		return c.service.ExportClosure(c.ctx, c.Paths, w)
	})
}

// captureConfig prints the configuration to a coordinator, and the name of a
// temporary file with it, which only the caller can read, to the remote half
// of a client interface.
func (c *call) captureConfig() error {
	config, err := c.service.CaptureConfig(c.ctx)
	if err != nil {
		return err
	}
	if c.Target != "" {
		_, err := io.WriteString(c.Stdout, config)
		return err
	}
	return c.printTemporaryFile(0o600, func(w io.Writer) error {
		_, err := io.WriteString(w, config)
		return err
	})
}

// printTemporaryFile prints the name of a temporary file after it was written.
// If that fails there is no file, and nothing is printed.
func (c *call) printTemporaryFile(mode os.FileMode, write func(io.Writer) error) error {
	file, err := os.CreateTemp("", "disnix.")
	if err != nil {
		return fmt.Errorf("create temporary file: %w", err)
	}
	err = write(file)
	if err == nil {
		err = file.Chmod(mode)
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = c.print([]string{file.Name()})
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

func (c *call) print(lines []string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(c.Stdout, line); err != nil {
			return fmt.Errorf("print result: %w", err)
		}
	}
	return nil
}
