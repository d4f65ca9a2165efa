package sshclient

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// matchBlock begins a part of a configuration that only ssh itself can
// evaluate: its conditions can be the output of programs.
var matchBlock = regexp.MustCompile(`(?im)^[ \t]*match[ \t=]`)

// evaluated returns what ssh -G says about an endpoint: values by lower-case
// keyword. It asks once for each.
func (c *configuration) evaluated(e endpoint) (map[string][]string, error) {
	if values, ok := c.answers[e]; ok {
		return values, nil
	}
	// Left alone, ssh does not look for the home directory where we do.
	var files strings.Builder
	args := []string{"-G", "-F", "/dev/stdin"}
	for _, file := range c.fileNames() {
		fmt.Fprintf(&files, "Include %q\n", file)
	}
	if e.user != "" {
		args = append(args, "-l", e.user)
	}
	if e.port != "" {
		args = append(args, "-p", e.port)
	}
	cmd := exec.Command("ssh", append(args, "--", e.host)...)
	cmd.Stdin = strings.NewReader(files.String())
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("read ssh configuration: it has Match blocks, which only the program ssh can evaluate, and that is not in PATH: install it (for example: apt-get install openssh-client), or name a configuration without them with -F in SSH_OPTS")
	}
	if err != nil {
		return nil, fmt.Errorf("read ssh configuration: ssh -G %s: %w: %s", e.host, err, strings.TrimSpace(diagnostics.String()))
	}
	values := make(map[string][]string)
	for line := range strings.Lines(out.String()) {
		keyword, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		values[keyword] = append(values[keyword], value)
	}
	c.answers[e] = values
	return values, nil
}
