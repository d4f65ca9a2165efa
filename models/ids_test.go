package models

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIDsInXMLAreReadAsTheyWereWritten(t *testing.T) {
	name := rapid.StringMatching(`[a-z "&<$\\]{1,6}`)
	numbers := rapid.MapOfN(name, rapid.Int(), 0, 3)
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		ids := &IDs{
			Assigned:      rapid.MapOfN(name, numbers, 0, 3).Draw(rt, "ids"),
			Last:          numbers.Draw(rt, "last"),
			LastPerTarget: rapid.MapOfN(name, numbers, 0, 3).Draw(rt, "last per target"),
		}
		var text strings.Builder
		if err := ids.WriteXML(&text); err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, "ids.xml")
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			rt.Fatal(err)
		}
		read, err := ReadIDsFile(path)
		if err != nil || !reflect.DeepEqual(read, ids) {
			rt.Fatalf("%+v was read as %+v, %v", ids, read, err)
		}
	})
}

func TestMistakesInDocumentsAboutIDs(t *testing.T) {
	read := func(content string, read func(string) error) error {
		path := filepath.Join(t.TempDir(), "document.xml")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return read(path)
	}
	ids := func(path string) error { _, err := ReadIDsFile(path); return err }
	resources := func(path string) error { _, err := ReadIDResourcesFile(path); return err }
	distribution := func(path string) error { _, err := ReadDistributionFile(path); return err }
	services := func(path string) error { _, err := ReadServicesPropertyFile(path, "p"); return err }
	for _, test := range []struct {
		content string
		read    func(string) error
		want    string
	}{
		{`<ids><ids><resource name="a"><assignment name="b">1.5</assignment></resource></ids></ids>`, ids, `:1:30: "1.5" is not a whole number`},
		{`<ids><ids>`, ids, "Error with parsing the IDs XML file!"},
		{`<resources/>`, ids, "the root element is <resources>, not <ids>"},
		{`<resources><resource name="a"><min>1</min></resource></resources>`, resources, `resource "a" has no min or no max`},
		{`<resources><resource name="a"><min>x</min><max/></resource></resources>`, resources, `"x" is not a whole number`},
		{``, services, "is empty"},
		{`<!DOCTYPE x><distribution/>`, distribution, "document type declarations are not accepted"},
	} {
		if err := read(test.content, test.read); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want: %s", test.content, err, test.want)
		}
	}
}
