package dysnomia

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Deploy makes the active components those that are available: it deactivates
// what is not available any more, or with another path than the recorded one,
// and then activates what is not active. A marker that records no path, as the
// original makes it, stands for any version.
//
// It goes on after a failure, except that a component is not activated while
// its old version could not be deactivated. The error joins all failures;
// calling it again does what is left. It is refused when no directory of
// available components exists: deactivating everything is then hardly meant.
func (h *Host) Deploy(ctx context.Context, b Batch) error {
	active, err := h.QueryActivatedComponents(b.Container)
	if err != nil {
		return err
	}
	if len(active) > 0 && !slices.ContainsFunc(h.ComponentsPath, isDirectory) {
		return fmt.Errorf("deploy components: none of the directories %s exists; create an empty one to deactivate all components",
			strings.Join(h.ComponentsPath, ", "))
	}
	available, err := h.QueryAvailableComponents(b.Container)
	if err != nil {
		return err
	}
	if err := checkDistinct(available); err != nil {
		return err
	}
	outdated, missing := difference(active, available)

	var failures []error
	stuck := map[string]bool{}
	step := func(op Operation, verb string, marker Marker) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fmt.Fprintf(orDiscard(b.Stderr), "%s component: %s in container: %s\n", verb, marker.Component, marker.Container)
		return h.runFor(ctx, op, marker, available, b)
	}
	for _, marker := range outdated {
		if err := step(Deactivate, "Deactivating", marker); err != nil {
			failures = append(failures, err)
			stuck[marker.String()] = true
		}
	}
	for _, marker := range missing {
		if !stuck[marker.String()] {
			failures = append(failures, step(Activate, "Activating", marker))
		}
	}
	return errors.Join(failures...)
}

// difference returns the markers that have to go and those that have to come.
func difference(active []Marker, available []Component) (outdated, missing []Marker) {
	wanted := map[string]Component{}
	for _, c := range available {
		wanted[markerOf(c).String()] = c
	}
	current := map[string]bool{}
	for _, marker := range active {
		c, ok := wanted[marker.String()]
		if !ok || marker.Path != "" && marker.Path != c.Path {
			outdated = append(outdated, marker)
		} else {
			current[marker.String()] = true
		}
	}
	for _, c := range available {
		if marker := markerOf(c); !current[marker.String()] {
			missing = append(missing, marker)
		}
	}
	return outdated, missing
}

func markerOf(c Component) Marker {
	return Marker{Container: c.Container, Component: c.Name, Path: c.Path}
}

// checkDistinct refuses components that one marker would stand for.
func checkDistinct(available []Component) error {
	var problems []error
	byMarker := map[string]Component{}
	for _, c := range available {
		marker := markerOf(c).String()
		if other, ok := byMarker[marker]; ok {
			problems = append(problems, fmt.Errorf("deploy components: %s and %s lead to components of the same name %q; rename one", other, c, c.Name))
		}
		byMarker[marker] = c
	}
	return errors.Join(problems...)
}
