package models

import (
	"errors"
	"fmt"
)

// The checks of this file are about one element alone: whether everything that
// it must contain is there. The texts are the original's (formats, section 3).
// In contrast to it, an empty element does not count as set.

// problems returns what the service with that key lacks.
func (s *Service) problems(key string) []error {
	var missing []error
	if s.Name == "" {
		missing = append(missing, errors.New("service.name is not set!"))
	}
	if s.Package == "" {
		missing = append(missing, errors.New("service.pkg is not set!"))
	}
	if s.Type == "" {
		missing = append(missing, errors.New("service.type is not set!"))
	}
	missing = appendDependencyProblems(missing, "dependsOn", s.DependsOn)
	missing = appendDependencyProblems(missing, "connectsTo", s.ConnectsTo)
	for i, err := range missing {
		missing[i] = fmt.Errorf("%s: %w Hash table value with key: %s is invalid!", s.describe(key), err, key)
	}
	if s.Readiness != nil {
		for _, err := range s.Readiness.problems() {
			missing = append(missing, fmt.Errorf("%s: readiness: %w", s.describe(key), err))
		}
	}
	return missing
}

// describe names a service in messages.
func (s *Service) describe(key string) string {
	return fmt.Sprintf("service %q with key %s", s.Name, key)
}

func appendDependencyProblems(problems []error, kind string, dependencies []Dependency) []error {
	for i, d := range dependencies {
		for _, err := range d.problems() {
			problems = append(problems, fmt.Errorf("%s mapping %d (%s): %w", kind, i, d, err))
		}
	}
	return problems
}

func (d Dependency) problems() []error {
	var missing []error
	if d.Service == "" {
		missing = append(missing, errors.New("mapping.service is not set!"))
	}
	if d.Container == "" {
		missing = append(missing, errors.New("mapping.container is not set!"))
	}
	if d.Target == "" {
		missing = append(missing, errors.New("mapping.target is not set!"))
	}
	return missing
}

// String names the mapping in messages.
func (d Dependency) String() string {
	return fmt.Sprintf("service %q in container %q on target %q", d.Service, d.Container, d.Target)
}

// problems returns what the service mapping with that index lacks.
func (m ServiceMapping) problems(index int) []error {
	missing := m.Identity().problems()
	for i, err := range missing {
		missing[i] = fmt.Errorf("service mapping %d (%s): %w", index, m.Identity(), err)
	}
	return missing
}

// problems returns what the snapshot mapping with that index lacks.
func (m SnapshotMapping) problems(index int) []error {
	missing := m.Identity().problems()
	if m.Component == "" {
		missing = append(missing, errors.New("mapping.component is not set!"))
	}
	for i, err := range missing {
		missing[i] = fmt.Errorf("snapshot mapping %d (%s): %w", index, m.Identity(), err)
	}
	return missing
}

// problems returns what the target lacks.
func (t *Target) problems() []error {
	var wrong []error
	if t.NumOfCores <= 0 {
		wrong = append(wrong, errors.New("target.numOfCores should be greater than 0"))
	}
	if t.ClientInterface == "" {
		wrong = append(wrong, errors.New("target.clientInterface is unspecified!"))
	}
	if _, err := t.Address(); err != nil {
		wrong = append(wrong, err)
	}
	for i, err := range wrong {
		wrong[i] = fmt.Errorf("target %q: %w", t.Name, err)
	}
	return wrong
}
