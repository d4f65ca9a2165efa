package managedprocess

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/processmanagement"
)

// wanted is what the component and the properties ask for.
type wanted struct {
	service  *processmanagement.Service
	settings processmanagement.Settings
}

func read(r *dysnomia.Request) (wanted, error) {
	settings, err := readSettings(r)
	if err != nil {
		return wanted{}, fmt.Errorf("read the properties of container %q: %w", r.Container, err)
	}
	service, err := readService(r)
	if err != nil {
		return wanted{}, fmt.Errorf("read the process of component %s: %w", r.Component, err)
	}
	return wanted{service, settings}, nil
}

func readSettings(r *dysnomia.Request) (processmanagement.Settings, error) {
	name := r.Properties["processManager"]
	if name == "" {
		return processmanagement.Settings{}, fmt.Errorf("processManager is not set: set it to one of %s", strings.Join(processmanagement.Managers(), ", "))
	}
	manager, err := processmanagement.ParseManager(name)
	if err != nil {
		return processmanagement.Settings{}, err
	}
	disabled := property(r, "forceDisableUserChange", "NIXPROC_FORCE_DISABLE_USER_CHANGE")
	return processmanagement.Settings{
		Manager: manager,
		Directories: processmanagement.Directories{
			State:   property(r, "stateDir", "NIXPROC_STATE_DIR"),
			Runtime: property(r, "runtimeDir", "NIXPROC_RUNTIME_DIR"),
			Log:     property(r, "logDir", "NIXPROC_LOG_DIR"),
			Tmp:     property(r, "tmpDir", "NIXPROC_TMP_DIR"),
			Cache:   property(r, "cacheDir", "NIXPROC_CACHE_DIR"),
			Spool:   property(r, "spoolDir", "NIXPROC_SPOOL_DIR"),
			Lock:    property(r, "lockDir", "NIXPROC_LOCK_DIR"),
			Lib:     property(r, "libDir", "NIXPROC_LIB_DIR"),
		}.WithDefaults(),
		DisableUserChange: disabled == "1" || disabled == "true",
	}, nil
}

// property returns a property, or the variable that nix-processmgmt documents
// for it.
func property(r *dysnomia.Request, name, variable string) string {
	return r.Property(name, r.Properties[variable])
}

// readService reads the only JSON file of the component and those of what it
// depends on.
func readService(r *dysnomia.Request) (*processmanagement.Service, error) {
	entries, err := os.ReadDir(r.Component)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".json") {
			files = append(files, filepath.Join(r.Component, entry.Name()))
		}
	}
	switch len(files) {
	case 0:
		return nil, fmt.Errorf("there is no file *.json in it that describes a process")
	case 1:
	default:
		return nil, fmt.Errorf("there is more than one file *.json in it: %s", strings.Join(files, ", "))
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	service, err := processmanagement.Load(data, os.ReadFile, r.NameOf)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", files[0], err)
	}
	return service, nil
}
