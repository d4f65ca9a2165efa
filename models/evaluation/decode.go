package evaluation

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// The types in this file are the JSON that glue/evaluate.nix prints.

// evaluated is what the models say.
type evaluated struct {
	Targets  pairs[target]  `json:"targets"`
	Services pairs[service] `json:"services"`
	// Ignored are services of an architecture model without targets.
	Ignored []string `json:"ignored"`
	// Unknown are names in the distribution model that are not services.
	Unknown []string `json:"unknown"`
	// UnknownPackageTargets are names in the packages model that are not
	// targets.
	UnknownPackageTargets []string `json:"unknownPackageTargets"`
}

type target struct {
	Properties      field[pairs[value]]               `json:"properties"`
	Containers      field[pairs[field[pairs[value]]]] `json:"containers"`
	System          field[string]                     `json:"system"`
	NumOfCores      field[int]                        `json:"numOfCores"`
	ClientInterface field[string]                     `json:"clientInterface"`
	TargetProperty  field[string]                     `json:"targetProperty"`
	Address         *string                           `json:"address"`
	Packages        field[[]field[storePackage]]      `json:"packages"`
}

type service struct {
	Name               field[string]                     `json:"name"`
	Type               field[string]                     `json:"type"`
	DeployState        field[bool]                       `json:"deployState"`
	DependsOn          field[pairs[field[dependency]]]   `json:"dependsOn"`
	ConnectsTo         field[pairs[field[dependency]]]   `json:"connectsTo"`
	ActivatesAfter     field[pairs[field[dependency]]]   `json:"activatesAfter"`
	ProvidesContainer  field[string]                     `json:"providesContainer"`
	ProvidesContainers field[struct{}]                   `json:"providesContainers"`
	Containers         field[pairs[field[pairs[value]]]] `json:"containers"`
	Readiness          pairs[field[pairs[value]]]        `json:"readiness"` // by system
	// Targets is null if the notation is neither a list nor a set.
	Targets  *[]place                   `json:"targets"`
	Packages pairs[field[storePackage]] `json:"packages"` // by system
}

// dependency refers to another service.
type dependency struct {
	Service string `json:"service"`
	// Explicit says that the reference states its targets. They are null if
	// their notation is neither a list nor a set.
	Explicit bool     `json:"explicit"`
	Targets  *[]place `json:"targets"`
}

// place is a container of a target.
type place struct {
	// Target is nil if what was mentioned is not a target.
	Target    *string       `json:"target"`
	Container field[string] `json:"container"`
	// Provider is the service that provides the container there, or empty.
	Provider string `json:"provider"`
	// Address and Found describe what was mentioned instead of a target.
	Address *string `json:"address"`
	Found   string  `json:"found"`
}

// storePackage is a package before it is built.
type storePackage struct {
	Path string `json:"path"`
	// Derivation is empty if the package is not the value of derivation.
	Derivation string        `json:"derivation"`
	Context    stringContext `json:"context"`
}

// stringContext says what must exist so that the store paths in a string do.
// It is what builtins.getContext returns.
type stringContext map[string]need

// need says what about a store path is needed: the path itself, a derivation
// with all that it refers to, or outputs of a derivation.
type need struct {
	Path       bool     `json:"path"`
	AllOutputs bool     `json:"allOutputs"`
	Outputs    []string `json:"outputs"`
}

// pair is a member of an attribute set.
type pair[T any] struct {
	name  string
	value T
}

// pairs is an attribute set in byte-wise order of its names.
type pairs[T any] []pair[T]

func (p *pair[T]) UnmarshalJSON(data []byte) error {
	parts := [2]any{&p.name, &p.value}
	return json.Unmarshal(data, &parts)
}

func (p pairs[T]) get(name string) (T, bool) {
	for _, member := range p {
		if member.name == name {
			return member.value, true
		}
	}
	var none T
	return none, false
}

// field is an attribute that may be absent or of the wrong kind.
type field[T any] struct {
	value T
	set   bool
	// invalid describes what stands where a T should, or is empty.
	invalid string
}

func (f *field[T]) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	if wrong, ok := invalidMember(data); ok {
		f.invalid = wrong
		return nil
	}
	f.set = true
	return json.Unmarshal(data, &f.value)
}

// invalidMember recognises { "invalid": "a list" }.
func invalidMember(data []byte) (string, bool) {
	if !bytes.HasPrefix(data, []byte(`{"invalid":`)) {
		return "", false
	}
	var object struct {
		Invalid string `json:"invalid"`
	}
	err := json.Unmarshal(data, &object)
	return object.Invalid, err == nil
}

// value is a property value: see glue/values.nix.
type value struct {
	literal any // string, json.Number or bool
	float   string
	list    []value
	attrs   pairs[value]
	context stringContext
	kind    valueKind
	invalid string
}

type valueKind int

const (
	literalValue valueKind = iota
	floatValue
	listValue
	attrsValue
	invalidValue
)

func (v *value) UnmarshalJSON(data []byte) error {
	switch {
	case bytes.HasPrefix(data, []byte("[")):
		v.kind = listValue
		return json.Unmarshal(data, &v.list)
	case bytes.HasPrefix(data, []byte("{")):
		return v.unmarshalTagged(data)
	default:
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		return decoder.Decode(&v.literal)
	}
}

func (v *value) unmarshalTagged(data []byte) error {
	var tagged struct {
		String  *string       `json:"string"`
		Context stringContext `json:"context"`
		Float   *string       `json:"float"`
		Attrs   *pairs[value] `json:"attrs"`
		Invalid *string       `json:"invalid"`
	}
	if err := json.Unmarshal(data, &tagged); err != nil {
		return err
	}
	switch {
	case tagged.String != nil:
		v.literal, v.context = *tagged.String, tagged.Context
	case tagged.Float != nil:
		v.kind, v.float = floatValue, *tagged.Float
	case tagged.Attrs != nil:
		v.kind, v.attrs = attrsValue, *tagged.Attrs
	case tagged.Invalid != nil:
		v.kind, v.invalid = invalidValue, *tagged.Invalid
	default:
		return fmt.Errorf("unknown notation of a value: %s", data)
	}
	return nil
}
