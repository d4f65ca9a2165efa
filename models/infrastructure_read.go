package models

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// TargetDefaults is what a target has that does not state it itself.
type TargetDefaults struct {
	ClientInterface string
	TargetProperty  string
}

// ReadInfrastructure reads an infrastructure model in XML. The error is a
// [*ParseError] or [Problems].
func ReadInfrastructure(r io.Reader, defaults TargetDefaults) (Infrastructure, error) {
	return readDocument(r, "", infrastructureKind, infrastructureDecoder(defaults))
}

// ReadInfrastructureFile is [ReadInfrastructure] for a file, which its errors
// name.
func ReadInfrastructureFile(path string, defaults TargetDefaults) (Infrastructure, error) {
	return readFile(path, infrastructureKind, infrastructureDecoder(defaults))
}

func infrastructureDecoder(defaults TargetDefaults) func(*decoder) Infrastructure {
	return func(d *decoder) Infrastructure { return d.infrastructure(defaults) }
}

func (d *decoder) infrastructure(defaults TargetDefaults) Infrastructure {
	infrastructure := make(Infrastructure)
	for name, ok := d.named("target"); ok; name, ok = d.named("target") {
		offset := d.Offset()
		target := d.target(name, defaults)
		d.problem(offset, target.problems()...)
		infrastructure[name] = target
	}
	return infrastructure
}

func (d *decoder) target(name string, defaults TargetDefaults) *Target {
	t := &Target{
		Name:            name,
		Properties:      make(Properties),
		Containers:      make(map[string]Properties),
		NumOfCores:      1,
		ClientInterface: defaults.ClientInterface,
		TargetProperty:  defaults.TargetProperty,
	}
	for d.Child() {
		switch string(d.Name()) {
		case "properties":
			t.Properties = d.properties()
		case "containers":
			t.Containers = d.containers()
		case "system":
			t.System = d.shared()
		case "numOfCores":
			t.NumOfCores = d.numOfCores(name)
		case "clientInterface":
			setUnlessEmpty(&t.ClientInterface, d.shared())
		case "targetProperty":
			setUnlessEmpty(&t.TargetProperty, d.shared())
		default:
			d.Skip()
		}
	}
	return t
}

// numOfCores reads the number of cores; an empty element is an unset one.
func (d *decoder) numOfCores(target string) int {
	offset := d.Offset()
	text := strings.TrimSpace(d.text())
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		d.problem(offset, fmt.Errorf("target %q: target.numOfCores should be greater than 0, but is %q, which is not a number", target, text))
		return 1
	}
	return n
}

func setUnlessEmpty(field *string, text string) {
	if text != "" {
		*field = text
	}
}

// containers reads containers by name; the type attribute is not needed.
func (d *decoder) containers() map[string]Properties {
	containers := make(map[string]Properties)
	for name, ok := d.named("container"); ok; name, ok = d.named("container") {
		containers[name] = d.properties()
	}
	return containers
}
