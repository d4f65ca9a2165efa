package models_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
)

// sample is the manifest of testdata/manifest.xml (formats, section 3).
func sample() *models.Manifest {
	return &models.Manifest{
		Profiles: map[string]string{"node1": "/nix/store/aaaa-node1"},
		Services: map[string]*models.Service{
			"3f1c": {
				Name: "orders", Package: "/nix/store/bbbb-orders", Type: "pg-database",
				DependsOn:          []models.Dependency{{Service: "77ab", Container: "process", Target: "node1"}},
				ProvidesContainers: map[string]models.Properties{},
			},
			"77ab": {
				Name: "dbserver", Package: "/nix/store/cccc-dbserver", Type: "process",
				ProvidesContainers: map[string]models.Properties{
					"pg-database": {"pgPort": {Type: models.Int, Text: "5432"}},
				},
			},
		},
		Infrastructure: models.Infrastructure{"node1": {
			Name:       "node1",
			Properties: models.Properties{"hostname": {Type: models.String, Text: "node1.lan"}},
			Containers: map[string]models.Properties{
				"process": {"tags": {Type: models.List, List: []models.Value{{Type: models.String, Text: "a"}}}},
			},
			System: "x86_64-linux", NumOfCores: 1,
			ClientInterface: "disnix-ssh-client", TargetProperty: "hostname",
		}},
		ServiceMappings: []models.ServiceMapping{
			{Service: "3f1c", Container: "pg-database", Target: "node1", ContainerProvidedByService: "77ab"},
			{Service: "77ab", Container: "process", Target: "node1"},
		},
		SnapshotMappings: []models.SnapshotMapping{{
			ServiceMapping: models.ServiceMapping{Service: "3f1c", Container: "pg-database", Target: "node1", ContainerProvidedByService: "77ab"},
			Component:      "orders",
		}},
	}
}

func TestReadManifest(t *testing.T) {
	got, err := models.ReadManifestFile("testdata/manifest.xml")
	if err != nil {
		t.Fatal(err)
	}
	if want := sample(); !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
}

func TestWriteManifest(t *testing.T) {
	const want = "<?xml version=\"1.0\"?>\n\n  " +
		`<manifest version="2">` +
		`<profiles><profile name="node1">/nix/store/aaaa-node1</profile></profiles>` +
		`<services>` +
		`<service name="3f1c"><name>orders</name><pkg>/nix/store/bbbb-orders</pkg><type>pg-database</type>` +
		`<dependsOn><mapping><container>process</container><service>77ab</service><target>node1</target></mapping></dependsOn>` +
		`<connectsTo/><providesContainers/></service>` +
		`<service name="77ab"><name>dbserver</name><pkg>/nix/store/cccc-dbserver</pkg><type>process</type>` +
		`<dependsOn/><connectsTo/><providesContainers>` +
		`<container name="pg-database" type="attrs"><property name="pgPort" type="int">5432</property></container>` +
		`</providesContainers></service></services>` +
		`<infrastructure><target name="node1">` +
		`<properties type="attrs"><property name="hostname" type="string">node1.lan</property></properties>` +
		`<containers><container name="process" type="attrs"><property name="tags" type="list"><elem type="string">a</elem></property></container></containers>` +
		`<system>x86_64-linux</system><numOfCores>1</numOfCores>` +
		`<clientInterface>disnix-ssh-client</clientInterface><targetProperty>hostname</targetProperty>` +
		`</target></infrastructure>` +
		`<serviceMappings>` +
		`<mapping><container>pg-database</container><containerProvidedByService>77ab</containerProvidedByService><service>3f1c</service><target>node1</target></mapping>` +
		`<mapping><container>process</container><service>77ab</service><target>node1</target></mapping>` +
		`</serviceMappings><snapshotMappings>` +
		`<mapping><component>orders</component><container>pg-database</container><containerProvidedByService>77ab</containerProvidedByService><service>3f1c</service><target>node1</target></mapping>` +
		`</snapshotMappings></manifest>` + "\n\n"
	if got := string(document(t, sample())); got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
}

func TestWriteManifestEscapes(t *testing.T) {
	m := sample()
	m.Services["3f1c"].Name = "a<b>&\"ö'\r\n\t☃"
	m.Infrastructure["node1"].Properties["x\"<>&\n"] = models.Value{Type: models.String}
	text := string(document(t, m))
	for _, want := range []string{
		"<name>a&lt;b&gt;&amp;\"ö'&#13;\n\t☃</name>",
		`<property name="x&quot;&lt;&gt;&amp;&#10;" type="string"/>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the document lacks %q:\n%s", want, text)
		}
	}
	got, err := models.ReadManifest(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got.Services["3f1c"].Name != m.Services["3f1c"].Name {
		t.Errorf("name %q was read back as %q", m.Services["3f1c"].Name, got.Services["3f1c"].Name)
	}
}

func TestWriteManifestRefusesWhatXMLCannotHold(t *testing.T) {
	for _, name := range []string{"bell\a", "broken \xff", "\uFFFE", "nul\x00"} {
		m := sample()
		m.Services["3f1c"].Name = name
		err := m.WriteXML(new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), "cannot hold") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

func TestManifestOfEveryShapeIsReadBack(t *testing.T) {
	for name, m := range map[string]*models.Manifest{
		"flat":   modelstest.Flat(20, 3, 1),
		"chain":  modelstest.Chain(20, 3, 1),
		"layers": modelstest.Layers(3, 4, 2, 1),
		"random": modelstest.Random(7, 50, 3, 4, 1),
	} {
		text := document(t, m)
		got, err := models.ReadManifest(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again := document(t, got); !bytes.Equal(again, text) {
			t.Errorf("%s: the document changed:\n%s\n%s", name, text, again)
		}
	}
}
