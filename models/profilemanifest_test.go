package models_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

// twoTargets returns a manifest whose service orders on node1 depends on
// services on node1 and node2.
func twoTargets() *models.Manifest {
	m := sample()
	addTarget(m, "node2", "node2.lan", "disnix-ssh-client")
	m.Services["90de"] = &models.Service{Name: "auth", Package: "/nix/store/dddd-auth", Type: "process"}
	m.Services["99ef"] = &models.Service{Name: "tools", Package: "/nix/store/eeee-tools", Type: models.PackageType}
	m.Services["3f1c"].DependsOn = append(m.Services["3f1c"].DependsOn,
		models.Dependency{Service: "90de", Container: "process", Target: "node2"})
	m.ServiceMappings = append(m.ServiceMappings, models.ServiceMapping{Service: "90de", Container: "process", Target: "node2"})
	return m
}

func TestProfileManifest(t *testing.T) {
	m := twoTargets()
	p := m.ProfileManifest("node1")
	want := &models.ProfileManifest{
		Services:         map[string]*models.Service{"3f1c": m.Services["3f1c"], "77ab": m.Services["77ab"]},
		ServiceMappings:  m.ServiceMappings[:2],
		SnapshotMappings: m.SnapshotMappings,
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("profile manifest %+v, want %+v", p, want)
	}
	if all := m.ProfileManifests(); !reflect.DeepEqual(all["node1"], want) || len(all) != 2 || len(all["node2"].Services) != 1 {
		t.Errorf("profile manifests %+v", all)
	}
}

func TestProfileManifestXML(t *testing.T) {
	const want = "<?xml version=\"1.0\"?>\n\n  " +
		`<profilemanifest version="2"><services>` +
		`<service name="3f1c"><name>orders</name><pkg>/nix/store/bbbb-orders</pkg><type>pg-database</type><dependsOn>` +
		`<mapping><container>process</container><service>77ab</service></mapping>` +
		`<mapping><container>process</container><service>90de</service><target>node2</target></mapping>` +
		`</dependsOn><connectsTo/><providesContainers/></service>` +
		`<service name="77ab"><name>dbserver</name><pkg>/nix/store/cccc-dbserver</pkg><type>process</type><dependsOn/><connectsTo/>` +
		`<providesContainers><container name="pg-database" type="attrs"><property name="pgPort" type="int">5432</property></container></providesContainers></service>` +
		`</services><serviceMappings>` +
		`<mapping><container>pg-database</container><containerProvidedByService>77ab</containerProvidedByService><service>3f1c</service></mapping>` +
		`<mapping><container>process</container><service>77ab</service></mapping>` +
		`</serviceMappings><snapshotMappings>` +
		`<mapping><component>orders</component><container>pg-database</container><containerProvidedByService>77ab</containerProvidedByService><service>3f1c</service></mapping>` +
		`</snapshotMappings></profilemanifest>` + "\n\n"
	p := twoTargets().ProfileManifest("node1")
	var b bytes.Buffer
	if err := p.WriteXML(&b, "node1"); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", &b, want)
	}
	got, err := models.ReadProfileManifest(&b, "node1")
	if err != nil {
		t.Fatal(err)
	}
	if !whole(got).Equal(whole(p)) {
		t.Errorf("read %+v, want %+v", got, p)
	}
}

func TestEmptyProfileManifest(t *testing.T) {
	var b bytes.Buffer
	if err := new(models.Manifest).ProfileManifest("node1").WriteXML(&b, "node1"); err != nil {
		t.Fatal(err)
	}
	const want = "<?xml version=\"1.0\"?>\n\n  <profilemanifest version=\"2\"><services/><serviceMappings/><snapshotMappings/></profilemanifest>\n\n"
	if b.String() != want {
		t.Errorf("wrote %q, want %q", &b, want)
	}
}

func TestReadProfileManifestReportsMistakes(t *testing.T) {
	_, err := models.ReadProfileManifest(strings.NewReader(`<profilemanifest version="2"><services><service name="k"><name>x</name></service></services>
<serviceMappings><mapping><container>c</container></mapping></serviceMappings></profilemanifest>`), "node1")
	if err == nil {
		t.Fatal("no error")
	}
	containsAll(t, err.Error(), []string{
		`service "x" with key k: service.pkg is not set!`, `service "x" with key k: service.type is not set!`,
		`line 2, column 18: service mapping 0 (service "" in container "c" on target "node1"): mapping.service is not set!`,
	})
}
