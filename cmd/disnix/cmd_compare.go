package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/disnix-go/disnix/models"
)

func compareProgram() *program {
	return &program{
		name:     "disnix-compare-manifest",
		summary:  "Tells whether a manifest differs from the deployed one",
		synopsis: []string{"[OPTION]... MANIFEST"},
		description: `
Compares a manifest with the one deployed last, or with --old-manifest. The
order of the mappings does not count.`,
		groups: options(oldManifestFlag(), profileFlag(), coordinatorProfilePathFlag()),
		exitStatus: []entry{
			{"0", "The manifests describe the same configuration"},
			{"1", "They differ, or there is no previous one"},
			{"2", "One of them is not valid"},
		},
		environment: []entry{profileVariable, nixStateVariable},
		examples: []entry{
			{"disnix-compare-manifest -o old.xml new.xml && echo same", "Compare two files:"},
		},
		action: withSession(runCompare),
	}
}

// exitDifferent and exitInvalid are results of disnix-compare-manifest.
const (
	exitDifferent = 1
	exitInvalid   = 2
)

func runCompare(_ context.Context, s *session) error {
	manifest, _, err := s.givenManifest("A manifest file has to be specified!")
	if err != nil {
		return invalidManifest(err)
	}
	previous, _, err := s.oldManifest()
	if err != nil {
		return invalidManifest(err)
	}
	if previous != nil {
		if err := previous.Validate(); err != nil {
			return exitError{status: exitInvalid, err: fmt.Errorf("old manifest: %w", err)}
		}
	}
	if previous == nil || !manifest.Equal(previous) {
		return quiet(exitDifferent)
	}
	return nil
}

// invalidManifest gives an error about the content of a manifest the status
// of its own.
func invalidManifest(err error) error {
	var problems models.Problems
	var parse *models.ParseError
	if errors.As(err, &problems) || errors.As(err, &parse) {
		return exitError{status: exitInvalid, err: err}
	}
	return err
}
