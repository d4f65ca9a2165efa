package evaluation

import (
	"fmt"

	"github.com/disnix-go/disnix/models"
)

// checkTargets translates the infrastructure and reports targets that can
// not be reached or told apart.
func (c *checker) checkTargets() {
	addresses := make(map[string]string)
	for _, member := range c.in.Targets {
		name, in := member.name, member.value
		c.infrastructure[name] = c.target(name, in)
		if in.Address == nil {
			continue
		}
		if other, taken := addresses[*in.Address]; taken {
			c.problem("targets %q and %q have the same address %q: a target is recognised by its address, so each needs its own", other, name, *in.Address)
			continue
		}
		addresses[*in.Address] = name
	}
}

func (c *checker) target(name string, in target) *models.Target {
	where := fmt.Sprintf("target %q", name)
	t := &models.Target{Name: name}
	t.System, _ = required(c, where, "system", in.System, "a string")
	t.ClientInterface, _ = required(c, where, "clientInterface", in.ClientInterface, "a string")
	cores, ok := required(c, where, "numOfCores", in.NumOfCores, "an integer")
	if ok && cores < 1 {
		c.problem("%s: numOfCores is %d, but must be at least 1", where, cores)
	}
	t.NumOfCores = cores
	property, named := required(c, where, "targetProperty", in.TargetProperty, "a string")
	t.TargetProperty = property
	switch {
	case in.Properties.invalid != "":
		c.problem("%s: attribute properties must be an attribute set, not %s", where, in.Properties.invalid)
	default:
		t.Properties = c.properties(where+": properties", in.Properties.value, c.context)
		if named {
			c.checkAddress(where, property, in)
		}
	}
	if in.Containers.invalid != "" {
		c.problem("%s: attribute containers must be an attribute set, not %s", where, in.Containers.invalid)
	}
	t.Containers = c.containers(where+": containers", in.Containers.value, c.context)
	c.installed[name] = c.targetPackages(where, in.Packages)
	return t
}

func (c *checker) checkAddress(where, property string, in target) {
	switch _, present := in.Properties.value.get(property); {
	case !present:
		c.problem("%s: its properties do not have %q, which targetProperty names as the address", where, property)
	case in.Address == nil:
		c.problem("%s: property %q is its address, so it must be a string, number or boolean", where, property)
	case *in.Address == "":
		c.problem("%s: property %q is its address, but it is empty", where, property)
	}
}

func (c *checker) targetPackages(where string, list field[[]field[storePackage]]) []storePackage {
	if list.invalid != "" {
		c.problem("packages of %s: must be a list of packages, not %s", where, list.invalid)
		return nil
	}
	var packages []storePackage
	for i, pkg := range list.value {
		if pkg.invalid != "" {
			c.problem("packages of %s: element %d must be a package, not %s", where, i+1, pkg.invalid)
			continue
		}
		packages = append(packages, pkg.value)
	}
	return packages
}
