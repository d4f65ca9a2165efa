package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disnix-go/disnix/models/nix"
)

// Generation is one entry in the history of a Nix profile: the link
// <profile>-<number>-link.
type Generation struct {
	Number  int       `json:"number"`
	Link    string    `json:"link"` // absolute path of the link
	Path    string    `json:"path"` // the store path that it points to
	Created time.Time `json:"created"`
	Current bool      `json:"current"` // the profile points to it
}

// Generations returns the history of the profile dir/name, lowest number
// first. Only <name>-<number>-link belongs to it: other profiles may have
// names that begin in the same way. A missing directory or profile has no
// generations.
func Generations(dir, name string) ([]Generation, error) {
	if err := CheckProfileName(name); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list generations of profile %q: %w", name, err)
	}
	current, _ := os.Readlink(filepath.Join(dir, name))
	var generations []Generation
	for _, entry := range entries {
		number, ok := generationNumber(name, entry.Name())
		if !ok || entry.Type() != fs.ModeSymlink {
			continue
		}
		link := filepath.Join(dir, entry.Name())
		target, err := os.Readlink(link)
		if err != nil {
			return nil, fmt.Errorf("list generations of profile %q: %w", name, err)
		}
		info, err := entry.Info()
		if err != nil {
			return nil, fmt.Errorf("list generations of profile %q: %w", name, err)
		}
		generations = append(generations, Generation{
			Number:  number,
			Link:    link,
			Path:    target,
			Created: info.ModTime(),
			Current: filepath.Base(current) == entry.Name(),
		})
	}
	slices.SortFunc(generations, func(a, b Generation) int { return cmp.Compare(a.Number, b.Number) })
	return generations, nil
}

// ListGenerations describes the history of a profile, one generation per
// line, as nix-env --list-generations prints it.
func ListGenerations(dir, name string) (string, error) {
	generations, err := Generations(dir, name)
	if err != nil {
		return "", err
	}
	var list strings.Builder
	for _, g := range generations {
		mark := ""
		if g.Current {
			mark = "(current)"
		}
		fmt.Fprintf(&list, "%4d   %s   %s\n", g.Number, g.Created.Local().Format(time.DateTime), mark)
	}
	return list.String(), nil
}

// SetProfile makes the store path the current generation of the profile
// dir/name; missing directories are created. Nothing changes if it is current
// already, or if it fails.
func SetProfile(ctx context.Context, dir, name, path string) error {
	if err := CheckProfileName(name); err != nil {
		return err
	}
	if path == "" {
		return fmt.Errorf("set profile %q: no store path is given", name)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("set profile %q: %w", name, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create the directory of profile %q: %w: create it for this user, or choose another with NIX_STATE_DIR", name, err)
	}
	profile := filepath.Join(dir, name)
	if current := followToStore(profile); current != "" && current == followToStore(path) {
		return nil
	}
	before, err := Generations(dir, name)
	if err != nil {
		return err
	}
	// An interrupt of the deployment must not hit what completes it.
	if err := nix.Run(ctx, nix.Command{Name: "nix-env", Args: []string{"-p", profile, "--set", path}, OwnGroup: true}); err != nil {
		return errors.Join(
			fmt.Errorf("set profile %s to %s: %w", profile, path, err),
			removeUnfinished(dir, name, path, before))
	}
	return nil
}

// CheckGeneration tells beforehand whether path can become a generation of the
// profile dir/name: whether it is a store path, and whether there is a
// directory that can be written to, on a disk that is not full. What is
// missing of the directory is created.
func CheckGeneration(dir, name, path string) error {
	if err := CheckProfileName(name); err != nil {
		return err
	}
	if followToStore(path) == "" {
		return fmt.Errorf("%s is not in the Nix store, so that it cannot become a generation: build it with disnix-manifest, or deploy it with --no-coordinator-profile", path)
	}
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = tryToWrite(dir)
	}
	if err != nil {
		return fmt.Errorf("profile %q cannot get a new generation: %w", name, err)
	}
	return nil
}

