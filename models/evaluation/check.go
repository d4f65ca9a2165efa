package evaluation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/models"
)

// checker finds all mistakes in what the models say, and translates it into
// the terms of a manifest on the way.
type checker struct {
	in       *evaluated
	problems models.Problems
	warnings []string

	infrastructure models.Infrastructure
	services       map[string]*unit
	names          []string // of the services, sorted
	// context holds what the properties of targets refer to.
	context stringContext
	// installed holds the packages of the packages model by target.
	installed map[string][]storePackage
	// defaultDeployState is the deployState of services that do not say.
	defaultDeployState bool
}

// unit is a service that has been checked.
type unit struct {
	name, typ   string
	deployState bool
	places      []spot
	// ordered are the dependencies that are activated before, connected those
	// that are only known, each in the order of the manifest.
	ordered, connected []bond
	containers         map[string]models.Properties
	readiness          map[string]*models.Readiness // by system
	context            stringContext                // what containers and readiness refer to
	packages           map[string]storePackage
}

// spot is a container of a known target.
type spot struct {
	target, container string
	provider          string // service that provides the container, or empty
}

// bond is a dependency on the places of a service.
type bond struct {
	attribute string // for example dependsOn.db
	parameter string
	service   string
	spots     []spot
}

func newChecker(in *evaluated, defaultDeployState bool) *checker {
	return &checker{
		in:             in,
		infrastructure: make(models.Infrastructure, len(in.Targets)),
		services:       make(map[string]*unit, len(in.Services)),
		context:        make(stringContext),
		installed:      make(map[string][]storePackage),

		defaultDeployState: defaultDeployState,
	}
}

