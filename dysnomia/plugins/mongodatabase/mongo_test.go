package mongodatabase

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/porttest"
)

// Debian has no MongoDB. These stand in for its programs: they take the
// arguments that the real ones are documented to take, and keep a database as
// a directory with a file for each collection.
const (
	shellStandIn = `
set -eu
eval=
files=
for arg in "$@"; do
    case $arg in
    --quiet|--norc) ;;
    --eval) eval=next ;;
    mongodb://127.0.0.1:$port/*) database=$root/${arg#mongodb://127.0.0.1:$port/} ;;
    *) if [ "$eval" = next ]; then eval=$arg; else files="$files $arg"; fi ;;
    esac
done
evaluate() {
    case $1 in
    'print(JSON.stringify(db.getCollectionNames()))')
        list=$(ls "$database" 2>/dev/null | sed 's/.*/"&"/' | paste -sd,)
        echo "[ $list ]" ;;
    'db.dropDatabase()') rm -rf "$database" ;;
    'db.createCollection("'*'")')
        name=${1#db.createCollection(?}
        mkdir -p "$database"; : > "$database/${name%??}" ;;
    'db.'*'.drop()') name=${1#db.}; rm -f "$database/${name%.drop()}"; rmdir "$database" 2>/dev/null || : ;;
    *) echo "ReferenceError: $1 is not defined" >&2; exit 1 ;;
    esac
}
[ -z "$eval" ] || evaluate "$eval"
for file in $files; do
    while read -r line; do evaluate "$line"; done < "$file"
done
`
	dumpStandIn = `
set -eu
for arg in "$@"; do
    case $arg in --db=*) db=${arg#--db=} ;; --out=*) out=${arg#--out=} ;; --port=*) test "${arg#--port=}" = "$port" ;; esac
done
[ -d "$root/$db" ] || exit 0
mkdir -p "$out/$db"
for file in "$root/$db"/*; do
    cp "$file" "$out/$db/$(basename "$file").bson"
    echo "{\"indexes\":[{\"v\":2}],\"uuid\":\"$$\"}" > "$out/$db/$(basename "$file").metadata.json"
done
`
	restoreStandIn = `
set -eu
stop=
for arg in "$@"; do
    case $arg in --db=*) db=${arg#--db=} ;; --port=*) test "${arg#--port=}" = "$port" ;; --stopOnError) stop=1 ;; --*) ;; *) dir=$arg ;; esac
done
for file in "$dir"/*.bson; do
    [ -e "$file" ] || continue
    if grep -q damaged "$file"; then
        echo "Failed: $file: error restoring from archive" >&2
        [ -z "$stop" ] || exit 1
        continue # the real one loses documents without a failure
    fi
    mkdir -p "$root/$db"
    cp "$file" "$root/$db/$(basename "$file" .bson)"
done
`
)

var config = plugintest.Config{Type: "mongo-database", Plugin: Plugin{}}

// component makes a component, and a server that only listens.
func component(t *testing.T, scripts map[string]string) plugintest.Component {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	tools, root := t.TempDir(), t.TempDir()
	for name, script := range map[string]string{"mongosh": shellStandIn, "mongodump": dumpStandIn, "mongorestore": restoreStandIn} {
		put(t, filepath.Join(tools, name), "#!/bin/bash\nport="+port+"\nroot='"+root+"'\n"+script)
	}
	files := map[string]string{}
	for name, content := range scripts {
		files["mongo-databases/"+name] = content
	}
	properties := map[string]string{"mongoPort": port, "PATH": tools + ":" + os.Getenv("PATH"), "root": root, "tools": tools}
	return plugintest.NewComponent(t, "mongo-database", properties, files)
}

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func fixture(t *testing.T, scripts map[string]string) *plugintest.Fixture {
	t.Helper()
	return plugintest.NewFixture(t, config, component(t, scripts))
}

func collection(c plugintest.Component, name string) string {
	return filepath.Join(c.Properties["root"], "component", name)
}

func expect(t *testing.T, f *plugintest.Fixture, names ...string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(f.Properties["root"], "*/*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i], _ = filepath.Rel(filepath.Join(f.Properties["root"], "component"), found[i])
	}
	if strings.Join(found, " ") != strings.Join(names, " ") {
		t.Errorf("collections: %v, want %v", found, names)
	}
}

func fails(t *testing.T, f *plugintest.Fixture, op dysnomia.Operation, words ...string) error {
	t.Helper()
	err := f.Run(t.Context(), op)
	if err == nil {
		t.Fatalf("%s did not fail", op)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %q in it", op, err, word)
		}
	}
	return err
}

