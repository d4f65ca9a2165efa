package models

import (
	"fmt"
	"strconv"
	"strings"
)

var (
	idsKind          = documentKind{"ids", "the IDs XML file"}
	idResourcesKind  = documentKind{"resources", "the ID resources XML file"}
	servicesKind     = documentKind{"services", "the services XML file"}
	distributionKind = documentKind{"distribution", "the distribution XML file"}
)

// ReadIDsFile reads ids in XML, as [IDs.WriteXML] writes them. The error is a
// [*ParseError] or [Problems].
func ReadIDsFile(path string) (*IDs, error) {
	return readFile(path, idsKind, func(d *decoder) *IDs {
		ids := &IDs{Assigned: map[string]map[string]int{}, Last: map[string]int{}, LastPerTarget: map[string]map[string]int{}}
		for d.Child() {
			switch string(d.Name()) {
			case "ids":
				ids.Assigned = d.nestedNumbers("resource")
			case "lastAssignments":
				ids.Last = d.assignments()
			case "lastAssignmentsPerTarget":
				ids.LastPerTarget = d.nestedNumbers("target")
			default:
				d.Skip()
			}
		}
		return ids
	})
}

func (d *decoder) nestedNumbers(element string) map[string]map[string]int {
	sets := map[string]map[string]int{}
	for name, ok := d.named(element); ok; name, ok = d.named(element) {
		sets[name] = d.assignments()
	}
	return sets
}

func (d *decoder) assignments() map[string]int {
	numbers := map[string]int{}
	for name, ok := d.named("assignment"); ok; name, ok = d.named("assignment") {
		numbers[name] = d.number()
	}
	return numbers
}

// number leaves an element whose text is a whole number.
func (d *decoder) number() int {
	offset := d.Offset()
	text := strings.TrimSpace(d.text())
	number, err := strconv.Atoi(text)
	if err != nil {
		d.problem(offset, fmt.Errorf("%.100q is not a whole number", text))
	}
	return number
}

// ReadIDResourcesFile reads ID resources in XML: elements resource with min,
// max, and optionally scope and step. The error is a [*ParseError] or
// [Problems].
func ReadIDResourcesFile(path string) (map[string]IDResource, error) {
	return readFile(path, idResourcesKind, func(d *decoder) map[string]IDResource {
		resources := map[string]IDResource{}
		for name, ok := d.named("resource"); ok; name, ok = d.named("resource") {
			resources[name] = d.idResource(name)
		}
		return resources
	})
}

func (d *decoder) idResource(name string) IDResource {
	offset := d.Offset()
	var resource IDResource
	var hasMin, hasMax bool
	for d.Child() {
		switch string(d.Name()) {
		case "min":
			resource.Min, hasMin = d.number(), true
		case "max":
			resource.Max, hasMax = d.number(), true
		case "scope":
			resource.Scope = IDScope(strings.TrimSpace(d.text()))
		case "step":
			resource.Step = d.number()
		default:
			d.Skip()
		}
	}
	if !hasMin || !hasMax {
		d.problem(offset, fmt.Errorf("resource %q has no min or no max", name))
	}
	return resource
}

// ReadServicesPropertyFile reads a services model in XML and returns a
// property of each service that is a list of words: either the text of the
// element or that of its children. The error is a [*ParseError] or [Problems].
func ReadServicesPropertyFile(path, property string) (map[string][]string, error) {
	return readFile(path, servicesKind, func(d *decoder) map[string][]string {
		services := map[string][]string{}
		for name, ok := d.named("service"); ok; name, ok = d.named("service") {
			services[name] = nil
			for d.child(property) {
				services[name] = append(services[name], d.words()...)
			}
		}
		return services
	})
}

// words leaves an element with text, or with elements that have text.
func (d *decoder) words() []string {
	var words []string
	start := *d.Reader
	for d.Child() {
		words = append(words, strings.TrimSpace(d.text()))
	}
	if len(words) > 0 {
		return words
	}
	*d.Reader = start
	return strings.Fields(d.text())
}

// ReadDistributionFile reads a distribution model in XML and returns the names
// of the targets of each service. The error is a [*ParseError] or [Problems].
func ReadDistributionFile(path string) (map[string][]string, error) {
	return readFile(path, distributionKind, func(d *decoder) map[string][]string {
		distribution := map[string][]string{}
		for name, ok := d.named("service"); ok; name, ok = d.named("service") {
			distribution[name] = nil
			for d.child("mapping") {
				for d.child("target") {
					distribution[name] = append(distribution[name], strings.TrimSpace(d.text()))
				}
			}
		}
		return distribution
	})
}
