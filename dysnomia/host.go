package dysnomia

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"
)

// Host finds containers, components and modules on this machine and runs
// them. Its fields may be changed before its first use; its methods may be
// called from several goroutines at once.
type Host struct {
	// ContainersPath are the directories of container files; the first that
	// has a container wins.
	ContainersPath []string
	// ComponentsPath are directories with entries container/component; the
	// first that has a component wins.
	ComponentsPath []string
	// ModulesPath are directories of modules that are preferred to those in
	// Plugins.
	ModulesPath []string
	// PropertiesFile describes the machine.
	PropertiesFile string
	// StateDir is the absolute path of the state directory.
	StateDir string
	// StoreDir is the directory of the Nix store.
	StoreDir string
	// Environment is the environment of the caller, as key=value.
	Environment []string
	// Plugins are the built-in modules by type.
	Plugins map[string]Plugin
	// TerminationGrace is how long an external module that was told to stop
	// may go on before it is killed.
	TerminationGrace time.Duration
	// Point, if not nil, is called with the name of a fault point: plugin/ and
	// the operation before a module is run, and the same with /done after it
	// has succeeded; marker before the markers of a component are changed, and
	// marker/done after that. Its error is that of the operation. Tests make
	// things go wrong with it.
	Point func(name string) error
}

// NewHost returns the host that an environment (key=value, as of [os.Environ])
// describes, with the defaults of the host page, section 2. An empty variable
// counts as unset. It fails when there is no place for the state.
func NewHost(environment []string, plugins map[string]Plugin) (*Host, error) {
	vars := variables(environment)
	state, err := stateDir(vars)
	if err != nil {
		return nil, err
	}
	return &Host{
		ContainersPath:   searchPath(vars["DYSNOMIA_CONTAINERS_PATH"], "/etc/dysnomia/containers"),
		ComponentsPath:   searchPath(vars["DYSNOMIA_COMPONENTS_PATH"], "/etc/dysnomia/components"),
		ModulesPath:      searchPath(vars["DYSNOMIA_MODULES_PATH"], ""),
		PropertiesFile:   orDefault(vars["DYSNOMIA_PROPERTIES"], "/etc/dysnomia/properties"),
		StateDir:         state,
		StoreDir:         filepath.Clean(orDefault(vars["NIX_STORE_DIR"], defaultStoreDir)),
		Environment:      environment,
		Plugins:          plugins,
		TerminationGrace: 10 * time.Second,
	}, nil
}

const defaultStoreDir = "/nix/store"

// State returns the state directory of the host.
func (h *Host) State() *State { return &State{Dir: h.StateDir, point: h.Point} }

// stateDir returns the state directory: given, or that of the system for root
// and a hidden one in the home directory for everybody else.
func stateDir(vars map[string]string) (string, error) {
	if dir := vars["DYSNOMIA_STATEDIR"]; dir != "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("determine the state directory %s: %w", dir, err)
		}
		return absolute, nil
	}
	if os.Geteuid() == 0 {
		return "/var/state/dysnomia", nil
	}
	home := vars["HOME"]
	if home == "" {
		account, err := user.Current()
		if err != nil {
			return "", fmt.Errorf("determine the state directory: %w; set DYSNOMIA_STATEDIR", err)
		}
		home = account.HomeDir
	}
	if !filepath.IsAbs(home) {
		return "", fmt.Errorf("determine the state directory: the home directory %q is not absolute; set DYSNOMIA_STATEDIR", home)
	}
	return filepath.Join(home, ".dysnomia"), nil
}

// searchPath splits a colon-separated list of directories; empty elements
// mean nothing.
func searchPath(value, fallback string) []string {
	var dirs []string
	for _, dir := range strings.Split(orDefault(value, fallback), ":") {
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
