package models

import (
	"errors"
	"fmt"
)

// ErrManifestVersion says that a manifest has another version than 2.
var ErrManifestVersion = errors.New("Disnix requires a manifest that uses the version 2 structure!")

// ParseError says that a document could not be read at all, or is not
// well-formed, as opposed to one with mistakes in its content.
type ParseError struct {
	Document string // what was read, for example "the manifest XML file"
	Err      error
}

// Error gives the reason, followed by the original's message.
func (e *ParseError) Error() string {
	return fmt.Sprintf("%v: Error with parsing %s!", e.Err, e.Document)
}

// Unwrap returns the reason.
func (e *ParseError) Unwrap() error { return e.Err }

// PositionError is a mistake at a place in a document.
type PositionError struct {
	File         string // empty if the document has no name
	Line, Column int    // from 1; the column is in bytes
	Err          error
}

// Error gives the place and the mistake.
func (e *PositionError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("line %d, column %d: %v", e.Line, e.Column, e.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

// Unwrap returns the mistake.
func (e *PositionError) Unwrap() error { return e.Err }
