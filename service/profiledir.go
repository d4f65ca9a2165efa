package service

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/disnix-go/disnix/models/nix"
)

// ProfileDir returns the directory of the profiles that are deployed to this
// machine: <state>/profiles/disnix for root, and
// <state>/profiles/per-user/<user>/disnix for others (protocol, 1.4).
func ProfileDir() (string, error) {
	if os.Geteuid() == 0 {
		return filepath.Join(nix.StateDir(), "profiles", "disnix"), nil
	}
	return userProfileDir("disnix")
}

// CoordinatorProfileDir returns the directory of the profiles whose
// generations are the manifests deployed from this machine:
// <state>/profiles/per-user/<user>/disnix-coordinator (formats, section 10).
func CoordinatorProfileDir() (string, error) {
	return userProfileDir("disnix-coordinator")
}

func userProfileDir(name string) (string, error) {
	id := strconv.Itoa(os.Geteuid())
	u, err := user.LookupId(id)
	if err != nil {
		return "", fmt.Errorf("find the profile directory of user id %s: %w", id, err)
	}
	return filepath.Join(nix.StateDir(), "profiles", "per-user", u.Username, name), nil
}

// longestProfileName is the number of bytes that a profile name may have: there
// are files whose names consist of it and more.
const longestProfileName = 200

// CheckProfileName refuses names that would leave the directory of profiles, be
// mistaken for the generation of another profile, or be too long for files.
func CheckProfileName(name string) error {
	problem := ""
	switch {
	case len(name) > longestProfileName:
		return fmt.Errorf("profile name %.30q... is not usable: it is longer than %d bytes", name, longestProfileName)
	case name == "":
		return errors.New("no profile name is given")
	case name == "." || name == "..":
		problem = "that is a directory"
	case strings.ContainsFunc(name, func(c rune) bool { return c == '/' || c < ' ' || c == 0x7f }):
		problem = "slashes and control characters are not allowed"
	case isGenerationLink(name):
		problem = "that is the name of a generation of another profile"
	default:
		return nil
	}
	return fmt.Errorf("profile name %q is not usable: %s", name, problem)
}

// isGenerationLink reports whether a name has the form <profile>-<N>-link.
func isGenerationLink(name string) bool {
	rest, ok := strings.CutSuffix(name, "-link")
	if !ok {
		return false
	}
	dash := strings.LastIndexByte(rest, '-')
	return dash > 0 && isPositive(rest[dash+1:])
}

// followToStore follows symbolic links until it reaches a path in the Nix
// store, and returns that; or nothing, if there is no such path. Links inside
// of the store are not followed: a store path may itself be one.
func followToStore(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	const deepest = 40 // links, as in the kernel
	for range deepest {
		if strings.HasPrefix(path, nix.StoreDir()+"/") {
			return path
		}
		target, err := os.Readlink(path)
		if err != nil {
			return ""
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = filepath.Clean(target)
	}
	return ""
}
