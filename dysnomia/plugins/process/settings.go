package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
)

// settings say what to run and how.
type settings struct {
	program     string // absolute path
	arguments   []string
	pidFile     string
	timeout     time.Duration
	stopTimeout time.Duration
}

func readSettings(ctx context.Context, r *dysnomia.Request) (settings, error) {
	s, err := determine(ctx, r)
	if err != nil {
		return s, fmt.Errorf("determine the process of component %s: %w", r.Component, err)
	}
	return s, nil
}

func determine(ctx context.Context, r *dysnomia.Request) (settings, error) {
	specified, err := specification(ctx, r)
	if err != nil {
		return settings{}, err
	}
	command, pidFile := specified["process"], specified["pidFile"]
	if specified == nil {
		command, pidFile = r.Properties["process"], r.Properties["pidFile"]
	}
	if strings.TrimSpace(command) == "" {
		if command, err = onlyProgram(filepath.Join(r.Component, "bin")); err != nil {
			return settings{}, err
		}
	}
	words := strings.Fields(command)
	if strings.HasPrefix(command, filepath.Join(r.Component, "bin")) && isFile(command) {
		words = []string{command} // a program in bin/ may have blanks in its name
	}
	program, err := dysnomia.FindProgram(r.Environment, words[0])
	if err != nil {
		return settings{}, err
	}
	s := settings{program: program, arguments: words[1:], pidFile: pidFile}
	if s.pidFile == "" {
		runtimeDir := r.Properties["runtimeDir"]
		if runtimeDir == "" {
			runtimeDir = "/var/run"
		}
		s.pidFile = filepath.Join(runtimeDir, filepath.Base(program)+".pid")
	}
	if !filepath.IsAbs(s.pidFile) {
		return s, fmt.Errorf("the PID file %q is not an absolute path", s.pidFile)
	}
	s.timeout, s.stopTimeout, err = timeouts(r)
	return s, err
}

func timeouts(r *dysnomia.Request) (start, stop time.Duration, err error) {
	const fallback = 10 * time.Second
	start, startErr := r.Seconds("timeout", fallback)
	stop, stopErr := r.Seconds("stopTimeout", fallback)
	return start, stop, errors.Join(startErr, stopErr)
}

// specification reads the file in etc/dysnomia/process. Of several, the first
// by name counts, as with the original. Without one it returns nil.
func specification(ctx context.Context, r *dysnomia.Request) (map[string]string, error) {
	dir := filepath.Join(r.Component, "etc", "dysnomia", "process")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(entries) > 1 {
		fmt.Fprintf(r.Stderr, "There is more than one file in %s: only %s is used.\n", dir, entries[0].Name())
	}
	file := filepath.Join(dir, entries[0].Name())
	specified, err := dysnomia.ReadSettings(ctx, file, r.Environment)
	if err == nil && strings.TrimSpace(specified["process"]) == "" {
		err = fmt.Errorf("%s does not set process", file)
	}
	return specified, err
}

func onlyProgram(bin string) (string, error) {
	entries, err := os.ReadDir(bin)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	switch len(entries) {
	case 0:
		return "", fmt.Errorf("no process could be found: there is nothing in %s", bin)
	case 1:
		return filepath.Join(bin, entries[0].Name()), nil
	}
	return "", fmt.Errorf("more than one process found in %s: name one in a file in etc/dysnomia/process", bin)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
