package service

import (
	"context"
	"os"
	"path/filepath"
	"slices"
)

// PrintInvalid implements [Store]. What is deployed on this machine is known
// without asking Nix, which would take longer than everything else when
// nothing changes: a generation of a profile is a root of the garbage
// collector.
func (l *Local) PrintInvalid(ctx context.Context, paths []string) ([]string, error) {
	if err := checkPaths(paths); err != nil {
		return nil, err
	}
	const few = 2 // a question about whole closures is one for Nix
	if len(paths) <= few && !slices.ContainsFunc(paths, func(path string) bool { return !isDeployed(path) }) {
		return nil, nil
	}
	return l.NixStore.PrintInvalid(ctx, paths)
}

// isDeployed reports whether a store path is the current generation of a
// profile of this machine, and there.
func isDeployed(path string) bool {
	dir, err := ProfileDir()
	if err != nil {
		return false
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	if _, err := os.Lstat(path); err != nil {
		return false
	}
	return slices.ContainsFunc(entries, func(entry os.DirEntry) bool {
		return !isGenerationLink(entry.Name()) && followToStore(filepath.Join(dir, entry.Name())) == path
	})
}
