package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
)

// unit describes a service of a test system: "name version on target …".
type unit struct {
	name, version string
	on            string   // targets, separated by spaces; node1 if empty
	container     string   // process if empty
	dependsOn     []string // names of units that come before
	provides      string   // container that it provides
	in            string   // name of the unit that provides its container
}

// system builds a manifest as an evaluation would: keys are real, a unit that
// is in a provided container depends on the provider.
func system(units ...unit) *models.Manifest {
	m := &models.Manifest{
		Services:       make(map[string]*models.Service),
		Infrastructure: make(models.Infrastructure),
	}
	mapped := make(map[string][]models.Dependency)
	for _, u := range units {
		if u.on == "" {
			u.on = "node1"
		}
		if u.container == "" {
			u.container = "process"
		}
		service := &models.Service{Name: u.name, Type: u.container, Package: packageOf(u.name, u.version)}
		for _, name := range u.dependsOn {
			service.DependsOn = append(service.DependsOn, mapped[name]...)
		}
		var provider string
		if u.in != "" {
			provider = mapped[u.in][0].Service
			service.DependsOn = append(service.DependsOn, mapped[u.in]...)
		}
		if u.provides != "" {
			service.ProvidesContainers = map[string]models.Properties{
				u.provides: {"port": {Type: models.Int, Text: "5432"}},
			}
		}
		key := models.ServiceKey(service.Name, service.Type, service.Package, service.DependsOn)
		m.Services[key] = service
		for target := range strings.FieldsSeq(u.on) {
			m.Infrastructure[target] = newTarget(target)
			sm := models.ServiceMapping{
				Service: key, Container: u.container, Target: target, ContainerProvidedByService: provider,
			}
			m.ServiceMappings = append(m.ServiceMappings, sm)
			mapped[u.name] = append(mapped[u.name], sm.Identity())
		}
	}
	return m
}

func packageOf(name, version string) string { return "/nix/store/" + version + "-" + name }

func newTarget(name string) *models.Target {
	return &models.Target{
		Name:            name,
		Properties:      models.Properties{"hostname": {Type: models.String, Text: name + ".lan"}},
		Containers:      map[string]models.Properties{"process": {"user": {Type: models.String, Text: name}}},
		NumOfCores:      1,
		ClientInterface: "disnix-ssh-client",
		TargetProperty:  "hostname",
	}
}

// show writes each step on a line.
func show(steps []*plan.Step) []string {
	var lines []string
	for _, s := range steps {
		line := fmt.Sprintf("%s %s@%s: %s", s.Kind, s.Service.Name, s.Mapping.Target, s.Reason)
		if len(s.After) > 0 {
			line += fmt.Sprint(" after ", s.After)
		}
		lines = append(lines, line)
	}
	return lines
}

func mustPlan(t testing.TB, old, new *models.Manifest) *plan.Plan {
	t.Helper()
	p, err := plan.New(old, new, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
