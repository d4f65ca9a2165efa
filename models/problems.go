package models

import "strings"

// Problems is a set of independent mistakes in a model or manifest, reported
// together so that a user can mend all of them at once. Each names the file,
// service or target it is about.
type Problems []error

// Error lists the problems, one per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, err := range p {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives [errors.Is] and [errors.As] access to each problem.
func (p Problems) Unwrap() []error { return p }

// Err returns the problems as an error, or nil if there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
