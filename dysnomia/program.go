package dysnomia

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// programGrace is how long a program of a component that was told to stop may
// go on before it is killed.
const programGrace = 10 * time.Second

// systemPrograms are searched after PATH for programs that a component needs.
const systemPrograms = "/run/current-system/sw/bin:/usr/sbin:/sbin:/usr/bin:/bin"

// RunProgram runs a program of a component for a plugin, with the environment
// and the output of the request, and waits for its end. It has a session of
// its own and nothing on standard input, except in a shell operation, which
// shares the terminal of the caller.
//
// Processes that the program leaves behind go on when it has ended, also if
// they hold its output. When ctx ends, the program and those are told to stop.
// A failure is a [*ModuleError] with the program's exit status.
//
// The process id is returned if the program could be started: it is also the
// id of its session.
func (r *Request) RunProgram(ctx context.Context, op Operation, path string, args ...string) (pid int, err error) {
	cmd := exec.Command(path, args...)
	if op == Shell {
		cmd.Stdin = r.Stdin
	}
	err = r.execute(ctx, op, cmd, programGrace)
	if cmd.Process != nil {
		pid = cmd.Process.Pid
	}
	return pid, err
}

// FindProgram returns the absolute path of a program that is named as in a
// shell: by a path, or by a name that is looked for in the PATH of the
// environment (key=value) and in the usual directories.
func FindProgram(environment []string, name string) (string, error) {
	if strings.Contains(name, "/") {
		return filepath.Abs(name)
	}
	search := variables(environment)["PATH"] + ":" + systemPrograms
	for _, dir := range filepath.SplitList(search) {
		path := filepath.Join(dir, name)
		if filepath.IsAbs(dir) && isExecutable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("find program %q: it is not in %s: install it or extend PATH", name, search)
}

// programEnvironment is the environment of system programs.
func programEnvironment(environment []string) []string {
	return []string{"PATH=" + variables(environment)["PATH"] + ":" + systemPrograms, "LC_ALL=C"}
}
