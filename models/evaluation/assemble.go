package evaluation

import (
	"fmt"
	"slices"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/nix"
)

// assembler puts the manifest together from services that have been checked.
type assembler struct {
	*checker
	keys     map[instance]string
	manifest *models.Manifest
}

// instance is a service as built for one system.
type instance struct{ service, system string }

// assemble returns the manifest without profiles.
func (c *checker) assemble() (*models.Manifest, error) {
	a := &assembler{
		checker: c,
		keys:    make(map[instance]string),
		manifest: &models.Manifest{
			Profiles:       make(map[string]string),
			Services:       make(map[string]*models.Service),
			Infrastructure: c.infrastructure,
		},
	}
	for _, name := range c.names {
		u := c.services[name]
		for _, s := range u.places {
			a.key(u, a.systemOf(s))
		}
	}
	a.connect()
	if err := a.problems.Err(); err != nil {
		return nil, err
	}
	for _, name := range c.names {
		a.place(c.services[name])
	}
	return a.manifest, nil
}

func (a *assembler) systemOf(s spot) string { return a.infrastructure[s.target].System }

// key returns the key of a service for one system, adding it to the manifest
// when it is first needed. Services are free of cycles here.
func (a *assembler) key(u *unit, system string) string {
	i := instance{u.name, system}
	if key, ok := a.keys[i]; ok {
		return key
	}
	pkg, ok := u.packages[system]
	if !ok {
		a.problem("service %q has no package for system %s", u.name, system)
		a.keys[i] = ""
		return ""
	}
	dependsOn := a.dependencies(u.ordered)
	key := models.ServiceKey(u.name, u.typ, pkg.Path, dependsOn)
	a.keys[i] = key
	a.manifest.Services[key] = &models.Service{
		Name:               u.name,
		Package:            pkg.Path,
		Type:               u.typ,
		DependsOn:          dependsOn,
		ProvidesContainers: u.containers,
		Readiness:          u.readiness[system],
	}
	return key
}

func (a *assembler) dependencies(bonds []bond) []models.Dependency {
	var list []models.Dependency
	for _, b := range bonds {
		for _, s := range b.spots {
			list = append(list, models.Dependency{
				Service:   a.key(a.services[b.service], a.systemOf(s)),
				Container: s.container,
				Target:    s.target,
			})
		}
	}
	return list
}

// connect adds connectsTo, which may be cyclic, when all keys are known.
func (a *assembler) connect() {
	connected := make(map[string][]models.Dependency, len(a.services))
	for _, name := range a.names {
		connected[name] = a.dependencies(a.services[name].connected)
	}
	for i, key := range a.keys {
		if s, ok := a.manifest.Services[key]; ok {
			s.ConnectsTo = connected[i.service]
		}
	}
}

// place adds the mappings of a service. A place that is mentioned twice is
// one place.
func (a *assembler) place(u *unit) {
	if u.typ == models.PackageType {
		return
	}
	seen := make([]spot, 0, len(u.places))
	for _, s := range u.places {
		if slices.Contains(seen, s) {
			continue
		}
		seen = append(seen, s)
		system := a.systemOf(s)
		mapping := models.ServiceMapping{
			Service:   a.keys[instance{u.name, system}],
			Container: s.container,
			Target:    s.target,
		}
		if s.provider != "" {
			mapping.ContainerProvidedByService = a.keys[instance{s.provider, system}]
		}
		a.manifest.ServiceMappings = append(a.manifest.ServiceMappings, mapping)
		if u.deployState {
			a.manifest.SnapshotMappings = append(a.manifest.SnapshotMappings, models.SnapshotMapping{
				ServiceMapping: mapping,
				Component:      nix.PackageName(u.packages[system].Path),
			})
		}
	}
}

// installable is a package on a target and why it is there.
type installable struct {
	storePackage
	reason string // for example: service "api"
}

// profilePackages returns what is installed on each target: the packages of
// the packages model, then those of the services in the order of their names.
func (c *checker) profilePackages() map[string][]installable {
	profiles := make(map[string][]installable, len(c.infrastructure))
	for target := range c.infrastructure {
		profiles[target] = nil
		for _, pkg := range c.installed[target] {
			profiles[target] = append(profiles[target], installable{pkg, fmt.Sprintf("target %q", target)})
		}
	}
	for _, name := range c.names {
		u := c.services[name]
		seen := make(map[string]bool, len(u.places))
		for _, s := range u.places {
			if seen[s.target] {
				continue
			}
			seen[s.target] = true
			pkg := u.packages[c.infrastructure[s.target].System]
			profiles[s.target] = append(profiles[s.target], installable{pkg, fmt.Sprintf("service %q", name)})
		}
	}
	return profiles
}