// tryToWrite writes and removes a file of the size of a few links.
func tryToWrite(dir string) error {
	file, err := os.CreateTemp(dir, ".check-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	const room = 16 << 10
	_, err = file.Write(make([]byte, room))
	return errors.Join(err, file.Sync(), file.Close())
}

// removeUnfinished removes the link of a generation that was created for path
// but did not become current, because nix-env was stopped half-way: it would
// look like the newest configuration.
func removeUnfinished(dir, name, path string, before []Generation) error {
	after, err := Generations(dir, name)
	if err != nil {
		return err
	}
	var errs []error
	for _, g := range after {
		known := slices.ContainsFunc(before, func(b Generation) bool { return b.Number == g.Number })
		if !known && !g.Current && g.Path == followToStore(path) {
			errs = append(errs, os.Remove(g.Link))
		}
	}
	return errors.Join(errs...)
}

// DeleteGenerations removes generations from the history of a profile, and
// returns those that were removed. The specification is that of nix-env: one
// or more numbers, old (all but the current one), <n>d (not current for n
// days) or +<n> (all but the newest n). If a number does not exist or is
// current, nothing is removed.
func DeleteGenerations(ctx context.Context, dir, name, specification string) ([]Generation, error) {
	before, err := Generations(dir, name)
	if err != nil {
		return nil, err
	}
	words, err := deletion(before, specification)
	if err != nil {
		return nil, fmt.Errorf("delete generations of profile %q: %w", name, err)
	}
	if len(before) == 0 {
		return nil, nil
	}
	profile := filepath.Join(dir, name)
	_, failure := nix.Output(ctx, "nix-env", append([]string{"-p", profile, "--delete-generations"}, words...)...)
	if failure != nil {
		failure = fmt.Errorf("delete generations of profile %s: %w", profile, failure)
	}
	after, err := Generations(dir, name)
	if err != nil {
		return nil, errors.Join(failure, err)
	}
	removed := slices.DeleteFunc(before, func(b Generation) bool {
		return slices.ContainsFunc(after, func(a Generation) bool { return a.Number == b.Number })
	})
	return removed, failure
}

// deletion checks a specification and splits it into arguments of nix-env.
func deletion(generations []Generation, specification string) ([]string, error) {
	words := strings.Fields(specification)
	if len(words) == 0 {
		return nil, errors.New("no generation is given: use numbers, old, <n>d or +<n>")
	}
	if len(words) == 1 {
		word := words[0]
		days, isAge := strings.CutSuffix(word, "d")
		count, isCount := strings.CutPrefix(word, "+")
		if word == "old" || isAge && isPositive(days) || isCount && isPositive(count) {
			return words, nil
		}
	}
	var errs []error
	for _, word := range words {
		errs = append(errs, deletable(generations, word))
	}
	return words, errors.Join(errs...)
}

func deletable(generations []Generation, word string) error {
	if !isPositive(word) {
		return fmt.Errorf("%q is not a generation: use numbers, old, <n>d or +<n>", word)
	}
	number, _ := strconv.Atoi(word)
	for _, g := range generations {
		if g.Number == number && g.Current {
			return fmt.Errorf("generation %d is the current one: switch to another before it is deleted", number)
		}
		if g.Number == number {
			return nil
		}
	}
	return fmt.Errorf("generation %s does not exist", word)
}

// DeleteAllGenerations removes a profile and its history. It is not an error
// if there is none.
func DeleteAllGenerations(dir, name string) error {
	generations, err := Generations(dir, name)
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete profile %q: %w", name, err)
	}
	for _, g := range generations {
		if err := os.Remove(g.Link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete generation %d of profile %q: %w", g.Number, name, err)
		}
	}
	return nil
}

// generationNumber parses <profile>-<number>-link.
func generationNumber(profile, link string) (int, bool) {
	middle, ok := strings.CutPrefix(link, profile+"-")
	if !ok {
		return 0, false
	}
	digits, ok := strings.CutSuffix(middle, "-link")
	if !ok || !isPositive(digits) {
		return 0, false
	}
	number, err := strconv.Atoi(digits)
	return number, err == nil
}

// isPositive reports whether the text is a plain decimal number above zero.
func isPositive(text string) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	number, err := strconv.Atoi(text)
	return err == nil && number > 0
}
