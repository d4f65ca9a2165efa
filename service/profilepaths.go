package service

import (
	"os/user"
	"path/filepath"

	"github.com/disnix-go/disnix/models/nix"
)

// LoggedIn is implemented by connections that know as whom they are logged in
// on the target.
type LoggedIn interface {
	// User returns the login name.
	User() string
}

// ProfilePaths returns where a profile of a target may be, most likely first:
// where root's services keep it and, for an unprivileged user, where those of
// this user do (protocol, 1.4). The user is the one that is logged in on the
// target, otherwise the one who runs this process. The state directory of Nix is
// taken to be that of this machine, as the original does.
func ProfilePaths(s Service, profile string) []string {
	paths := []string{filepath.Join(nix.StateDir(), "profiles", "disnix", profile)}
	if name := loginName(s); name != "" && name != "root" {
		paths = append(paths, filepath.Join(nix.StateDir(), "profiles", "per-user", name, "disnix", profile))
	}
	return paths
}

func loginName(s Service) string {
	if login, ok := s.(LoggedIn); ok {
		return login.User()
	}
	current, err := user.Current()
	if err != nil {
		return ""
	}
	return current.Username
}