func (c *checker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (c *checker) warn(format string, args ...any) {
	c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
}

// check returns all problems of the models at once.
func (c *checker) check() error {
	c.checkTargets()
	for _, name := range c.in.Unknown {
		c.problem("the distribution model maps service %q, which is not in the services model", name)
	}
	for _, name := range c.in.UnknownPackageTargets {
		c.problem("the packages model installs packages on target %q, which is not in the infrastructure model", name)
	}
	for _, member := range c.in.Services {
		c.names = append(c.names, member.name)
		c.services[member.name] = c.checkService(member.name, member.value)
	}
	c.checkProviders()
	for _, member := range c.in.Services {
		c.checkDependencies(c.services[member.name], member.value)
	}
	c.checkCycles()
	return c.problems.Err()
}

// required returns the value of an attribute that has to be there.
func required[T any](c *checker, where, attribute string, f field[T], kind string) (T, bool) {
	switch {
	case f.invalid == "null" || !f.set && f.invalid == "":
		c.problem("%s: attribute %s is missing", where, attribute)
	case f.invalid != "":
		c.problem("%s: attribute %s must be %s, not %s", where, attribute, kind, f.invalid)
	default:
		return f.value, true
	}
	return f.value, false
}

// checkService translates one service. Of one that is not deployed nothing is
// known but its name.
func (c *checker) checkService(name string, in service) *unit {
	where := fmt.Sprintf("service %q", name)
	u := &unit{
		name:       name,
		context:    make(stringContext),
		packages:   make(map[string]storePackage),
		containers: make(map[string]models.Properties),
	}
	if in.Targets != nil && len(*in.Targets) == 0 {
		return u
	}
	if declared, ok := required(c, where, "name", in.Name, "a string"); ok && declared != name {
		c.problem("%s: its attribute name is %q, but has to be the same as the name of the service in the services model", where, declared)
	}
	typ, typed := required(c, where, "type", in.Type, "a string")
	if typed && typ == "" {
		c.problem("%s: attribute type is empty", where)
	}
	u.typ = typ
	u.deployState, _ = required(c, where, "deployState", in.DeployState, "a boolean")
	if in.ProvidesContainer.invalid != "" {
		c.problem("%s: attribute providesContainer must be a string, not %s", where, in.ProvidesContainer.invalid)
	}
	if in.ProvidesContainers.invalid != "" {
		c.problem("%s: attribute providesContainers must be an attribute set, not %s", where, in.ProvidesContainers.invalid)
	}
	u.containers = c.containers(where+": containers", in.Containers.value, u.context)
	c.checkReadiness(where, u, in)
	if in.Targets == nil {
		c.problem("%s: its targets must be a list of targets or an attribute set { targets = [ { target = …; } … ]; }", where)
	} else {
		u.places = c.places(where, *in.Targets, typed)
	}
	c.checkPackages(where, u, in)
	return u
}

// checkReadiness reports the mistakes of one system: others have the same.
func (c *checker) checkReadiness(where string, u *unit, in service) {
	u.readiness = make(map[string]*models.Readiness)
	before := len(c.problems)
	for _, member := range in.Readiness {
		if len(c.problems) > before {
			return
		}
		r := c.readiness(where, member.value, u.context)
		if r != nil && u.typ == models.PackageType {
			c.problem("%s: it is of type %s, which is installed and not activated: remove its attribute readiness", where, u.typ)
		}
		u.readiness[member.name] = r
	}
}

// readiness translates what an activation has to wait for.
func (c *checker) readiness(where string, in field[pairs[value]], context stringContext) *models.Readiness {
	where += ": readiness"
	if in.invalid != "" {
		c.problem("%s must be an attribute set, not %s", where, in.invalid)
	}
	if !in.set {
		return nil
	}
	before := len(c.problems)
	properties := c.properties(where, in.value, context)
	if len(c.problems) > before {
		return nil
	}
	r, problems := models.NewReadiness(properties)
	for _, err := range problems {
		c.problem("%s: %w", where, err)
	}
	return r
}

func (c *checker) checkPackages(where string, u *unit, in service) {
	for _, member := range in.Packages {
		system, pkg := member.name, member.value
		switch {
		case pkg.invalid == "a function":
			c.problem("%s: its pkg for system %s is a function, but the service has no inter-dependencies that could be its parameters", where, system)
		case pkg.invalid != "":
			c.problem("%s: its pkg for system %s must be a package, not %s", where, system, pkg.invalid)
		default:
			u.packages[system] = pkg.value
		}
	}
}

// places translates the places that a model mentions. Without a type the
// containers are unknown, which has been reported already.
func (c *checker) places(where string, list []place, typed bool) []spot {
	var spots []spot
	for i, p := range list {
		switch {
		case p.Target == nil && p.Address != nil:
			c.problem("%s: entry %d of its targets has the address %q, which no target of the infrastructure model has", where, i+1, *p.Address)
		case p.Target == nil:
			c.problem("%s: entry %d of its targets is not a target of the infrastructure model, but %s", where, i+1, p.Found)
		case p.Container.invalid != "" && typed:
			c.problem("%s: the container in entry %d of its targets must be a string, not %s", where, i+1, p.Container.invalid)
		default:
			spots = append(spots, spot{target: *p.Target, container: p.Container.value, provider: p.Provider})
		}
	}
	return spots
}

// checkProviders reports containers that several services provide on one
// target.
func (c *checker) checkProviders() {
	type container struct{ target, name string }
	providers := make(map[container][]string)
	for _, name := range c.names {
		u := c.services[name]
		for _, s := range u.places {
			for provided := range u.containers {
				key := container{s.target, provided}
				if !slices.Contains(providers[key], name) {
					providers[key] = append(providers[key], name)
				}
			}
		}
	}
	var problems []string
	for key, names := range providers {
		if len(names) > 1 {
			problems = append(problems, fmt.Sprintf("container %q on target %q is provided by more than one service: %s", key.name, key.target, quoted(names)))
		}
	}
	slices.Sort(problems)
	for _, p := range problems {
		c.problem("%s", p)
	}
}

// quoted lists names for a message.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(list, ", ")
}
