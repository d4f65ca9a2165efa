package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"
)

func tmpfileProgram() *program {
	return &program{
		name:     "disnix-tmpfile",
		summary:  "Creates a temporary file and prints its name",
		synopsis: []string{"[OPTION]..."},
		description: `
Creates a new, private file or directory in the directory for temporary files,
and prints its path. Remote clients use it to upload closures and snapshots.`,
		groups: options(
			&cli.BoolFlag{Name: "directory", Aliases: []string{"d"}, Usage: "Creates a directory"},
		),
		environment: []entry{temporaryVariable},
		examples:    []entry{{"disnix-tmpfile --directory", "Create a directory:"}},
		action:      runTmpfile,
	}
}

func runTmpfile(inv *invocation) error {
	if _, err := inv.operands(0); err != nil {
		return err
	}
	dir := os.TempDir()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("create the directory for temporary files: %w", err)
	}
	path, err := createTemporary(dir, inv.Bool("directory"))
	if err != nil {
		return err
	}
	fmt.Fprintln(inv.stdout, path)
	return nil
}

func createTemporary(dir string, directory bool) (string, error) {
	if directory {
		return os.MkdirTemp(dir, "disnix.")
	}
	file, err := os.CreateTemp(dir, "disnix.")
	if err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}
