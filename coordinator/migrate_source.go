package coordinator

import (
	"fmt"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// findSources says for each place where state is restored under which
// container's name its snapshots are. That is the container of the place
// itself, unless the state moves there from a container of another name: from
// one of several servers on a machine, for example. The error, which wraps a
// [models.Problems], names every state that comes from several containers, so
// that nobody knows which one is meant.
func (d *Deployment) findSources(destinations []state) (map[stateID]string, error) {
	former, err := d.formerContainers()
	if err != nil {
		return nil, err
	}
	sources := make(map[stateID]string, len(destinations))
	var problems models.Problems
	for _, s := range destinations {
		containers := former[s.origin()]
		switch {
		case len(containers) == 0 || containers[s.container]:
			sources[s.stateID] = s.container
		case len(containers) == 1:
			for container := range containers {
				sources[s.stateID] = container
			}
		default:
			problems = append(problems, fmt.Errorf(
				"the state of component %q is to be restored in container %q on target %q, but comes from several containers: %q",
				s.component, s.container, s.target, slices.Sorted(maps.Keys(containers))))
		}
	}
	return sources, problems.Err()
}

// origin is what the state of two places must have in common if one comes from
// the other.
type origin struct{ component, serviceType string }

func (s state) origin() origin { return origin{s.component, s.step.Service.Type} }

// formerContainers returns the containers from which an upgrade moves state
// away, whatever the user has selected.
func (d *Deployment) formerContainers() (map[origin]map[string]bool, error) {
	previous := d.upgradedFrom()
	if previous == nil {
		return nil, nil
	}
	all := func(models.SnapshotMapping) bool { return true }
	old, err := d.selectedStates(previous, all)
	if err != nil {
		return nil, fmt.Errorf("previous manifest: %w", err)
	}
	current, err := d.selectedStates(d.Manifest, all)
	if err != nil {
		return nil, err
	}
	containers := make(map[origin]map[string]bool)
	for _, s := range without(old, current) {
		if containers[s.origin()] == nil {
			containers[s.origin()] = make(map[string]bool)
		}
		containers[s.origin()][s.container] = true
	}
	return containers, nil
}
