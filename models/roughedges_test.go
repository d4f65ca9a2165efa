package models_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
)

// TestRoughEdges holds that the known defects of the original in its formats
// and manifests are not repeated. The names give the page and number.
func TestRoughEdges(t *testing.T) {
	t.Run("formats 1: typed values are well-formed XML", func(t *testing.T) {
		m := sample()
		m.Services["77ab"].ProvidesContainers["pg-database"]["tags"] = list(text("a"), attrs(models.Properties{"b": text("")}))
		const want = `
            <container name="pg-database">
              <property name="pgPort" type="int">5432</property>
              <property name="tags" type="list">
                <elem type="string">a</elem>
                <elem type="attrs">
                  <property name="b" type="string"></property>
                </elem>
              </property>
            </container>
`
		if got := printed(t, query(m).WriteXML); !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	})
	t.Run("formats 2: markup and antiquotation are escaped", func(t *testing.T) {
		m := sample()
		m.Services["77ab"].ProvidesContainers["pg-database"]["a&\"b\""] = text("<${x}&")
		if got := printed(t, query(m).WriteXML); !strings.Contains(got, `<property name="a&amp;&quot;b&quot;" type="string">&lt;${x}&amp;</property>`) {
			t.Errorf("wrote\n%s", got)
		}
		if got := printed(t, query(m).WriteNix); !strings.Contains(got, `"a&\"b\"" = "<\${x}&";`) {
			t.Errorf("wrote\n%s", got)
		}
	})
	t.Run("formats 3: a target without numOfCores has one core", func(t *testing.T) {
		m := readManifest(t, manifestWith(nil))
		if cores := m.Infrastructure["node1"].NumOfCores; cores != 1 {
			t.Errorf("%d cores", cores)
		}
		m = readManifest(t, manifestWith(map[string]string{"target": "<numOfCores/>"}))
		if cores := m.Infrastructure["node1"].NumOfCores; cores != 1 {
			t.Errorf("%d cores", cores)
		}
	})
	t.Run("formats 4: a mapping without target is an error", func(t *testing.T) {
		_, err := models.ReadManifest(strings.NewReader(manifestWith(map[string]string{
			"service":          `<connectsTo><mapping><service>3f1c</service><container>process</container></mapping></connectsTo>`,
			"serviceMappings":  `<mapping><service>3f1c</service><container>echo</container></mapping>`,
			"snapshotMappings": `<mapping><component>orders</component><service>3f1c</service><container>process</container></mapping>`,
		})))
		if err == nil {
			t.Fatal("no error")
		}
		containsAll(t, err.Error(), []string{
			`service "orders" with key 3f1c: connectsTo mapping 0 (service "3f1c" in container "process" on target ""): mapping.target is not set!`,
			`service mapping 1 (service "3f1c" in container "echo" on target ""): mapping.target is not set!`,
			`snapshot mapping 0 (service "3f1c" in container "process" on target ""): mapping.target is not set!`,
		})
	})
	t.Run("formats 5: comparison sees providers and the services of snapshots", func(t *testing.T) {
		changes := map[string]func(*models.Manifest){
			"provider of a service mapping":  func(m *models.Manifest) { m.ServiceMappings[0].ContainerProvidedByService = "" },
			"provider of a snapshot mapping": func(m *models.Manifest) { m.SnapshotMappings[0].ContainerProvidedByService = "x" },
			"service of a snapshot mapping":  func(m *models.Manifest) { m.SnapshotMappings[0].Service = "77ab" },
		}
		for name, change := range changes {
			m := sample()
			change(m)
			if m.Equal(sample()) {
				t.Errorf("the %s does not count", name)
			}
		}
	})
	t.Run("formats 6: attribute sets reach the plugins", func(t *testing.T) {
		p := models.Properties{"limits": attrs(models.Properties{"memory": integer("512"), "name": text("a b")})}
		if got, want := p.Arguments(), []string{`limits={"memory":512,"name":"a b"}`}; !slices.Equal(got, want) {
			t.Errorf("arguments %q, want %q", got, want)
		}
	})
	t.Run("formats 7: empty elements do not count as set", func(t *testing.T) {
		_, err := models.ReadManifest(strings.NewReader(manifestWith(map[string]string{
			"services":        `<service name="77ab"><name/><pkg/><type></type></service>`,
			"infrastructure":  `<target name="node2"><clientInterface/><targetProperty/></target>`,
			"serviceMappings": `<mapping><service/><container/><target/></mapping>`,
		})))
		if err == nil {
			t.Fatal("no error")
		}
		containsAll(t, err.Error(), []string{
			"service.name is not set!", "service.pkg is not set!", "service.type is not set!",
			"target.clientInterface is unspecified!", "target.targetProperty is unspecified!",
			"mapping.service is not set!", "mapping.container is not set!", "mapping.target is not set!",
		})
	})
	t.Run("formats 8: long addresses are not cut", func(t *testing.T) {
		address := strings.Repeat("a", 5000)
		m := sample()
		m.Infrastructure["node1"].Properties["hostname"] = text(address)
		got, err := readManifest(t, string(document(t, m))).Infrastructure["node1"].Address()
		if err != nil || got != address {
			t.Errorf("address of %d bytes, error %v", len(got), err)
		}
	})
	t.Run("formats 9: outputs are reproducible", func(t *testing.T) {
		outputs := func() string {
			m := modelstest.Random(1, 40, 3, 9, 1)
			q := query(m) // in the order of a map
			return string(document(t, m)) + printed(t, m.Infrastructure.WriteXML) +
				printed(t, q.WriteServices) + printed(t, q.WriteContainers) + printed(t, q.WriteNix) + printed(t, q.WriteXML)
		}
		first := outputs()
		for range 5 {
			if outputs() != first {
				t.Fatal("equal documents were written differently")
			}
		}
		if i, j := strings.Index(first, "Services on: target0000"), strings.Index(first, "Services on: target0008"); i < 0 || j < i {
			t.Error("targets are not in byte order")
		}
	})
	t.Run("formats 10: nothing but the document is read", func(t *testing.T) {
		const text = `<?xml version="1.0"?><!DOCTYPE manifest SYSTEM "http://127.0.0.1:1/manifest.dtd"><manifest version="2"/>`
		_, err := models.ReadManifest(strings.NewReader(text))
		var unreadable *models.ParseError
		if !errors.As(err, &unreadable) || !strings.Contains(err.Error(), "document type declarations are not accepted") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("models 4: a service cannot provide its own container", func(t *testing.T) {
		m := sample()
		m.Services["77ab"].ProvidesContainers["process"] = nil
		m.ServiceMappings[1].ContainerProvidedByService = "77ab"
		wantProblem(t, m, "would have to be active before itself")
	})
	t.Run("models 9: a profile for a target that does not exist is an error", func(t *testing.T) {
		m := sample()
		m.Profiles["node9"] = "/nix/store/x-node9"
		wantProblem(t, m, `target "node9" is not in the infrastructure`)
	})
	t.Run("models 10: targets with one address are not merged", func(t *testing.T) {
		m := sample()
		addTarget(m, "node2", "node1.lan", "disnix-ssh-client")
		wantProblem(t, m, `targets "node1", "node2" have the same address "node1.lan"`)
	})
	t.Run("models 11: a dependency on a target without the provider is an error", func(t *testing.T) {
		m := sample()
		addTarget(m, "node2", "node2.lan", "disnix-ssh-client")
		m.Services["3f1c"].DependsOn[0].Target = "node2"
		wantProblem(t, m, `service "dbserver" with key 77ab is not mapped to container "process" on target "node2"; it is mapped to container "process" on target "node1"`)
	})
	t.Run("models 12: a cycle is explained", func(t *testing.T) {
		m := sample()
		m.Services["77ab"].DependsOn = []models.Dependency{{Service: "3f1c", Container: "pg-database", Target: "node1"}}
		wantProblem(t, m, "orders (3f1c) -> dbserver (77ab) -> orders (3f1c)")
	})
	t.Run("models 13: service keys of layers take time in proportion to their depth", func(t *testing.T) {
		// Without sharing, 60 layers would take for ever.
		m := modelstest.Layers(2, 60, 3, 1)
		if len(m.Services) != 120 {
			t.Errorf("%d services", len(m.Services))
		}
	})
	t.Run("observed 5: dependencies that do not exist are found before anything is done", func(t *testing.T) {
		m := sample()
		m.Services["77ab"].DependsOn = []models.Dependency{{Service: "dead", Container: "process", Target: "node1"}}
		wantProblem(t, m, `service "dbserver" with key 77ab: dependsOn mapping 0: service dead is not in the manifest`)
	})
	t.Run("observed 14: an unreadable manifest is told from an invalid one", func(t *testing.T) {
		var unreadable *models.ParseError
		if _, err := models.ReadManifestFile("testdata/missing.xml"); !errors.As(err, &unreadable) {
			t.Errorf("missing: error %v", err)
		}
		if _, err := models.ReadManifest(bytes.NewReader(document(t, sample())[:500])); !errors.As(err, &unreadable) {
			t.Errorf("truncated: error %v", err)
		}
		if _, err := models.ReadManifest(strings.NewReader(`<manifest version="1"/>`)); errors.As(err, &unreadable) {
			t.Errorf("of another version: error %v", err)
		}
	})
	t.Run("transition 9: a missing container provider is an error", func(t *testing.T) {
		m := sample()
		m.ServiceMappings[0].ContainerProvidedByService = "dead"
		wantProblem(t, m, "containerProvidedByService: service dead is not in the manifest")
	})
}

func readManifest(t *testing.T, text string) *models.Manifest {
	t.Helper()
	m, err := models.ReadManifest(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantProblem(t *testing.T, m *models.Manifest, want string) {
	t.Helper()
	err := m.Validate()
	var problems models.Problems
	if !errors.As(err, &problems) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}
