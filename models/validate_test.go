package models_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
)

func TestValidateAcceptsTheSample(t *testing.T) {
	if err := sample().Validate(); err != nil {
		t.Error(err)
	}
	if err := new(models.Manifest).Validate(); err != nil {
		t.Errorf("empty manifest: %v", err)
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*models.Manifest)
		want   []string // the complete problems
	}{
		{
			"fields that are not set",
			func(m *models.Manifest) {
				*m.Services["3f1c"] = models.Service{}
				m.SnapshotMappings[0].Component = ""
				m.Profiles["node1"] = ""
			},
			[]string{
				`profile of target "node1": profile is not set!`,
				`service "" with key 3f1c: service.name is not set! Hash table value with key: 3f1c is invalid!`,
				`service "" with key 3f1c: service.pkg is not set! Hash table value with key: 3f1c is invalid!`,
				`service "" with key 3f1c: service.type is not set! Hash table value with key: 3f1c is invalid!`,
				`snapshot mapping 0 (service "3f1c" in container "pg-database" on target "node1"): mapping.component is not set!`,
			},
		},
		{
			"a target that is not set up",
			func(m *models.Manifest) {
				*m.Infrastructure["node1"] = models.Target{Name: "node1"}
			},
			[]string{
				`target "node1": target.numOfCores should be greater than 0`,
				`target "node1": target.clientInterface is unspecified!`,
				`target "node1": target.targetProperty is unspecified!`,
			},
		},
		{
			"a target without its address",
			func(m *models.Manifest) { m.Infrastructure["node1"].TargetProperty = "url" },
			[]string{`target "node1": Target defines: 'url' as a target property, but it does not exists in the properties attribute set!`},
		},
		{
			"an address that is none",
			func(m *models.Manifest) {
				m.Infrastructure["node1"].Properties["hostname"] = models.Value{Type: models.List}
			},
			[]string{`target "node1": property "hostname" is the address, but is a list: it must be a string, int, float or bool`},
		},
		{
			"an empty address",
			func(m *models.Manifest) {
				m.Infrastructure["node1"].Properties["hostname"] = models.Value{Type: models.String}
			},
			[]string{`target "node1": property "hostname" is the address, but is empty`},
		},
		{
			"a profile for an unknown target",
			func(m *models.Manifest) { m.Profiles["node9"] = "/nix/store/x-node9" },
			[]string{`profile /nix/store/x-node9: target "node9" is not in the infrastructure`},
		},
		{
			"mappings of unknown services and targets",
			func(m *models.Manifest) {
				m.ServiceMappings = append(m.ServiceMappings,
					models.ServiceMapping{Service: "dead", Container: "process", Target: "node1"},
					models.ServiceMapping{Service: "77ab", Container: "process", Target: "alpha"})
				m.SnapshotMappings = append(m.SnapshotMappings,
					models.SnapshotMapping{Component: "a", ServiceMapping: models.ServiceMapping{Service: "dead", Container: "a", Target: "beta"}})
			},
			[]string{
				// The numbers are those of the sorted mappings: alpha comes first.
				`service "dead" in container "process" on target "node1": Service mapping: 3 contains an incorrect reference to service: dead`,
				`service "77ab" in container "process" on target "alpha": Service mapping: 0 contains an incorrect reference to target: alpha`,
				`service "dead" in container "a" on target "beta": Snapshot mapping: 0 contains an incorrect reference to service: dead`,
				`service "dead" in container "a" on target "beta": Snapshot mapping: 0 contains an incorrect reference to target: beta`,
			},
		},
		{
			"dangling dependencies",
			func(m *models.Manifest) {
				m.Services["3f1c"].DependsOn = []models.Dependency{
					{Service: "dead", Container: "process", Target: "node9"},
					{Service: "77ab", Container: "echo", Target: "node1"},
				}
				m.Services["77ab"].ConnectsTo = []models.Dependency{{Service: "dead", Container: "process", Target: "node1"}}
			},
			[]string{
				`service "orders" with key 3f1c: dependsOn mapping 0: service dead is not in the manifest`,
				`service "orders" with key 3f1c: dependsOn mapping 0: target "node9" is not in the infrastructure`,
				`service "orders" with key 3f1c: dependsOn mapping 1: service "dbserver" with key 77ab is not mapped to container "echo" on target "node1"; it is mapped to container "process" on target "node1"`,
				`service "dbserver" with key 77ab: connectsTo mapping 0: service dead is not in the manifest`,
			},
		},
		{
			"a dependency on a service that is mapped nowhere",
			func(m *models.Manifest) {
				m.Services["dead"] = &models.Service{Name: "spare", Package: "/p", Type: "process"}
				m.Services["77ab"].DependsOn = []models.Dependency{{Service: "dead", Container: "process", Target: "node1"}}
			},
			[]string{`service "dbserver" with key 77ab: dependsOn mapping 0: service "spare" with key dead is not mapped to container "process" on target "node1"; it is mapped to no target`},
		},
		{
			"providers that do not exist or do not provide",
			func(m *models.Manifest) {
				m.ServiceMappings[0].ContainerProvidedByService = "dead"
				m.SnapshotMappings[0].ContainerProvidedByService = "3f1c"
			},
			[]string{
				`service "3f1c" in container "pg-database" on target "node1": containerProvidedByService: service dead is not in the manifest`,
				`service "3f1c" in container "pg-database" on target "node1": containerProvidedByService: service "orders" with key 3f1c does not provide container "pg-database"`,
			},
		},
		{
			"a provider on another target",
			func(m *models.Manifest) {
				addTarget(m, "node2", "node2.lan", "disnix-ssh-client")
				m.ServiceMappings[1].Target = "node2"
				m.Services["3f1c"].DependsOn[0].Target = "node2"
			},
			[]string{
				`service "3f1c" in container "pg-database" on target "node1": containerProvidedByService: service "dbserver" with key 77ab is not mapped to target "node1"; it is mapped to container "process" on target "node2"`,
				`service "3f1c" in container "pg-database" on target "node1": containerProvidedByService: service "dbserver" with key 77ab is not mapped to target "node1"; it is mapped to container "process" on target "node2"`,
			},
		},
		{
			"two providers of one container",
			func(m *models.Manifest) {
				m.Services["88cd"] = &models.Service{Name: "other", Package: "/p", Type: "process",
					ProvidesContainers: map[string]models.Properties{"pg-database": nil}}
				m.ServiceMappings = append(m.ServiceMappings, models.ServiceMapping{Service: "88cd", Container: "process", Target: "node1"})
			},
			[]string{`target "node1": container "pg-database" is provided by two services, service "dbserver" with key 77ab and service "other" with key 88cd: deploy only one of them to this target`},
		},
		{
			"a service that provides its own container",
			func(m *models.Manifest) {
				m.Services["77ab"].ProvidesContainers["process"] = nil
				m.ServiceMappings[1].ContainerProvidedByService = "77ab"
			},
			[]string{`service "77ab" in container "process" on target "node1": containerProvidedByService: service "dbserver" with key 77ab would have to be active before itself: give it another type or container`},
		},
		{
			"a snapshot mapping without a service mapping",
			func(m *models.Manifest) { m.SnapshotMappings[0].Container = "echo" },
			[]string{
				`service "3f1c" in container "echo" on target "node1": containerProvidedByService: service "dbserver" with key 77ab does not provide container "echo"`,
				`snapshot mapping of component "orders" (service "3f1c" in container "echo" on target "node1"): no service mapping has this service, container and target`,
			},
		},
		{
			"addresses that several targets have",
			func(m *models.Manifest) {
				addTarget(m, "node2", "node1.lan", "disnix-ssh-client")
				addTarget(m, "node3", "node1.lan", "disnix-soap-client")
			},
			[]string{`targets "node1", "node2", "node3" have the same address "node1.lan": they would overwrite each other's profile`},
		},
		{
			"a cycle",
			func(m *models.Manifest) {
				m.Services["77ab"].DependsOn = []models.Dependency{{Service: "3f1c", Container: "pg-database", Target: "node1"}}
			},
			[]string{`services depend on each other in a cycle: orders (3f1c) -> dbserver (77ab) -> orders (3f1c): remove one of these dependencies, or make it a connectsTo`},
		},
		{
			"a service that depends on itself",
			func(m *models.Manifest) {
				m.Services["77ab"].DependsOn = []models.Dependency{{Service: "77ab", Container: "process", Target: "node1"}}
			},
			[]string{`services depend on each other in a cycle: dbserver (77ab) -> dbserver (77ab): remove one of these dependencies, or make it a connectsTo`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := sample()
			test.change(m)
			var problems models.Problems
			if err := m.Validate(); !errors.As(err, &problems) {
				t.Fatalf("error %v, want problems", err)
			}
			if got, want := problems.Error(), strings.Join(test.want, "\n"); got != want {
				t.Errorf("reported\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func addTarget(m *models.Manifest, name, address, client string) {
	m.Infrastructure[name] = &models.Target{Name: name, NumOfCores: 1, ClientInterface: client, TargetProperty: "hostname",
		Properties: models.Properties{"hostname": {Type: models.String, Text: address}}}
}

// TestValidateReportsWhatIsNil checks a manifest that a program has put
// together: the readers never make such a one.
func TestValidateReportsWhatIsNil(t *testing.T) {
	m := sample()
	m.Services["3f1c"] = nil
	m.Infrastructure["node1"] = nil
	err := m.Validate()
	var problems models.Problems
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("got %v", err)
	}
	const want = `service with key 3f1c is not set
target "node1" is not set`
	if err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	if err := m.Infrastructure.Validate(); !errors.As(err, &problems) {
		t.Errorf("infrastructure: %v", err)
	}
}

func TestValidateAcceptsWhatIsNoMistake(t *testing.T) {
	tests := map[string]func(*models.Manifest){
		"logical targets of this machine": func(m *models.Manifest) {
			addTarget(m, "a", "localhost", "disnix-run-activity")
			addTarget(m, "b", "localhost", "disnix-run-activity")
			addTarget(m, "c", "localhost", "disnix-client")
		},
		"one provider on two targets": func(m *models.Manifest) {
			addTarget(m, "node2", "node2.lan", "disnix-ssh-client")
			m.ServiceMappings = append(m.ServiceMappings, models.ServiceMapping{Service: "77ab", Container: "process", Target: "node2"})
		},
		"a cycle of connectsTo": func(m *models.Manifest) {
			m.Services["77ab"].ConnectsTo = []models.Dependency{{Service: "3f1c", Container: "pg-database", Target: "node1"}}
		},
		"the state of a package, as the original lists it": func(m *models.Manifest) {
			m.Services["99ef"] = &models.Service{Name: "tools", Package: "/p", Type: models.PackageType}
			m.SnapshotMappings = append(m.SnapshotMappings, models.SnapshotMapping{Component: "tools",
				ServiceMapping: models.ServiceMapping{Service: "99ef", Container: "package", Target: "node1"}})
		},
		"an address that is a number": func(m *models.Manifest) {
			m.Infrastructure["node1"].Properties["hostname"] = models.Value{Type: models.Int, Text: "8080"}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			m := sample()
			change(m)
			if err := m.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestValidateLongChains(t *testing.T) {
	m := modelstest.Chain(100_000, 10, 1)
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	// Close the chain: the first service depends on the last one.
	last := m.ServiceMappings[len(m.ServiceMappings)-1]
	m.Services[m.ServiceMappings[0].Service].DependsOn = []models.Dependency{last.Identity()}
	var problems models.Problems
	if err := m.Validate(); !errors.As(err, &problems) || len(problems) != 1 {
		t.Fatalf("%d problems, want the cycle", len(problems))
	}
	if got, want := strings.Count(problems[0].Error(), " -> "), 100_000; got != want {
		t.Errorf("the path has %d steps, want %d", got, want)
	}
}

func TestValidateShowsSomePlacesOnly(t *testing.T) {
	m := sample()
	for i := range 5 {
		name := fmt.Sprintf("node%d", i+2)
		addTarget(m, name, name, "disnix-ssh-client")
		m.ServiceMappings = append(m.ServiceMappings, models.ServiceMapping{Service: "77ab", Container: "process", Target: name})
	}
	m.Services["3f1c"].DependsOn[0].Container = "echo"
	err := m.Validate()
	if err == nil || !strings.HasSuffix(err.Error(), `container "process" on target "node3", 3 more`) {
		t.Errorf("error %v", err)
	}
}
