package processmanagement

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "writes the expected files")

// dependencies are what descriptions of the tests depend on: backend, which
// depends on database.
var dependencies = map[string]string{
	"/nix/store/HASH-backend/HASH-backend.json":   `{"name": "backend", "process": "/nix/store/HASH-backend/bin/backend", "dependencies": ["/nix/store/HASH-database"]}`,
	"/nix/store/HASH-database/HASH-database.json": `{"name": "database", "daemon": "/nix/store/HASH-database/bin/database", "pidFile": "/run/database.pid"}`,
}

func load(t testing.TB, data string) *Service {
	t.Helper()
	s, err := Load([]byte(data), func(file string) ([]byte, error) {
		content, ok := dependencies[file]
		if !ok {
			return nil, errors.New("there is no " + file)
		}
		return []byte(content), nil
	}, filepath.Base)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func translate(t testing.TB, data string, settings Settings) *Component {
	t.Helper()
	c, err := Translate(load(t, data), settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGolden compares what is generated for each description and manager with
// the files in testdata, which were read by a person.
func TestGolden(t *testing.T) {
	descriptions, err := filepath.Glob("testdata/*.json")
	if err != nil || len(descriptions) == 0 {
		t.Fatalf("descriptions: %v, %v", descriptions, err)
	}
	for _, file := range descriptions {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, manager := range Managers() {
			for _, disabled := range []bool{false, true} {
				name := strings.TrimSuffix(filepath.Base(file), ".json") + "." + manager
				if disabled && filepath.Base(file) != "complete.json" {
					continue
				}
				settings := Settings{Manager: Manager(manager), Dir: "/generated", Architecture: "amd64", DisableUserChange: disabled}
				if disabled {
					name += ".unprivileged"
					settings.Directories.State = "/home/me/var"
				}
				t.Run(name, func(t *testing.T) {
					compare(t, "testdata/"+name+".golden", print(t, translate(t, string(data), settings)))
				})
			}
		}
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("it differs from %s; got:\n%s", file, got)
	}
}

// print lists a component as text.
func print(t *testing.T, c *Component) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "component %s\n", c.Name)
	for _, warning := range c.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		switch file := c.Files[path]; {
		case file.Directory:
			fmt.Fprintf(&b, "-- %s/ --\n", path)
		case file.Link != "":
			fmt.Fprintf(&b, "-- %s -> %s --\n", path, file.Link)
		case strings.HasSuffix(path, ".tar"):
			fmt.Fprintf(&b, "-- %s --\n", path)
			printArchive(t, &b, "", file.Content)
		case file.Executable:
			fmt.Fprintf(&b, "-- %s (executable) --\n%s", path, file.Content)
		default:
			fmt.Fprintf(&b, "-- %s --\n%s", path, file.Content)
		}
	}
	return b.String()
}

func printArchive(t *testing.T, b *strings.Builder, indent string, content []byte) {
	t.Helper()
	archive := tar.NewReader(bytes.NewReader(content))
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(b, "%s%v %d:%d %s %s\n", indent, h.FileInfo().Mode(), h.Uid, h.Gid, h.Name, h.Linkname)
		switch {
		case strings.HasSuffix(h.Name, "layer.tar"):
			printArchive(t, b, indent+"  ", data)
		case strings.HasSuffix(h.Name, ".json"):
			var indented bytes.Buffer
			if err := json.Indent(&indented, data, indent, "  "); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(b, "%s%s\n", indent, indented.String())
		case strings.HasPrefix(h.Name, "etc/"):
			fmt.Fprintf(b, "%s%s\n", indent, strings.ReplaceAll(strings.TrimSpace(string(data)), "\n", "\n"+indent))
		}
	}
}
