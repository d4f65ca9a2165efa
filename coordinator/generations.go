package coordinator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/disnix-go/disnix/service"
)

// ErrNoPreviousDeployment says that there is nothing to roll back to. (The
// text is the original's.)
var ErrNoPreviousDeployment = errors.New("Unable to roll back as there are no known previous deployments!")

// SelectManifest returns the path of the manifest that a command works on:
// the one that the user gave, otherwise the one that was deployed last, which
// the coordinator profile dir/profile points to. It returns nothing if there
// is neither: this is the first deployment (commands, 1.5). The links of the
// profile are resolved, since a deployment changes them. If somebody has removed
// the profile but not its generations, it is the newest of those.
//
// A given manifest that cannot be read is an error, and so is a coordinator
// profile that exists but cannot be read: taken for a first deployment, it
// would leave everything running that was deployed before.
func SelectManifest(given, dir, profile string, r Reporter) (string, error) {
	path := given
	if path == "" {
		path = filepath.Join(dir, profile)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			newest, err := NewestGeneration(dir, profile)
			if err != nil || newest == "" {
				return "", err
			}
			path = newest
		}
	}
	file, err := os.Open(path)
	if err != nil && given == "" {
		return "", fmt.Errorf("open manifest file: %w: %s", err, LostManifestAdvice)
	}
	if err != nil {
		return "", fmt.Errorf("open manifest file: %w", err)
	}
	if err := file.Close(); err != nil || given != "" {
		return path, err
	}
	r.Problem("", "Using previous manifest: "+path)
	return filepath.EvalSymlinks(path)
}

// LostManifestAdvice says what to do if the manifest of what is deployed cannot be
// read any more.
const LostManifestAdvice = "if it cannot be restored, make it anew from what is on the targets, with `disnix-reconstruct`"

// NewestGeneration returns the link of the newest generation of the
// coordinator profile: the configuration that was deployed last. It returns
// nothing if there is none.
func NewestGeneration(dir, profile string) (string, error) {
	generations, err := service.Generations(dir, profile)
	if err != nil || len(generations) == 0 {
		return "", err
	}
	return generations[len(generations)-1].Link, nil
}

// GenerationManifest returns the manifest that a generation of the
// coordinator profile holds.
func GenerationManifest(dir, profile string, number int) (string, error) {
	generations, err := service.Generations(dir, profile)
	if err != nil {
		return "", err
	}
	for _, g := range generations {
		if g.Number == number {
			return manifestOf(g)
		}
	}
	link := filepath.Join(dir, fmt.Sprintf("%s-%d-link", profile, number))
	return "", fmt.Errorf("Cannot switch profile generations, because the requested profile: %s does not exist!", link)
}

// RollbackManifest returns the manifest that was deployed before the one that
// is deployed now.
//
// A rollback is a deployment, too, and appends a generation with the older
// manifest. So that repeated rollbacks walk back through the history, instead
// of toggling between two configurations, the generations are read as what
// they stand for: one with the manifest to which the state before it would
// have rolled back, is a rollback and removes the newest entry from the
// history; any other one adds an entry; one that repeats its predecessor
// changes nothing. For the manifests A B C B this is the history A B, and the
// next rollback leads to A; for A B C A (a switch to the first generation) it
// is A B C A, and leads to C.
//
// Nothing but the links is consulted. Hence, deploying the previous
// configuration again cannot be told from a rollback to it, and counts as
// one.
func RollbackManifest(dir, profile string) (string, error) {
	generations, err := service.Generations(dir, profile)
	if err != nil {
		return "", err
	}
	history := historyOf(generations)
	if len(history) < 2 {
		return "", ErrNoPreviousDeployment
	}
	return manifestOf(history[len(history)-2])
}

// historyOf returns the configurations that led to the current one, which is
// the last, without those that were left by rollbacks.
func historyOf(generations []service.Generation) []service.Generation {
	var history []service.Generation
	for _, g := range generations {
		n := len(history)
		switch {
		case n > 0 && history[n-1].Path == g.Path:
			// the same configuration again
		case n > 1 && history[n-2].Path == g.Path:
			history = history[:n-1]
		default:
			history = append(history, g)
		}
	}
	return history
}

// manifestOf returns the manifest of a generation if it still exists.
func manifestOf(g service.Generation) (string, error) {
	if _, err := os.Stat(g.Path); err != nil {
		return "", fmt.Errorf("find the manifest of generation %d (%s): %w", g.Number, g.Link, err)
	}
	return g.Path, nil
}