func generations(t *testing.T, f *plugintest.Fixture) int {
	t.Helper()
	history, err := f.State.QueryAll(f.Container, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return len(history)
}

func TestConformance(t *testing.T) {
	full := config
	full.New = func(t *testing.T) plugintest.Component { return component(t, nil) }
	full.Broken = func(t *testing.T) plugintest.Component {
		return component(t, map[string]string{"a.js": "db.createCollection(\"half\")\nnonsense\n"})
	}
	full.Write = func(t *testing.T, c plugintest.Component, text string) {
		if err := os.MkdirAll(filepath.Dir(collection(c, "notes")), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, collection(c, "notes"), text)
	}
	full.Read = func(_ *testing.T, c plugintest.Component) string {
		content, _ := os.ReadFile(collection(c, "notes"))
		return string(content)
	}
	plugintest.Run(t, full)
}

func TestActivate(t *testing.T) {
	scripts := map[string]string{"a.js": "db.createCollection(\"one\")\n", "b.js": "db.createCollection(\"two\")\n"}
	t.Run("scripts are run in order", func(t *testing.T) {
		f := fixture(t, scripts)
		f.Do(dysnomia.Activate, dysnomia.Activate)
		expect(t, f, "one", "two")
	})
	t.Run("a database that exists is used as it is", func(t *testing.T) {
		f := fixture(t, scripts)
		if err := os.Mkdir(filepath.Dir(collection(f.Component, "x")), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, collection(f.Component, "present"), "")
		f.Do(dysnomia.Activate)
		expect(t, f, "present")
	})
	t.Run("an initialisation that was killed is done again", func(t *testing.T) {
		f := fixture(t, scripts)
		if err := os.Mkdir(filepath.Dir(collection(f.Component, "x")), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, collection(f.Component, "half"), "")
		put(t, collection(f.Component, unfinished), "")
		f.Do(dysnomia.Activate)
		expect(t, f, "one", "two")
	})
	t.Run("a script that fails leaves nothing", func(t *testing.T) {
		f := fixture(t, map[string]string{"a.js": "db.createCollection(\"one\")\n", "b.js": "nonsense\n"})
		fails(t, f, dysnomia.Activate, "b.js", "ReferenceError")
		expect(t, f)
		f.Expect("")
	})
}

func TestFaults(t *testing.T) {
	t.Run("the server is down", func(t *testing.T) {
		f := fixture(t, nil)
		port := strconv.Itoa(porttest.Port(t))
		address := "127.0.0.1:" + port
		f.Properties["mongoPort"], f.Properties["timeout"] = port, "0"
		var late *await.TimeoutError
		if err := fails(t, f, dysnomia.Activate, address); !errors.As(err, &late) {
			t.Errorf("error: %v", err)
		}
	})
	for name, script := range map[string]string{"fails": "echo why >&2; exit 1", "is killed": "kill -9 $$"} {
		t.Run("the dump "+name, func(t *testing.T) {
			f := fixture(t, nil)
			f.Do(dysnomia.Activate)
			put(t, filepath.Join(f.Properties["tools"], "mongodump"), "#!/bin/sh\n"+script+"\n")
			fails(t, f, dysnomia.Snapshot, "mongodump")
			if generations(t, f) != 0 {
				t.Error("a failed snapshot is registered")
			}
		})
	}
	t.Run("a damaged snapshot changes nothing", func(t *testing.T) {
		f := fixture(t, map[string]string{"a.js": "db.createCollection(\"one\")\n"})
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		path, err := f.State.LatestSnapshot(f.Container, f.Name())
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(path, "component/one.bson"), "damaged")
		put(t, collection(f.Component, "later"), "")
		fails(t, f, dysnomia.Restore, "as it was", "one.bson")
		expect(t, f, "later", "one")
	})
	t.Run("the shell prints something else", func(t *testing.T) {
		f := fixture(t, map[string]string{"a.js": ""})
		put(t, filepath.Join(f.Properties["tools"], "mongosh"), "#!/bin/sh\necho connecting\n")
		fails(t, f, dysnomia.Activate, "connecting")
	})
	t.Run("a property is wrong", func(t *testing.T) {
		f := fixture(t, nil)
		f.Properties["mongoPort"] = "mongo"
		fails(t, f, dysnomia.Activate, "mongoPort", `"mongo"`)
	})
}

func TestRoughEdge_modules20(t *testing.T) {
	t.Run("modules 20: an empty database has a snapshot", func(t *testing.T) {
		f := fixture(t, nil)
		f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore)
		if generations(t, f) != 1 {
			t.Errorf("%d generations", generations(t, f))
		}
	})
	t.Run("modules 20: a snapshot is restored under another name", func(t *testing.T) {
		f := fixture(t, map[string]string{"a.js": "db.createCollection(\"one\")\n"})
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		path, err := f.State.LatestSnapshot(f.Container, f.Name())
		if err != nil {
			t.Fatal(err)
		}
		renamed := f.Component
		renamed.Path = filepath.Join(filepath.Dir(f.Path), "renamed")
		if err := os.Rename(f.Path, renamed.Path); err != nil {
			t.Fatal(err)
		}
		g := plugintest.NewFixture(t, config, renamed)
		if err := g.State.Import(t.Context(), g.Container, g.Name(), path); err != nil {
			t.Fatal(err)
		}
		g.Do(dysnomia.Restore)
		if _, err := os.Stat(filepath.Join(g.Properties["root"], "renamed", "one")); err != nil {
			t.Error(err)
		}
	})
	t.Run("modules 20: collections that were created after the snapshot vanish", func(t *testing.T) {
		f := fixture(t, map[string]string{"a.js": "db.createCollection(\"one\")\n"})
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		put(t, collection(f.Component, "later"), "")
		f.Do(dysnomia.Restore)
		expect(t, f, "one")
	})
	t.Run("modules 20: the present shell and the former one are used", func(t *testing.T) {
		f := fixture(t, map[string]string{"a.js": "db.createCollection(\"one\")\n"})
		tools := f.Properties["tools"]
		if err := os.Rename(filepath.Join(tools, "mongosh"), filepath.Join(tools, "mongo")); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Activate)
		expect(t, f, "one")
	})
	t.Run("modules 29, item 10: the port reaches the clients", func(t *testing.T) {
		f := fixture(t, nil) // the stand-ins refuse every other port
		f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore)
	})
}

func TestAddress(t *testing.T) {
	s := settings{port: "1234"}
	if got, want := s.address("a b/c?d'e"), "mongodb://127.0.0.1:1234/a%20b%2Fc%3Fd%27e"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
