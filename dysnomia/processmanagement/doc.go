// Package processmanagement translates the description of a process that
// leaves its manager open (managed-process, process management page, section
// 4) into the component of one process manager: JSON in, files out.
//
// It does what nixproc-generate-config of nix-processmgmt does, in the layouts
// of section 2, but needs neither Nix nor the expression library on the
// target. What is generated uses the programs of the machine where the
// original uses those of Nixpkgs: sh, coreutils and, to change users, setpriv.
//
// Nothing here reads or writes files, except that [Load] is given a function
// that reads the descriptions of dependencies.
package processmanagement

import (
	"fmt"
	"slices"
	"strings"
)

// Manager is a process manager: a backend of nix-processmgmt.
type Manager string

// The process managers (process management page, section 1.1).
const (
	BSDRC       Manager = "bsdrc"
	Cygrunsrv   Manager = "cygrunsrv"
	Disnix      Manager = "disnix"
	Docker      Manager = "docker"
	Launchd     Manager = "launchd"
	S6RC        Manager = "s6-rc"
	Supervisord Manager = "supervisord"
	Systemd     Manager = "systemd"
	SysVInit    Manager = "sysvinit"
)

// types are the types of the components that are generated for the managers.
var types = map[Manager]string{
	BSDRC:       "bsdrc-script",
	Cygrunsrv:   "cygrunsrv-service",
	Disnix:      "process",
	Docker:      "docker-container",
	Launchd:     "launchd-daemon",
	S6RC:        "s6-rc-service",
	Supervisord: "supervisord-program",
	Systemd:     "systemd-unit",
	SysVInit:    "sysvinit-script",
}

// Managers returns the names of all process managers, sorted.
func Managers() []string {
	var names []string
	for m := range types {
		names = append(names, string(m))
	}
	slices.Sort(names)
	return names
}

// ParseManager returns the process manager of that name.
func ParseManager(name string) (Manager, error) {
	if _, ok := types[Manager(name)]; !ok {
		return "", fmt.Errorf("Unknown process manager: %s (known are %s)", name, strings.Join(Managers(), ", "))
	}
	return Manager(name), nil
}

// Type returns the type of the components of the manager: the plugin that
// they are for.
func (m Manager) Type() string { return types[m] }

// Directories are where processes keep their files (process management page,
// section 5). An empty one has its default.
type Directories struct {
	State, Runtime, Log, Tmp, Cache, Spool, Lock, Lib string
}

// WithDefaults returns the directories with those that are not given.
func (d Directories) WithDefaults() Directories {
	set := func(dir *string, value string) {
		if *dir == "" {
			*dir = value
		}
	}
	set(&d.State, "/var")
	set(&d.Runtime, d.State+"/run")
	set(&d.Log, d.State+"/log")
	if d.State == "/var" {
		set(&d.Tmp, "/tmp")
	}
	set(&d.Tmp, d.State+"/tmp")
	set(&d.Cache, d.State+"/cache")
	set(&d.Spool, d.State+"/spool")
	set(&d.Lock, d.State+"/lock")
	set(&d.Lib, d.State+"/lib")
	return d
}

// check reports directories that are no absolute paths.
func (d Directories) check() error {
	for _, dir := range []struct{ name, path string }{
		{"stateDir", d.State}, {"runtimeDir", d.Runtime}, {"logDir", d.Log}, {"tmpDir", d.Tmp},
		{"cacheDir", d.Cache}, {"spoolDir", d.Spool}, {"lockDir", d.Lock}, {"libDir", d.Lib},
	} {
		if !strings.HasPrefix(dir.path, "/") {
			return fmt.Errorf("%s %q is not an absolute path", dir.name, dir.path)
		}
	}
	return nil
}

// Settings are what a translation depends on besides the description.
type Settings struct {
	Manager     Manager
	Directories Directories
	// DisableUserChange leaves out users and groups: the process runs as
	// whoever starts it.
	DisableUserChange bool
	// Architecture is that of images, in the words of Go; empty means that of
	// this machine.
	Architecture string
	// Dir is the absolute path of the directory that the component will be
	// in, under its name: generated files refer to each other.
	Dir string
}

// Component is a generated component.
type Component struct {
	// Name is its name: that of the package that nix-processmgmt builds.
	Name string
	// Files are its files, by path relative to the component.
	Files map[string]File
	// PostInstall is shell code that completes it; its variable out is the
	// path of the component. Empty means nothing.
	PostInstall string
	// Warnings say what the manager can not do of what was asked for.
	Warnings []string
}

// File is a file of a component.
type File struct {
	Content    []byte
	Executable bool
	// Link is the target of a symbolic link, if the file is one.
	Link string
	// Directory says that it is a directory.
	Directory bool
}
