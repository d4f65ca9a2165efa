package dysnomia

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// storePath returns the path of a package in the Nix store.
func storePath(name string) string { return "/nix/store/" + strings.Repeat("0", 32) + "-" + name }

// link makes a component's entry.
func (m *machine) link(dir, container, entry, path string) {
	m.t.Helper()
	name := filepath.Join(m.root, dir, container, entry)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		m.t.Fatal(err)
	}
	os.Remove(name)
	if err := os.Symlink(path, name); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) available(container string) []string {
	m.t.Helper()
	components, err := m.QueryAvailableComponents(container)
	if err != nil {
		m.t.Fatal(err)
	}
	var names []string
	for _, c := range components {
		names = append(names, c.String())
	}
	return names
}

func (m *machine) names(container string) []string {
	m.t.Helper()
	names, err := m.QueryContainers(container)
	if err != nil {
		m.t.Fatal(err)
	}
	return names
}

func TestQueryOfAnEmptyMachine(t *testing.T) {
	m := newMachine(t)
	equalSlices(t, "containers", m.names(""), nil)
	equalSlices(t, "components", m.available(""), nil)
	expression, err := m.GenerateExpr(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "expression", expression, "{\n  containers = {\n  };\n}")
	dot, err := m.GenerateDot("")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "dot", dot, "digraph G {\n}\n")
}

func TestQueries(t *testing.T) {
	m := newMachine(t)
	m.container("b", "")
	m.container("B", "")
	m.container("a", "")
	m.container(".hidden", "")
	m.file("containers/directory/x", "", 0o644)
	m.link("components", "a", "web", storePath("web-1.0"))
	m.link("components", "a", "db", storePath("gone/etc/db"))
	m.link("components", "b", "x", "../a/web")
	equalSlices(t, "containers", m.names(""), []string{"B", "a", "b"})
	equalSlices(t, "one container", m.names("a"), []string{"a"})
	equalSlices(t, "no container", m.names("c"), nil)
	equalSlices(t, "components of a", m.available("a"), []string{"a/db", "a/web"})
}

func TestRoughEdge_Host05(t *testing.T) {
	m := newMachine(t)
	m.ContainersPath = append(m.ContainersPath, filepath.Join(m.root, "containers2"), filepath.Join(m.root, "missing"))
	m.ComponentsPath = append(m.ComponentsPath, filepath.Join(m.root, "components2"), filepath.Join(m.root, "missing"))
	m.Plugins["noting"] = &recorder{}
	m.container("one", "type=noting\n")
	m.file("containers2/two", "type=noting\n", 0o644)
	first := m.component("one", "x")
	m.file("components2/one/x", "", 0o644)
	m.file("components2/two/y", "", 0o644)
	t.Run("host 5: containers of several directories", func(t *testing.T) {
		equalSlices(t, "containers", m.names(""), []string{"one", "two"})
	})
	t.Run("host 5: components of several directories", func(t *testing.T) {
		equalSlices(t, "components", m.available(""), []string{"one/x", "two/y"})
		components, _ := m.QueryAvailableComponents("one")
		equal(t, "the first directory wins", components[0].Path, first)
	})
	t.Run("host 5: picture of several directories", func(t *testing.T) {
		dot, err := m.GenerateDot("")
		if err != nil || !strings.Contains(dot, `"two/y"`) {
			t.Errorf("dot: %v %s", err, dot)
		}
	})
	t.Run("host 5: nothing available is not everything gone", func(t *testing.T) {
		m.mustDeploy("")
		m.ComponentsPath = []string{filepath.Join(m.root, "missing"), filepath.Join(m.root, "missing2")}
		_, err := m.deploy("")
		wantError(t, err, "none of the directories", "missing2", "create an empty one")
		equalSlices(t, "active", m.active(), []string{"one/x", "two/y"})
	})
}

