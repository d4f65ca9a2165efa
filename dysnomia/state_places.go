package dysnomia

import (
	"slices"
	"strings"
)

// placesKind is the kind of the records of places.
const placesKind = "places"

// RememberPlaces records where the state of a component is, as paths: of
// directories, or of anything else that identifies it on this machine, such as
// a server and the name of a database.
//
// Two components can have their state in one place: when a server is known
// under two names, for example, or when two versions of a program have
// different component names. See [State.UserOf].
func (s *State) RememberPlaces(container, component string, places ...string) error {
	component, _ = s.marked(component, "")
	var known []string
	if found, err := s.Recall(placesKind, container, component, &known); err == nil && found && slices.Equal(known, places) {
		return nil
	}
	return s.Remember(placesKind, container, component, places)
}

// ForgetPlaces removes what RememberPlaces has recorded.
func (s *State) ForgetPlaces(container, component string) error {
	component, _ = s.marked(component, "")
	return s.Forget(placesKind, container, component)
}

// UserOf returns another active component whose state is in a place, or above
// or below it; nil if there is none.
func (s *State) UserOf(container, component, place string) (*Marker, error) {
	component, _ = s.marked(component, "")
	active, err := s.Activated("")
	if err != nil {
		return nil, err
	}
	for _, m := range active {
		if m.Container == container && m.Component == component {
			continue
		}
		var places []string
		if _, err := s.Recall(placesKind, m.Container, m.Component, &places); err != nil {
			return nil, err
		}
		for _, other := range places {
			if overlap(place, other) {
				return &m, nil
			}
		}
	}
	return nil, nil
}

func overlap(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}
