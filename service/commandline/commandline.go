// Package commandline holds what all clients have in common that start a
// program with the command line of the client-interface contract (protocol,
// section 4), here or on the target: how results are read, which words select
// something, and what is kept of the diagnostics.
package commandline

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// Lines returns the lines of an output; an unterminated last line counts.
func Lines(output string) []string {
	output = strings.TrimSuffix(output, "\n")
	if output == "" {
		return nil
	}
	return strings.Split(output, "\n")
}

// Selection returns the options for the container and component that are
// given.
func Selection(container, component string) []string {
	var words []string
	if container != "" {
		words = append(words, "--container", container)
	}
	if component != "" {
		words = append(words, "--component", component)
	}
	return words
}

// Resolve returns the paths of snapshots in their order. The function resolve
// asks the program for them, of which it gets each once.
func Resolve(ctx context.Context, snapshots []string, resolve func(ctx context.Context, snapshots []string) ([]string, error)) ([]string, error) {
	paths, err := resolve(ctx, snapshots)
	if err != nil {
		return nil, err
	}
	resolved := make(map[string]string, len(paths))
	var result []string
	for _, snapshot := range snapshots {
		path, known := resolved[snapshot]
		if !known {
			if len(resolved) == len(paths) {
				return nil, fmt.Errorf("resolve snapshots: the program printed only %d paths", len(paths))
			}
			path = paths[len(resolved)]
			resolved[snapshot] = path
		}
		result = append(result, path)
	}
	return result, nil
}

// tailSize is how much of a program's diagnostics becomes part of an error.
const tailSize = 16 << 10

// Tail passes on what is written and keeps the last 16 KiB of it, for an error.
type Tail struct {
	Next io.Writer // may be nil
	kept []byte
}

// Write never fails if there is no Next.
func (t *Tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if excess := len(t.kept) - tailSize; excess > 0 {
		t.kept = append(t.kept[:0], t.kept[excess:]...)
	}
	if t.Next != nil {
		return t.Next.Write(p)
	}
	return len(p), nil
}

// Bytes returns what was kept.
func (t *Tail) Bytes() []byte { return t.kept }

// String returns what was kept.
func (t *Tail) String() string { return string(t.kept) }
