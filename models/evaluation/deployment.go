package evaluation

import (
	"context"
	"fmt"
	"strings"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/nix"
)

// deployment is the JSON of glue/deployment.nix.
type deployment struct {
	Profiles         field[pairs[field[storePackage]]]      `json:"profiles"`
	Services         field[pairs[field[deploymentService]]] `json:"services"`
	ServiceMappings  field[[]field[mapping]]                `json:"serviceMappings"`
	SnapshotMappings field[[]field[mapping]]                `json:"snapshotMappings"`
	Targets          pairs[target]                          `json:"targets"`
}

type deploymentService struct {
	Name               field[string]                     `json:"name"`
	Type               field[string]                     `json:"type"`
	Package            field[storePackage]               `json:"pkg"`
	DependsOn          field[[]field[mapping]]           `json:"dependsOn"`
	ConnectsTo         field[[]field[mapping]]           `json:"connectsTo"`
	ProvidesContainers field[pairs[field[pairs[value]]]] `json:"providesContainers"`
	Readiness          field[pairs[value]]               `json:"readiness"`
}

type mapping struct {
	Service                    field[string] `json:"service"`
	Container                  field[string] `json:"container"`
	Target                     field[string] `json:"target"`
	Component                  field[string] `json:"component"`
	ContainerProvidedByService field[string] `json:"containerProvidedByService"`
}

// evaluateDeployment reads a deployment model, which is a manifest already.
func evaluateDeployment(ctx context.Context, w *workspace, in Inputs, files []file) (*System, error) {
	var answer deployment
	args := argumentsOf(files, in)
	if err := w.evaluate(ctx, &answer, "deployment.nix", args...); err != nil {
		return nil, w.explain(ctx, err, in, "deployment.nix", args)
	}
	c := newChecker(&evaluated{Targets: answer.Targets}, false)
	c.checkTargets()
	manifest := c.manifest(answer)
	if err := c.problems.Err(); err != nil {
		return nil, err
	}
	if err := manifest.Validate(); err != nil {
		return nil, err
	}
	return &System{Manifest: manifest, in: in, context: c.context}, nil
}

func (c *checker) manifest(in deployment) *models.Manifest {
	return &models.Manifest{
		Profiles:         c.profiles(in.Profiles),
		Services:         c.deploymentServices(in.Services),
		Infrastructure:   c.infrastructure,
		ServiceMappings:  c.serviceMappings(in.ServiceMappings),
		SnapshotMappings: c.snapshotMappings(in.SnapshotMappings),
	}
}

func (c *checker) profiles(in field[pairs[field[storePackage]]]) map[string]string {
	c.wantKind("profiles", in.invalid, "an attribute set")
	profiles := make(map[string]string, len(in.value))
	for _, member := range in.value {
		path := c.storePath(fmt.Sprintf("profile of target %q", member.name), member.value)
		profiles[member.name] = path
		if strings.HasPrefix(path, nix.StoreDir()+"/") && len(member.value.value.Context) == 0 {
			// A plain string; the manifest has to keep the profile all the same.
			c.context.add(stringContext{path: need{Path: true}})
		}
	}
	return profiles
}

// storePath returns the path of a package that the deployment model mentions.
func (c *checker) storePath(where string, pkg field[storePackage]) string {
	path, ok := required(c, where, "store path", pkg, "a store path")
	if ok {
		c.context.add(path.Context)
	}
	return path.Path
}

func (c *checker) deploymentServices(in field[pairs[field[deploymentService]]]) map[string]*models.Service {
	c.wantKind("services", in.invalid, "an attribute set")
	services := make(map[string]*models.Service, len(in.value))
	for _, member := range in.value {
		where := fmt.Sprintf("service %s", member.name)
		if member.value.invalid != "" {
			c.wantKind(where, member.value.invalid, "an attribute set")
			continue
		}
		s := member.value.value
		service := &models.Service{Package: c.storePath(where, s.Package)}
		service.Name, _ = required(c, where, "name", s.Name, "a string")
		service.Type, _ = required(c, where, "type", s.Type, "a string")
		service.DependsOn = c.dependencyList(where+": dependsOn", s.DependsOn)
		service.ConnectsTo = c.dependencyList(where+": connectsTo", s.ConnectsTo)
		c.wantKind(where+": providesContainers", s.ProvidesContainers.invalid, "an attribute set")
		service.ProvidesContainers = c.containers(where+": providesContainers", s.ProvidesContainers.value, c.context)
		service.Readiness = c.readiness(where, s.Readiness, c.context)
		services[member.name] = service
	}
	return services
}

func (c *checker) dependencyList(where string, in field[[]field[mapping]]) []models.Dependency {
	var list []models.Dependency
	for _, m := range c.mappings(where, in) {
		list = append(list, m.Identity())
	}
	return list
}

func (c *checker) serviceMappings(in field[[]field[mapping]]) []models.ServiceMapping {
	var list []models.ServiceMapping
	for _, m := range c.mappings("serviceMappings", in) {
		list = append(list, m.ServiceMapping)
	}
	return list
}

func (c *checker) snapshotMappings(in field[[]field[mapping]]) []models.SnapshotMapping {
	return c.mappings("snapshotMappings", in)
}

// mappings translates mappings of any kind.
func (c *checker) mappings(where string, in field[[]field[mapping]]) []models.SnapshotMapping {
	c.wantKind(where, in.invalid, "a list")
	var list []models.SnapshotMapping
	for i, element := range in.value {
		where := fmt.Sprintf("%s[%d]", where, i)
		if element.invalid != "" {
			c.wantKind(where, element.invalid, "an attribute set")
			continue
		}
		m := element.value
		list = append(list, models.SnapshotMapping{
			ServiceMapping: models.ServiceMapping{
				Service:                    c.text(where+".service", m.Service),
				Container:                  c.text(where+".container", m.Container),
				Target:                     c.text(where+".target", m.Target),
				ContainerProvidedByService: c.text(where+".containerProvidedByService", m.ContainerProvidedByService),
			},
			Component: c.text(where+".component", m.Component),
		})
	}
	return list
}

// text returns a string that may be absent; what lacks is found when the
// manifest as a whole is validated.
func (c *checker) text(where string, f field[string]) string {
	c.wantKind(where, f.invalid, "a string")
	return f.value
}

func (c *checker) wantKind(where, invalid, kind string) {
	if invalid != "" {
		c.problem("%s must be %s, not %s", where, kind, invalid)
	}
}
