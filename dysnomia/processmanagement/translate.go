package processmanagement

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// translation is the work on one component.
type translation struct {
	*Process
	Settings
	// extra are the overrides of the manager's own.
	extra *object
	// dependencies are the processes that this one depends on, with the
	// overrides for the same manager.
	dependencies []*Process
	level        int
	// keepsFilesInTmp says that the process runs as a user who can write
	// there, or would if users were changed: places are the same in any case.
	keepsFilesInTmp bool
	component       *Component
}

// Translate makes the component that lets the manager of the settings run the
// process. The error has all mistakes.
func Translate(s *Service, settings Settings) (*Component, error) {
	settings.Directories = settings.Directories.WithDefaults()
	if err := settings.Directories.check(); err != nil {
		return nil, err
	}
	p, err := s.process(settings.Manager)
	if err != nil {
		return nil, fmt.Errorf("apply the overrides for %s: %w", settings.Manager, err)
	}
	t := &translation{
		Process:         p,
		Settings:        settings,
		extra:           &object{path: "overrides." + string(settings.Manager) + ".", members: p.Extra},
		level:           s.level,
		keepsFilesInTmp: p.User != "",
		component:       &Component{Name: p.Name, Files: map[string]File{}, PostInstall: p.PostInstall},
	}
	for _, dependency := range s.Dependencies {
		p, err := dependency.process(settings.Manager)
		if err != nil {
			return nil, fmt.Errorf("apply the overrides for %s to a dependency: %w", settings.Manager, err)
		}
		t.dependencies = append(t.dependencies, p)
	}
	if settings.DisableUserChange {
		t.User = ""
	}
	if err := t.run(); err != nil {
		return nil, err
	}
	return t.component, nil
}

func (t *translation) run() error {
	switch t.Manager {
	case BSDRC:
		t.bsdrc()
	case Cygrunsrv:
		t.cygrunsrv()
	case Disnix:
		t.disnix()
	case Docker:
		t.docker()
	case Launchd:
		t.launchd()
	case S6RC:
		t.s6()
	case Supervisord:
		t.supervisord()
	case Systemd:
		t.systemd()
	case SysVInit:
		t.sysvinit()
	default:
		_, err := ParseManager(string(t.Manager))
		return err
	}
	t.extra.refuseOthers()
	return t.extra.err()
}

func (t *translation) problem(format string, args ...any) { t.extra.problem(format, args...) }

func (t *translation) warn(format string, args ...any) {
	t.component.Warnings = append(t.component.Warnings, fmt.Sprintf(format, args...))
}

func (t *translation) add(path, content string) {
	t.component.Files[path] = File{Content: []byte(content)}
}

// script adds an executable and returns its absolute path.
func (t *translation) script(path, content string) string {
	t.component.Files[path] = File{Content: []byte(content), Executable: true}
	return t.path(path)
}

func (t *translation) link(path, target string) { t.component.Files[path] = File{Link: target} }

// path returns the absolute path that a file of the component will have.
func (t *translation) path(path string) string {
	return filepath.Join(t.Dir, t.component.Name, path)
}

// systemPath is where programs are that take the place of the base packages
// of nix-processmgmt.
const systemPath = "/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// searchPath returns PATH: what the environment says, or the packages in path
// and then the programs of the machine.
func (t *translation) searchPath() string {
	if path, ok := t.Environment["PATH"]; ok {
		return path
	}
	var dirs []string
	for _, pkg := range t.Path {
		dirs = append(dirs, pkg+"/bin")
	}
	return strings.Join(append(dirs, systemPath), ":")
}

// setting is a variable of the environment.
type setting struct{ name, value string }

// environment returns all variables of the process, sorted.
func (t *translation) environment() []setting {
	vars := maps.Clone(t.Environment)
	vars["PATH"] = t.searchPath()
	var settings []setting
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		settings = append(settings, setting{name, vars[name]})
	}
	return settings
}

// filesDir returns where the process keeps its PID file, which it must be able
// to write.
func (t *translation) filesDir() string {
	if t.keepsFilesInTmp {
		return t.Directories.Tmp
	}
	return t.Directories.Runtime
}

// pidFile returns the PID file: what is given, else by instance, else by
// executable (process management page, section 2.1).
func (t *translation) pidFile() string {
	executable := t.Daemon
	if executable == "" {
		executable = t.Foreground
	}
	switch {
	case t.PIDFile != "":
		return t.PIDFile
	case t.InstanceName != "":
		return filepath.Join(t.filesDir(), t.InstanceName+".pid")
	}
	return filepath.Join(t.filesDir(), filepath.Base(executable)+".pid")
}

// logFile returns the file for the output of a process that is made a daemon.
// The original has that of a process with a user in the directory for temporary
// files; but as it is opened by root, nobody else must be able to make it.
func (t *translation) logFile() string {
	name := t.InstanceName
	if name == "" {
		name = t.Name
	}
	return filepath.Join(t.Directories.Log, "nixproc-"+name+".log")
}
