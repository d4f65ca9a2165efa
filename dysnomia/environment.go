package dysnomia

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// variables returns an environment as a map; of several values of a variable
// the last one counts.
func variables(environment []string) map[string]string {
	vars := make(map[string]string, len(environment))
	for _, entry := range environment {
		if name, value, ok := strings.Cut(entry, "="); ok && name != "" {
			vars[name] = value
		}
	}
	return vars
}

// environ is the inverse of variables, in the order of names.
func environ(vars map[string]string) []string {
	entries := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		entries = append(entries, name+"="+vars[name])
	}
	return entries
}

// arguments returns container properties given as key=value. The messages do
// not repeat a value: it may be a secret.
func arguments(args []string) (map[string]string, error) {
	properties := make(map[string]string, len(args))
	for i, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("read argument %d: it is not of the form key=value", i+1)
		}
		if strings.ContainsRune(arg, 0) {
			return nil, fmt.Errorf("read argument %q: a NUL byte cannot be passed to a module", name)
		}
		properties[name] = value
	}
	return properties, nil
}

// moduleEnvironment returns the environment of a module: in environment mode
// that of the caller and the properties, otherwise the properties and PATH
// alone (host page, 3.4). DYSNOMIA_STATEDIR is always that of the host, which
// also the host itself uses, and a store in an unusual place is told to the
// module so that both call a component by the same name.
func (h *Host) moduleEnvironment(inherit bool, properties map[string]string) map[string]string {
	caller := variables(h.Environment)
	vars := map[string]string{}
	if inherit {
		vars = maps.Clone(caller)
	}
	maps.Copy(vars, properties)
	if path := caller["PATH"]; path != "" && !inherit {
		vars["PATH"] = path
	}
	vars["DYSNOMIA_STATEDIR"] = h.StateDir
	if h.StoreDir != defaultStoreDir {
		vars["NIX_STORE_DIR"] = h.StoreDir
	}
	return vars
}
