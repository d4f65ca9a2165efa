package linkdir

import (
	"fmt"

	"github.com/disnix-go/disnix/dysnomia"
)

// foreign are the entries that were installed for active components of the
// same name in other containers, which may use the same directory: the
// container of each path.
type foreign map[string]string

func inOtherContainers(r *dysnomia.Request) (foreign, error) {
	containers, err := r.State.ContainersOf(r.ComponentName)
	if err != nil {
		return nil, err
	}
	others := foreign{}
	for _, container := range containers {
		if container == r.Container {
			continue
		}
		known := record{}
		if _, err := r.State.Recall(recordKind, container, r.ComponentName, &known); err != nil {
			return nil, err
		}
		for _, entries := range known {
			for _, e := range entries {
				others[e.Path] = container
			}
		}
	}
	return others, nil
}

// conflict is the error when a link of another container would be replaced.
func (f foreign) conflict(e Entry) error {
	return fmt.Errorf("install %s: a component of the same name in container %q needs what is there: give the containers different directories, or deactivate it there", e.Path, f[e.Path])
}
