package models_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

const manifestV1 = `<?xml version="1.0"?>
<manifest version="1">
  <distribution>
    <mapping><profile>/nix/store/aaaa-node1</profile><target>node1.lan</target></mapping>
    <mapping><profile>/nix/store/aaaa-node2</profile><target>node2.lan:22</target></mapping>
  </distribution>
  <activation>
    <mapping>
      <key>k1</key><service>/nix/store/bbbb-db</service><name>db</name><type>process</type>
      <target>node1.lan</target><container>process</container>
      <dependsOn/>
    </mapping>
    <mapping>
      <key>k2</key><service>/nix/store/cccc-web</service><name>web</name><type>process</type>
      <target>node2.lan:22</target><container>process</container>
      <dependsOn><dependency><key>k1</key><target>node1.lan</target><container>process</container></dependency></dependsOn>
      <connectsTo><dependency><key>k2</key><target>node2.lan:22</target><container>process</container></dependency></connectsTo>
    </mapping>
  </activation>
  <snapshots>
    <mapping><component>db</component><container>process</container><target>node1.lan</target>
      <service>/nix/store/bbbb-db</service><type>process</type></mapping>
  </snapshots>
</manifest>`

func infrastructureV1(addresses ...string) models.Infrastructure {
	infrastructure := make(models.Infrastructure)
	for i, address := range addresses {
		name := "node" + string(rune('1'+i))
		infrastructure[name] = &models.Target{
			Name: name, NumOfCores: 1, ClientInterface: "disnix-run-activity", TargetProperty: "hostname",
			Properties: models.Properties{"hostname": {Type: models.String, Text: address}},
		}
	}
	return infrastructure
}

func readV1(t *testing.T, text string) (*models.ManifestV1, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.xml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return models.ReadManifestV1File(path)
}

// TestRoughEdge_commands10: a manifest with services is converted.
func TestRoughEdge_commands10(t *testing.T) {
	v1, err := readV1(t, manifestV1)
	if err != nil {
		t.Fatal(err)
	}
	infrastructure := infrastructureV1("node1.lan", "node2.lan:22", "unused")
	got, err := v1.Convert(infrastructure)
	if err != nil {
		t.Fatal(err)
	}
	db := models.ServiceMapping{Service: "k1", Container: "process", Target: "node1"}
	web := models.ServiceMapping{Service: "k2", Container: "process", Target: "node2"}
	want := &models.Manifest{
		Profiles: map[string]string{"node1": "/nix/store/aaaa-node1", "node2": "/nix/store/aaaa-node2"},
		Services: map[string]*models.Service{
			"k1": {Name: "db", Package: "/nix/store/bbbb-db", Type: "process"},
			"k2": {Name: "web", Package: "/nix/store/cccc-web", Type: "process",
				DependsOn: []models.Dependency{db.Identity()}, ConnectsTo: []models.Dependency{web.Identity()}},
		},
		Infrastructure:   infrastructure,
		ServiceMappings:  []models.ServiceMapping{db, web},
		SnapshotMappings: []models.SnapshotMapping{{ServiceMapping: db, Component: "db"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestConvertV1Problems(t *testing.T) {
	for _, test := range []struct {
		name           string
		infrastructure models.Infrastructure
		from, to       string
		want           string
	}{
		{"unknown address", infrastructureV1("node1.lan"), "", "", "I don't know how to map target: node2.lan:22 to any machine in the infrastructure model!"},
		{"ambiguous address", infrastructureV1("node1.lan", "node2.lan:22", "node1.lan"), "", "", "Several have this address: node1, node3"},
		{"snapshot of nothing", nil, "<component>db</component><container>process", "<component>db</component><container>other", `snapshot mapping of component "db": no service with package /nix/store/bbbb-db`},
		{"one key for two services", nil, "<key>k2</key><service>", "<key>k1</key><service>", "key k1 stands for two services"},
		{"dangling dependency", nil, "<dependency><key>k1</key>", "<dependency><key>k9</key>", "service k9 is not in the manifest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.infrastructure == nil {
				test.infrastructure = infrastructureV1("node1.lan", "node2.lan:22")
			}
			v1, err := readV1(t, strings.Replace(manifestV1, test.from, test.to, 1))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v1.Convert(test.infrastructure); err == nil || strings.Count(err.Error(), test.want) != 1 {
				t.Errorf("got %v, want once %q", err, test.want)
			}
		})
	}
}

func TestReadManifestV1Problems(t *testing.T) {
	if _, err := readV1(t, `<manifest version="2"/>`); !errors.Is(err, models.ErrNotManifestV1) || !strings.Contains(err.Error(), `"2"`) {
		t.Errorf("version 2: %v", err)
	}
	if _, err := readV1(t, `<manifest/>`); !errors.Is(err, models.ErrNotManifestV1) {
		t.Errorf("no version: %v", err)
	}
	var parse *models.ParseError
	if _, err := readV1(t, `<manifest version="1">`); !errors.As(err, &parse) {
		t.Errorf("half a file: %v", err)
	}
	_, err := readV1(t, `<manifest version="1"><distribution><mapping/>
<mapping><profile>/a</profile><target>t</target></mapping><mapping><profile>/b</profile><target>t</target></mapping></distribution>
<activation><mapping><dependsOn><dependency><key>x</key></dependency></dependsOn><other/></mapping></activation>
<snapshots><mapping><type/></mapping></snapshots></manifest>`)
	var problems models.Problems
	if !errors.As(err, &problems) || len(problems) != 5 {
		t.Fatalf("got %v, want 5 problems", err)
	}
	containsAll(t, err.Error(), []string{
		"distribution mapping: not set: profile, target", "target t has two profiles, /a and /b",
		"activation mapping: not set: key, service, name, type, target, container",
		"dependency: not set: target, container", "snapshot mapping: not set: component, container, target, service",
	})
}

func FuzzConvertV1(f *testing.F) {
	f.Add(manifestV1)
	f.Add(`<manifest version="1"><activation><mapping><key/></mapping></activation></manifest>`)
	infrastructure := infrastructureV1("node1.lan", "node2.lan:22")
	f.Fuzz(func(t *testing.T, text string) {
		v1, err := readV1(t, text)
		if err != nil {
			return
		}
		if m, err := v1.Convert(infrastructure); err == nil {
			if err := m.Validate(); err != nil {
				t.Errorf("the result is not valid: %v", err)
			}
		}
	})
}
