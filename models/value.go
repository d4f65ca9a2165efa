package models

// Type is the kind of a [Value].
type Type string

// The types that property values may have (formats, section 2).
const (
	String Type = "string"
	Path   Type = "path" // accepted when read, never written by us
	Int    Type = "int"
	Float  Type = "float"
	Bool   Type = "bool"
	List   Type = "list"
	Attrs  Type = "attrs"
)

// Value is a typed value of a property. The zero Value is invalid.
type Value struct {
	Type Type
	// Text is the notation of a string, path, int, float or bool; bool is
	// "true" or "false", numbers are as Nix prints them.
	Text  string
	List  []Value    // elements of a list
	Attrs Properties // members of an attrs
}
