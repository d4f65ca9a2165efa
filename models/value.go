package models

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

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

// Environment returns the value as plugins get it in an environment variable
// (formats, section 2): the text of a string, path or number; 1 or nothing for
// a bool; the elements of a list with a space between them. A set of
// attributes, of which the original gives nothing, is compact JSON with sorted
// names.
func (v Value) Environment() string {
	switch v.Type {
	case Bool:
		if v.Text == "true" {
			return "1"
		}
		return ""
	case List:
		elements := make([]string, len(v.List))
		for i, e := range v.List {
			elements[i] = e.Environment()
		}
		return strings.Join(elements, " ")
	case Attrs:
		return string(v.appendJSON(nil))
	default:
		return v.Text
	}
}

// Arguments returns the properties as key=value, sorted by key, with the values
// as [Value.Environment] renders them.
func (p Properties) Arguments() []string {
	arguments := make([]string, 0, len(p))
	for _, name := range sorted(p) {
		arguments = append(arguments, name+"="+p[name].Environment())
	}
	return arguments
}

// MarshalJSON returns the value as the JSON value that it resembles most: a
// string for a path, a number for an int or float.
func (v Value) MarshalJSON() ([]byte, error) { return v.appendJSON(nil), nil }

func (v Value) appendJSON(text []byte) []byte {
	switch v.Type {
	case Int, Float, Bool:
		if v.wellFormed() {
			return append(text, v.Text...)
		}
		return appendJSONString(text, v.Text)
	case List:
		text = append(text, '[')
		for i, e := range v.List {
			if i > 0 {
				text = append(text, ',')
			}
			text = e.appendJSON(text)
		}
		return append(text, ']')
	case Attrs:
		text = append(text, '{')
		for i, name := range sorted(v.Attrs) {
			if i > 0 {
				text = append(text, ',')
			}
			text = append(appendJSONString(text, name), ':')
			text = v.Attrs[name].appendJSON(text)
		}
		return append(text, '}')
	default:
		return appendJSONString(text, v.Text)
	}
}

func appendJSONString(text []byte, s string) []byte {
	buffer := bytes.NewBuffer(text)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string always has an encoding
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}

// floatPattern is a number in the notation that Nix and JSON have in common.
var floatPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// wellFormed says whether the text of an int, float or bool is one.
func (v Value) wellFormed() bool {
	switch v.Type {
	case Int:
		_, err := strconv.ParseInt(v.Text, 10, 64)
		return err == nil && floatPattern.MatchString(v.Text)
	case Float:
		return floatPattern.MatchString(v.Text)
	case Bool:
		return v.Text == "true" || v.Text == "false"
	default:
		return true
	}
}
