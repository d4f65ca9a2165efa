package models_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

// manifestWith returns a valid manifest in XML with extra content in places.
func manifestWith(places map[string]string) string {
	text := `<manifest version="2">
<profiles><profile name="node1">/nix/store/aaaa-node1</profile>{profiles}</profiles>
<services>
<service name="3f1c"><name>orders</name><pkg>/nix/store/bbbb-orders</pkg><type>process</type>{service}</service>
{services}
</services>
<infrastructure>
<target name="node1">
<properties><property name="hostname" type="string">node1.lan</property>{properties}</properties>
<clientInterface>disnix-ssh-client</clientInterface><targetProperty>hostname</targetProperty>{target}
</target>
{infrastructure}
</infrastructure>
<serviceMappings>
<mapping><service>3f1c</service><container>process</container><target>node1</target></mapping>
{serviceMappings}
</serviceMappings>
<snapshotMappings>{snapshotMappings}</snapshotMappings>
{sections}
</manifest>`
	for _, place := range []string{"profiles", "service", "services", "properties", "target", "infrastructure", "serviceMappings", "snapshotMappings", "sections"} {
		text = strings.ReplaceAll(text, "{"+place+"}", places[place])
	}
	return text
}

func TestReaderRules(t *testing.T) {
	property := func(m *models.Manifest, name string) models.Value {
		return m.Infrastructure["node1"].Properties[name]
	}
	tests := []struct {
		name   string
		places map[string]string
		got    func(*models.Manifest) any
		want   any
	}{
		{
			"text is not trimmed", map[string]string{"properties": `<property name="p" type="string"> a
 </property>`},
			func(m *models.Manifest) any { return property(m, "p").Text }, " a\n ",
		},
		{
			"text is the first child only", map[string]string{"properties": `<property name="p" type="string">a<!-- c -->b</property>`},
			func(m *models.Manifest) any { return property(m, "p").Text }, "a",
		},
		{
			"a first child of another kind is no text", map[string]string{"properties": `<property name="p" type="string"><![CDATA[a]]></property>`},
			func(m *models.Manifest) any { return property(m, "p") }, models.Value{Type: models.String},
		},
		{
			"an empty string", map[string]string{"properties": `<property name="p" type="string"/>`},
			func(m *models.Manifest) any { return property(m, "p") }, models.Value{Type: models.String},
		},
		{
			"children of another name are ignored", map[string]string{"properties": `<other name="p" type="string">a</other>`},
			func(m *models.Manifest) any { return len(m.Infrastructure["node1"].Properties) }, 1,
		},
		{
			"children without a name are ignored", map[string]string{"properties": `<property type="string">a</property>`},
			func(m *models.Manifest) any { return len(m.Infrastructure["node1"].Properties) }, 1,
		},
		{
			"a duplicate name replaces the earlier value", map[string]string{"properties": `<property name="p" type="string">a</property><property name="p" type="int">2</property>`},
			func(m *models.Manifest) any { return property(m, "p") }, models.Value{Type: models.Int, Text: "2"},
		},
		{
			"a duplicate service replaces the earlier one", map[string]string{"services": `<service name="3f1c"><name>x</name><pkg>/p</pkg><type>echo</type></service>`},
			func(m *models.Manifest) any { return *m.Services["3f1c"] }, models.Service{Name: "x", Package: "/p", Type: "echo"},
		},
		{
			"unknown sections and fields are ignored", map[string]string{"sections": `<more><services/></more>`, "service": `<more>x</more>`, "target": `<name>x</name>`},
			func(m *models.Manifest) any { return len(m.Services) }, 1,
		},
		{
			"elements of a list may have any name", map[string]string{"properties": `<property name="p" type="list"><a type="int">1</a><elem type="bool">true</elem></property>`},
			func(m *models.Manifest) any { return property(m, "p").List },
			[]models.Value{{Type: models.Int, Text: "1"}, {Type: models.Bool, Text: "true"}},
		},
		{
			"a value without a type is null and dropped", map[string]string{"properties": `<property name="p"/><property name="q" type="list"><elem/><elem type="int">1</elem></property>`},
			func(m *models.Manifest) any { return []any{property(m, "p"), property(m, "q").List} },
			[]any{models.Value{}, []models.Value{{Type: models.Int, Text: "1"}}},
		},
		{
			"paths are accepted", map[string]string{"properties": `<property name="p" type="path">/etc</property>`},
			func(m *models.Manifest) any { return property(m, "p") }, models.Value{Type: models.Path, Text: "/etc"},
		},
		{
			"attribute sets are nested", map[string]string{"properties": `<property name="p" type="attrs"><property name="q" type="attrs"><property name="r" type="float">1e+10</property></property></property>`},
			func(m *models.Manifest) any { return property(m, "p").Attrs["q"].Attrs["r"] }, models.Value{Type: models.Float, Text: "1e+10"},
		},
		{
			"the type of a container is not needed", map[string]string{"target": `<containers><container name="c"><property name="p" type="int">1</property></container></containers>`},
			func(m *models.Manifest) any { return m.Infrastructure["node1"].Containers["c"]["p"].Text }, "1",
		},
		{
			"the number of cores is read", map[string]string{"target": `<numOfCores> 4 </numOfCores>`},
			func(m *models.Manifest) any { return m.Infrastructure["node1"].NumOfCores }, 4,
		},
		{
			"the order of elements is free", map[string]string{"serviceMappings": `<mapping><target>node1</target><containerProvidedByService>77ab</containerProvidedByService><container>c</container><service>3f1c</service></mapping>`},
			func(m *models.Manifest) any { return m.ServiceMappings[1] },
			models.ServiceMapping{Service: "3f1c", Container: "c", Target: "node1", ContainerProvidedByService: "77ab"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := models.ReadManifest(strings.NewReader(manifestWith(test.places)))
			if err != nil {
				t.Fatal(err)
			}
			if got := test.got(m); !reflect.DeepEqual(got, test.want) {
				t.Errorf("read %#v, want %#v", got, test.want)
			}
		})
	}
}

