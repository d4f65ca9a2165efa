package models

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/disnix-go/disnix/models/internal/strictxml"
)

// ReadDistributedDerivation reads a distributed derivation and checks that its
// mappings name interfaces that it has. The error is a [*ParseError] or
// [Problems].
func ReadDistributedDerivation(r io.Reader) (*DistributedDerivation, error) {
	return readDocument(r, "", distributedDerivationKind, (*decoder).distributedDerivation)
}

// ReadDistributedDerivationFile is [ReadDistributedDerivation] for a file,
// which its errors name.
func ReadDistributedDerivationFile(path string) (*DistributedDerivation, error) {
	return readFile(path, distributedDerivationKind, (*decoder).distributedDerivation)
}

func (d *decoder) distributedDerivation() *DistributedDerivation {
	offset := d.Offset()
	document := &DistributedDerivation{Interfaces: make(map[string]Interface)}
	for d.Child() {
		switch string(d.Name()) {
		case "derivationMappings":
			document.Mappings = d.derivationMappings()
		case "interfaces":
			document.Interfaces = d.interfaces()
		default:
			d.Skip()
		}
	}
	var problems Problems
	if errors.As(document.Validate(), &problems) {
		d.problem(offset, problems...)
	}
	return document
}

func (d *decoder) derivationMappings() []DerivationMapping {
	var mappings []DerivationMapping
	for d.child("mapping") {
		var m DerivationMapping
		for d.Child() {
			switch string(d.Name()) {
			case "derivation":
				m.Derivation = d.shared()
			case "interface":
				m.Interface = d.shared()
			default:
				d.Skip()
			}
		}
		mappings = append(mappings, m)
	}
	return mappings
}

func (d *decoder) interfaces() map[string]Interface {
	interfaces := make(map[string]Interface)
	for name, ok := d.named("interface"); ok; name, ok = d.named("interface") {
		i := Interface{NumOfCores: 1}
		for d.Child() {
			switch string(d.Name()) {
			case "targetAddress":
				i.TargetAddress = d.text()
			case "clientInterface":
				i.ClientInterface = d.shared()
			case "numOfCores":
				i.NumOfCores = d.numOfCores(name)
			default:
				d.Skip()
			}
		}
		interfaces[name] = i
	}
	return interfaces
}

// Infrastructure returns the build machines as targets, whose address is in
// the property targetAddress.
func (dd *DistributedDerivation) Infrastructure() Infrastructure {
	const property = "targetAddress"
	infrastructure := make(Infrastructure, len(dd.Interfaces))
	for name, i := range dd.Interfaces {
		infrastructure[name] = &Target{
			Name:            name,
			Properties:      Properties{property: {Type: String, Text: i.TargetAddress}},
			TargetProperty:  property,
			ClientInterface: i.ClientInterface,
			NumOfCores:      max(1, i.NumOfCores),
		}
	}
	return infrastructure
}

// WriteXML writes the distributed derivation, interfaces in byte order.
func (dd *DistributedDerivation) WriteXML(w io.Writer) error {
	return writeDocument(w, distributedDerivationKind, func(x *strictxml.Writer) {
		x.Start("derivationMappings")
		for _, m := range dd.Mappings {
			x.Start("mapping")
			x.Element("derivation", m.Derivation)
			x.Element("interface", m.Interface)
			x.End("mapping")
		}
		x.End("derivationMappings")
		x.Start("interfaces")
		for _, name := range sorted(dd.Interfaces) {
			x.Start("interface", "name", name)
			x.Element("targetAddress", dd.Interfaces[name].TargetAddress)
			x.Element("clientInterface", dd.Interfaces[name].ClientInterface)
			if cores := dd.Interfaces[name].NumOfCores; cores > 1 { // the original does not know it
				x.Element("numOfCores", strconv.Itoa(cores))
			}
			x.End("interface")
		}
		x.End("interfaces")
	})
}

// Validate reports all mistakes, as [Problems]: fields that are not set, and
// mappings to interfaces that do not exist.
func (dd *DistributedDerivation) Validate() error {
	var problems Problems
	for i, m := range dd.Mappings {
		if m.Derivation == "" {
			problems = append(problems, fmt.Errorf("derivation mapping %d (interface %q): derivationmapping.derivation is not set!", i, m.Interface))
		}
		if m.Interface == "" {
			problems = append(problems, fmt.Errorf("derivation mapping %d (derivation %s): derivationmapping.interface is not set!", i, m.Derivation))
		} else if _, ok := dd.Interfaces[m.Interface]; !ok {
			problems = append(problems, fmt.Errorf("derivation %s: Derivation mapping: %d contains an incorrect reference to interface: %s", m.Derivation, i, m.Interface))
		}
	}
	for _, name := range sorted(dd.Interfaces) {
		if dd.Interfaces[name].TargetAddress == "" {
			problems = append(problems, fmt.Errorf("interface %q: interface.targetAddress is not set! Hash table value with key: %s is invalid!", name, name))
		}
		if dd.Interfaces[name].ClientInterface == "" {
			problems = append(problems, fmt.Errorf("interface %q: interface.clientInterface is not set! Hash table value with key: %s is invalid!", name, name))
		}
		if cores := dd.Interfaces[name].NumOfCores; cores < 1 {
			problems = append(problems, fmt.Errorf("interface %q: numOfCores is %d, but must be at least 1", name, cores))
		}
	}
	return problems.Err()
}