func TestGenerateExpr(t *testing.T) {
	m := newMachine(t)
	m.file("properties", `hostname="$(echo test1)"
mem=24684092
supportedTypes=("mysql-database" "process")
empty=()
type=server
system="x86_64-linux"`, 0o644)
	m.container("mysql-database", "mysqlPort=3306\nmysqlPassword=\ntype=mysql-database\n")
	m.container("process", "type=process\n")
	expression, err := m.GenerateExpr(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "expression", expression, `{
  properties = {
    "hostname" = "test1";
    "mem" = "24684092";
    "supportedTypes" = [ "mysql-database" "process" ];
    "empty" = [ ];
    "type" = "server";
    "system" = "x86_64-linux";
  };
  containers = {
    mysql-database = {
      "mysqlPort" = "3306";
      "mysqlPassword" = "";
    };
    process = {
    };
  };
  "system" = "x86_64-linux";
}`)
}

func TestRoughEdge_Host06(t *testing.T) {
	m := newMachine(t)
	m.ContainersPath = append(m.ContainersPath, filepath.Join(m.root, "containers2"))
	m.container("twice", "A=first\n")
	m.file("containers2/twice", "A=second\n", 0o644)
	m.container("1st.one", "A=1\n")
	m.container("inherit", `A='a"b\c${d}$e'`+"\nB=$'x\\ny\\tz\\r'\nC='$${x}'\n")
	m.file("containers/directory/x", "", 0o644)
	expression, err := m.GenerateExpr(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  containers = {
    "1st.one" = {
      "A" = "1";
    };
    "inherit" = {
      "A" = "a\"b\\c\${d}$e";
      "B" = "x\ny\tz\r";
      "C" = "$\${x}";
    };
    twice = {
      "A" = "first";
    };
  };
}`
	t.Run("host 6: duplicates, names and values are valid Nix", func(t *testing.T) {
		equal(t, "expression", expression, want)
	})
	t.Run("host 6: a bad line prints nothing, and all of them are named", func(t *testing.T) {
		m.container("bad", "A=x y\n")
		m.container("worse", "A='x\n")
		expression, err := m.GenerateExpr(context.Background(), "")
		equal(t, "expression", expression, "")
		wantError(t, err, filepath.Join(m.containers, "bad")+":1: ", filepath.Join(m.containers, "worse")+":1: ")
	})
}

func TestRoughEdge_Host07(t *testing.T) {
	m := newMachine(t)
	m.container("one", "A=1\n")
	m.container("two", "A='unbalanced\n")
	m.component("one", "x")
	m.component("two", "y")
	t.Run("host 7: query of one container", func(t *testing.T) {
		equalSlices(t, "containers", m.names("one"), []string{"one"})
	})
	t.Run("host 7: expression of one container", func(t *testing.T) {
		expression, err := m.GenerateExpr(context.Background(), "one")
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "expression", expression, "{\n  containers = {\n    one = {\n      \"A\" = \"1\";\n    };\n  };\n}")
	})
	t.Run("host 7: picture of one container", func(t *testing.T) {
		dot, err := m.GenerateDot("one")
		if err != nil || !strings.Contains(dot, "one/x") || strings.Contains(dot, "two") {
			t.Errorf("dot: %v %s", err, dot)
		}
	})
}

func TestGenerateDot(t *testing.T) {
	m := newMachine(t)
	m.container("mysql-database", "")
	m.component("mysql-database", "testdb")
	m.component("undrawn", "x")
	m.component("mysql-database", `say "hi"`)
	dot, err := m.GenerateDot("")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "dot", dot, `digraph G {
  subgraph cluster_mysql_database {
    style=filled;
    label="mysql-database";
    fillcolor=grey
    node [style=filled,fillcolor=white,color=black];
    "mysql-database/say \"hi\"" [ label = "say \"hi\"" ];
    "mysql-database/testdb" [ label = "testdb" ];
  }
}
`)
}
