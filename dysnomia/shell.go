package dysnomia

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// ShellSession connects a shell to the user.
type ShellSession struct {
	// Command is run instead of an interactive session unless it is empty.
	Command string
	// Stdin, Stdout and Stderr are the terminal; nil is nothing.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Shell opens a shell session for a component (host page, 3.7) and waits for
// its end. The session has the container properties and this_dysnomia_module,
// this_component and this_container as exported variables, and everything that
// an external module written for a shell defines.
//
// The Operation of the invocation is ignored. The error is a [*ModuleError] if
// the shell ends with another status than 0.
func (h *Host) Shell(ctx context.Context, inv Invocation, session ShellSession) error {
	inv.Operation = Shell
	inv.Stdout, inv.Stderr = session.Stdout, session.Stderr
	mod, r, err := h.prepare(ctx, inv)
	if err != nil {
		return err
	}
	exports := r.Properties
	if inv.Environment {
		if exports, err = arguments(inv.Arguments); err != nil {
			return err
		}
	}
	exports["DYSNOMIA_STATEDIR"] = h.StateDir
	script, err := sessionScript(mod, r, exports, session.Command)
	if err != nil {
		return fmt.Errorf("open a shell session for component %q: %w", r.ComponentName, err)
	}
	return h.runShell(ctx, r, exports, script, session)
}

// scriptFile is the descriptor on which bash reads its commands. They are not
// in a file or an argument because they may contain secrets.
const scriptFile = 3

func (h *Host) runShell(ctx context.Context, r *Request, exports map[string]string, script string, session ShellSession) error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open a pipe to the shell: %w", err)
	}
	args := []string{"--rcfile", fmt.Sprintf("/dev/fd/%d", scriptFile), "-i"}
	if session.Command != "" {
		args = []string{fmt.Sprintf("/dev/fd/%d", scriptFile)}
	}
	cmd := exec.CommandContext(ctx, "bash", args...)
	cmd.Env = environ(h.moduleEnvironment(true, exports))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = session.Stdin, session.Stdout, session.Stderr
	cmd.ExtraFiles = []*os.File{read}
	err = cmd.Start()
	read.Close()
	if err != nil {
		write.Close()
		return fmt.Errorf("open a shell session for component %q: %w; install bash", r.ComponentName, err)
	}
	go func() {
		defer write.Close()
		_, _ = io.WriteString(write, script) // fails when the shell ends first
	}()
	return exitError(ctx, Shell, r, cmd.Wait())
}

// sessionPrelude is what an interactive session begins with.
const sessionPrelude = `[ ! -r ~/.bashrc ] || source ~/.bashrc
if [ "$(id -u)" = 0 ]; then
  PS1='\[\033[1;31m\][dysnomia-shell:\w]#\[\033[0m\] '
else
  PS1='\[\033[1;32m\][dysnomia-shell:\w]$\[\033[0m\] '
fi
`

const sessionHelp = `This is a Dysnomia shell session. These variables are set:

this_dysnomia_module  the module that manages the component
this_component        the path of the component
this_container        the container it is deployed to
`

// sessionScript returns the commands with which a session begins, and the
// given command with which it ends. A module written for bash or sh is sourced
// and others are run, both with the operation shell.
func sessionScript(mod module, r *Request, exports map[string]string, command string) (string, error) {
	var script strings.Builder
	fmt.Fprintf(&script, "exec %d<&-\n", scriptFile)
	if command == "" {
		script.WriteString(sessionPrelude)
	}
	for _, name := range slices.Sorted(maps.Keys(exports)) {
		if syntax.ValidName(name) {
			fmt.Fprintf(&script, "export %s=%s\n", name, ShellQuote(exports[name]))
		}
	}
	if mod.plugin == nil {
		call := fmt.Sprintf("%s shell %s %s", ShellQuote(mod.path), ShellQuote(r.Component), ShellQuote(r.ContainerArgument))
		if isShellScript(mod.path) {
			// Modules take their type from $0, which would be bash.
			call = fmt.Sprintf("BASH_ARGV0=%s\nsource %s\nset +e\nBASH_ARGV0=bash", ShellQuote(mod.path), call)
		}
		fmt.Fprintln(&script, call)
	}
	this := orDefault(mod.path, mod.identifier)
	fmt.Fprintf(&script, "export this_dysnomia_module=%s this_component=%s this_container=%s\n",
		ShellQuote(this), ShellQuote(r.Component), ShellQuote(r.ContainerArgument))
	help := sessionHelp
	if guide, ok := mod.plugin.(ShellGuide); ok {
		help = guide.ShellHelp(r) + "\n" + help
	}
	if command == "" {
		fmt.Fprintf(&script, "printf '%%s' %s >&2\n", ShellQuote(help))
	}
	script.WriteString(command)
	text := script.String()
	if strings.ContainsRune(text, 0) {
		return "", errors.New("a command or property has a NUL byte")
	}
	return text, nil
}

// ShellQuote returns a word that a shell reads as the text.
func ShellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// isShellScript reports whether a module can be sourced by bash.
func isShellScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	first, _ := bufio.NewReader(io.LimitReader(f, 1024)).ReadString('\n')
	interpreter, ok := strings.CutPrefix(first, "#!")
	if !ok {
		return false
	}
	for _, word := range strings.Fields(interpreter) {
		switch word[strings.LastIndexByte(word, '/')+1:] {
		case "bash", "sh", "dash":
			return true
		}
	}
	return false
}
