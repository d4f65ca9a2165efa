package dysnomia

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// Property returns a container property, or the fallback if it is not set or
// empty.
func (r *Request) Property(name, fallback string) string {
	return orDefault(r.Properties[name], fallback)
}

// Seconds returns a container property that is a number of seconds, or the
// fallback if it is not set or empty.
func (r *Request) Seconds(name string, fallback time.Duration) (time.Duration, error) {
	value := r.Properties[name]
	if value == "" {
		return fallback, nil
	}
	number, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("read property %s of container %q: %q is not a number of seconds", name, r.Container, value)
	}
	return time.Duration(number) * time.Second, nil
}

// Directory returns a container property that is an absolute path, or the
// fallback if it is not set or empty.
func (r *Request) Directory(name, fallback string) (string, error) {
	path := r.Property(name, fallback)
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("read property %s of container %q: %q is not an absolute path", name, r.Container, path)
	}
	return filepath.Clean(path), nil
}

// NameOf returns the name that a component with another path has.
func (r *Request) NameOf(component string) string {
	storeDir := orDefault(variables(r.Environment)["NIX_STORE_DIR"], defaultStoreDir)
	return (&Host{StoreDir: storeDir}).ComponentName(component)
}
