package dysnomia

import (
	"path/filepath"
	"strings"
)

// hashLength is the length of the hash in front of the name of a store path.
const hashLength = 32

// ComponentName returns the name of the component at path: its base name,
// without the hash if the path is an entry of the Nix store (host page, 4.1).
// A path below a store entry is called by its own base name.
func (h *Host) ComponentName(path string) string {
	path = filepath.Clean(path)
	name := filepath.Base(path)
	if filepath.Dir(path) != filepath.Clean(h.StoreDir) {
		return name
	}
	return withoutHash(name)
}

// ContainerName returns the name of the container that the user or a
// coordinator gave, or the type identifier if none was given (host page, 4.2).
func (h *Host) ContainerName(container, typeIdentifier string) string {
	if container == "" {
		return typeIdentifier
	}
	return h.ComponentName(container)
}

func withoutHash(name string) string {
	if len(name) <= hashLength+1 || name[hashLength] != '-' {
		return name
	}
	notHash := func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') }
	if strings.ContainsFunc(name[:hashLength], notHash) {
		return name
	}
	return name[hashLength+1:]
}
