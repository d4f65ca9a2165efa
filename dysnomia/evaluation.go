package dysnomia

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// readProperties reads a container or properties file.
//
// Values that need expansion are evaluated by an embedded interpreter of bash
// syntax with the environment of the caller, and only if nobody else than root
// and the calling user can have written them. The interpreter was preferred to
// bash because it runs the one parsed assignment and nothing else of the file,
// is the same on every machine, cannot be steered by startup files or exported
// functions, and stops with the context. It starts the programs of $(…) as
// bash does.
func (h *Host) readProperties(ctx context.Context, file string) (Properties, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read properties: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read properties: %w", err)
	}
	evaluate := func(assign *syntax.Assign) (Property, error) {
		if err := checkTrust(f); err != nil {
			return Property{}, fmt.Errorf("it needs an expansion, but %w; put it in single quotes if it is meant literally", err)
		}
		return h.evaluate(ctx, assign)
	}
	return parseProperties(file, string(text), evaluate)
}

// evaluate runs one assignment and returns what it assigns.
func (h *Host) evaluate(ctx context.Context, assign *syntax.Assign) (Property, error) {
	var complaints bytes.Buffer
	runner, err := interp.New(
		interp.Env(expand.ListEnviron(h.Environment...)),
		interp.StdIO(nil, io.Discard, &complaints),
	)
	if err != nil {
		return Property{}, fmt.Errorf("start the interpreter: %w", err)
	}
	stmt := &syntax.Stmt{Position: assign.Pos(), Cmd: &syntax.CallExpr{Assigns: []*syntax.Assign{assign}}}
	err = runner.Run(ctx, stmt)
	if ctx.Err() != nil {
		return Property{}, context.Cause(ctx)
	}
	if err != nil {
		return Property{}, evaluationError(err, complaints.String())
	}
	name := assign.Name.Value
	variable := runner.Vars[name]
	if strings.ContainsRune(variable.Str, 0) {
		return Property{}, errors.New("the result has a NUL byte")
	}
	switch variable.Kind {
	case expand.String:
		return textProperty(name, variable.Str), nil
	case expand.Indexed:
		return listProperty(name, variable.List), nil
	default:
		return Property{}, fmt.Errorf("the assignment had no effect: %s", orDefault(lastLine(complaints.String()), "the name is reserved"))
	}
}

func evaluationError(err error, complaints string) error {
	var status interp.ExitStatus
	if errors.As(err, &status) {
		err = fmt.Errorf("its command ended with status %d", uint8(status))
	}
	if line := lastLine(complaints); line != "" {
		return fmt.Errorf("%w: %s", err, line)
	}
	return err
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// checkTrust fails unless the open file and all directories above it belong to
// root or the calling user and can be changed by nobody else.
func checkTrust(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := checkOwner(f.Name(), info); err != nil {
		return err
	}
	path, err := canonical(f.Name())
	if err != nil {
		return err
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if err := checkOwner(dir, info); err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// checkOwner is checkTrust for one file or directory. In a sticky directory,
// such as the Nix store, others can add files but not replace ours.
func checkOwner(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("the owner of %s is unknown", path)
	}
	if stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to neither root nor the calling user", path)
	}
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	if info.Mode().Perm()&0o022 != 0 && !sticky {
		return fmt.Errorf("%s can be written by others than its owner", path)
	}
	return nil
}