func TestMissingSectionsAreEmpty(t *testing.T) {
	m, err := models.ReadManifest(strings.NewReader(`<manifest version="2"/>`))
	if err != nil {
		t.Fatal(err)
	}
	if !m.Equal(&models.Manifest{}) {
		t.Errorf("read %+v", m)
	}
}

func TestReaderReportsIncompleteElements(t *testing.T) {
	tests := []struct {
		name   string
		places map[string]string
		want   []string
	}{
		{
			"a service without anything", map[string]string{"services": `<service name="77ab"/>`},
			[]string{
				`line 5, column 1: service "" with key 77ab: service.name is not set! Hash table value with key: 77ab is invalid!`,
				`line 5, column 1: service "" with key 77ab: service.pkg is not set! Hash table value with key: 77ab is invalid!`,
				`line 5, column 1: service "" with key 77ab: service.type is not set! Hash table value with key: 77ab is invalid!`,
			},
		},
		{
			"a dependency without anything", map[string]string{"service": `<dependsOn><mapping/></dependsOn>`},
			[]string{"mapping.service is not set!", "dependsOn mapping 0", "mapping.container is not set!", "mapping.target is not set!"},
		},
		{
			"a service mapping without anything", map[string]string{"serviceMappings": `<mapping/>`},
			[]string{"line 16, column 1: service mapping 1", "mapping.service is not set!", "mapping.container is not set!", "mapping.target is not set!"},
		},
		{
			"a snapshot mapping without anything", map[string]string{"snapshotMappings": `<mapping/>`},
			[]string{"snapshot mapping 0", "mapping.service is not set!", "mapping.container is not set!", "mapping.target is not set!", "mapping.component is not set!"},
		},
		{
			"a target without anything", map[string]string{"infrastructure": `<target name="node2"/>`},
			[]string{`target "node2": target.targetProperty is unspecified!`, `target "node2": target.clientInterface is unspecified!`},
		},
		{
			"a target without its address", map[string]string{"infrastructure": `<target name="node2"><clientInterface>c</clientInterface><targetProperty>hostname</targetProperty></target>`},
			[]string{`target "node2": Target defines: 'hostname' as a target property, but it does not exists in the properties attribute set!`},
		},
		{
			"no cores", map[string]string{"target": `<numOfCores>0</numOfCores>`},
			[]string{`target "node1": target.numOfCores should be greater than 0`},
		},
		{
			"cores that are no number", map[string]string{"target": "\n" + `<numOfCores>4x</numOfCores>`},
			[]string{`line 11, column 1: target "node1": target.numOfCores should be greater than 0, but is "4x"`},
		},
		{
			"an unknown type", map[string]string{"properties": `<property name="p" type="date">today</property>`},
			[]string{`property "p": Unknown type encountered: date`},
		},
		{
			"numbers that are none", map[string]string{"properties": `<property name="p" type="int">1; evil = 1</property><property name="q" type="float">0x1p3</property><property name="r" type="int">99999999999999999999</property><property name="s" type="bool">yes</property>`},
			[]string{`property "p": "1; evil = 1" is no int`, `property "q": "0x1p3" is no float`, `property "r": "99999999999999999999" is no int`, `property "s": "yes" is no bool`},
		},
		{
			"all mistakes at once", map[string]string{"services": `<service name="77ab"/>`, "target": `<numOfCores>-1</numOfCores>`, "serviceMappings": `<mapping/>`},
			[]string{"service.pkg", "numOfCores", "service mapping 1"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := models.ReadManifest(strings.NewReader(manifestWith(test.places)))
			var problems models.Problems
			if !errors.As(err, &problems) || m != nil {
				t.Fatalf("read %v, error %v, want problems", m, err)
			}
			containsAll(t, err.Error(), test.want)
			var place *models.PositionError
			if !errors.As(problems[0], &place) || place.Line < 1 || place.Column < 1 {
				t.Errorf("%v has no place", problems[0])
			}
		})
	}
}

// containsAll checks that a text contains other texts, whatever their order.
func containsAll(t *testing.T, text string, want []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in:\n%s", w, text)
		}
	}
}

func TestReaderNamesFileAndPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.xml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("<manifest version='2'>\n  <services></manifest>")
	_, err := models.ReadManifestFile(path)
	want := path + ":2:13: element <services> is closed by </manifest>: Error with parsing the manifest XML file!"
	var unreadable *models.ParseError
	if !errors.As(err, &unreadable) || err.Error() != want {
		t.Errorf("error %q\nwant %q", err, want)
	}

	write("<manifest version='2'>\n <services><service name='k'/></services></manifest>")
	_, err = models.ReadManifestFile(path)
	if errors.As(err, &unreadable) || !strings.HasPrefix(err.Error(), path+":2:12: service ") {
		t.Errorf("error %q", err)
	}
}

func TestReaderReportsUnreadableDocuments(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.xml")
	directory := t.TempDir()
	tests := []struct {
		name string
		read func(path string) error
		want string
	}{
		{"manifest", func(p string) error { _, err := models.ReadManifestFile(p); return err }, "Error with parsing the manifest XML file!"},
		{"infrastructure", func(p string) error {
			_, err := models.ReadInfrastructureFile(p, models.TargetDefaults{})
			return err
		}, "Error with parsing infrastructure XML file!"},
		{"profile manifest", func(p string) error { _, err := models.ReadProfileManifestFile(p, "node1"); return err }, "Error with parsing the profile manifest XML file!"},
		{"distributed derivation", func(p string) error { _, err := models.ReadDistributedDerivationFile(p); return err }, "Error with parsing the distributed derivation XML file!"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.read(missing)
			if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("missing file: error %v", err)
			}
			err = test.read(directory)
			if err == nil || !strings.Contains(err.Error(), directory) || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("directory: error %v", err)
			}
			for _, text := range []string{"", "<", "<x>", "\x00", "not xml"} {
				path := filepath.Join(directory, "broken.xml")
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				err := test.read(path)
				var unreadable *models.ParseError
				if !errors.As(err, &unreadable) || !strings.Contains(err.Error(), path) || !strings.HasSuffix(err.Error(), test.want) {
					t.Errorf("%q: error %v", text, err)
				}
			}
		})
	}
}

func TestReaderReportsAnEmptyManifest(t *testing.T) {
	_, err := models.ReadManifest(strings.NewReader("<?xml version='1.0'?>\n"))
	if err == nil || !strings.Contains(err.Error(), "The manifest XML file is empty!") {
		t.Errorf("error %v", err)
	}
}

func TestReaderRefusesOtherDocuments(t *testing.T) {
	// An infrastructure has the same version; read as a manifest without
	// services it would undeploy everything.
	_, err := models.ReadManifest(strings.NewReader(`<infrastructure version="2"/>`))
	if err == nil || !strings.Contains(err.Error(), "the root element is <infrastructure>, not <manifest>") {
		t.Errorf("error %v", err)
	}
}

func TestReadManifestOfAnotherVersion(t *testing.T) {
	for _, text := range []string{
		`<manifest version="1"><distribution/><activation/></manifest>`,
		`<manifest version="3"/>`,
		`<manifest version=" 2"/>`,
		`<manifest/>`,
		`<manifest version="1"><not well-formed`,
	} {
		_, err := models.ReadManifest(strings.NewReader(text))
		if !errors.Is(err, models.ErrManifestVersion) {
			t.Errorf("%s: error %v", text, err)
			continue
		}
		containsAll(t, err.Error(), []string{"Disnix requires a manifest that uses the version 2 structure!", "disnix-convert"})
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func TestReaderReportsFailureOfTheSource(t *testing.T) {
	cause := errors.New("connection reset")
	_, err := models.ReadManifest(failingReader{cause})
	var unreadable *models.ParseError
	if !errors.Is(err, cause) || !errors.As(err, &unreadable) {
		t.Errorf("error %v", err)
	}
}

func TestInfrastructureDefaults(t *testing.T) {
	const text = `<infrastructure version="2">
<target name="a"><properties><property name="hostname" type="string">a.lan</property></properties><clientInterface/></target>
<target name="b"><properties><property name="url" type="string">http://b</property></properties>
<clientInterface>soap</clientInterface><targetProperty>url</targetProperty><numOfCores>3</numOfCores><system>s</system></target>
</infrastructure>`
	got, err := models.ReadInfrastructure(strings.NewReader(text), models.TargetDefaults{ClientInterface: "ssh", TargetProperty: "hostname"})
	if err != nil {
		t.Fatal(err)
	}
	want := models.Infrastructure{
		"a": {Name: "a", Properties: models.Properties{"hostname": {Type: models.String, Text: "a.lan"}}, Containers: map[string]models.Properties{},
			NumOfCores: 1, ClientInterface: "ssh", TargetProperty: "hostname"},
		"b": {Name: "b", Properties: models.Properties{"url": {Type: models.String, Text: "http://b"}}, Containers: map[string]models.Properties{},
			NumOfCores: 3, ClientInterface: "soap", TargetProperty: "url", System: "s"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
}
