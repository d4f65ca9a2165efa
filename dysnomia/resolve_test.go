package dysnomia

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	h := &Host{StoreDir: "/nix/store"}
	own := &Host{StoreDir: "/my/store/"}
	hash := "0123456789abcdfghijklmnpqrsvwxyz"
	for _, test := range []struct {
		host *Host
		path string
		want string
	}{
		{h, "/nix/store/" + hash + "-web-1.0", "web-1.0"},
		{h, "/nix/store/" + hash + "-web-1.0/", "web-1.0"},
		{h, "/nix/store/" + hash + "-x/etc/y", "y"},
		{h, "/nix/store/" + hash + "-x/" + hash + "-y", hash + "-y"},
		{h, "/nix/store/short", "short"},
		{h, "/nix/store/" + hash + "-", hash + "-"},
		{h, "/nix/store/" + strings.ToUpper(hash) + "-x", strings.ToUpper(hash) + "-x"},
		{h, "/nix/store2/" + hash + "-x", hash + "-x"},
		{h, "/my/store/" + hash + "-x", hash + "-x"},
		{own, "/my/store/" + hash + "-x", "x"},
		{h, "/etc/testdb", "testdb"},
		{h, "testdb", "testdb"},
		{h, hash + "-x", hash + "-x"},
	} {
		equal(t, "name of "+test.path, test.host.ComponentName(test.path), test.want)
	}
	equal(t, "no container", h.ContainerName("", "echo"), "echo")
	equal(t, "container of a package", h.ContainerName("/nix/store/"+hash+"-tomcat-9", "x"), "tomcat-9")
	equal(t, "container of a file", h.ContainerName("./conf/box", "x"), "box")
}

func TestNewHost(t *testing.T) {
	h, err := NewHost([]string{
		"DYSNOMIA_CONTAINERS_PATH=/a:/b", "DYSNOMIA_COMPONENTS_PATH=:/c:", "DYSNOMIA_MODULES_PATH=/old", "DYSNOMIA_MODULES_PATH=/m",
		"DYSNOMIA_PROPERTIES=/p", "DYSNOMIA_STATEDIR=/s/../state", "NIX_STORE_DIR=/my/store/",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	equalSlices(t, "containers", h.ContainersPath, []string{"/a", "/b"})
	equalSlices(t, "components", h.ComponentsPath, []string{"/c"})
	equalSlices(t, "modules", h.ModulesPath, []string{"/m"})
	equal(t, "properties", h.PropertiesFile, "/p")
	equal(t, "state", h.StateDir, "/state")
	equal(t, "store", h.StoreDir, "/my/store")

	h, err = NewHost([]string{"DYSNOMIA_CONTAINERS_PATH=", "HOME="}, nil)
	if err != nil {
		t.Fatal(err)
	}
	equalSlices(t, "containers", h.ContainersPath, []string{"/etc/dysnomia/containers"})
	equalSlices(t, "components", h.ComponentsPath, []string{"/etc/dysnomia/components"})
	equalSlices(t, "modules", h.ModulesPath, nil)
	equal(t, "properties", h.PropertiesFile, "/etc/dysnomia/properties")
	equal(t, "store", h.StoreDir, "/nix/store")
}

func TestResolveComponent(t *testing.T) {
	m := newMachine(t)
	real := m.file("packages/web", "", 0o644)
	m.link("components", "box", "web", "../../packages/web")
	m.link("components", "box", "gone", filepath.Join(m.root, "packages/gone"))
	m.link("components", "box", "loop", "loop")
	m.file("sub/a/b", "", 0o644)
	m.ComponentsPath = append(m.ComponentsPath, filepath.Join(m.root, "sub"))
	for _, test := range []struct{ component, container, want string }{
		{"web", "box", real},
		{"web", "/anywhere/box", real},
		{filepath.Join(m.comps, "box/web"), "any", real},
		{"gone", "box", m.root + "/packages/gone"},
		{m.root + "/new", "box", m.root + "/new"},
		{"b", "a", m.root + "/sub/a/b"},
	} {
		got, err := m.resolveComponent(test.component, test.container)
		if err != nil {
			t.Errorf("resolve %s: %v", test.component, err)
		}
		equal(t, "path of "+test.component, got, test.want)
	}
	for _, test := range []struct{ component, container string }{
		{"../box/web", "box"}, {"web", ".."}, {"web", "../components/box"}, {"none", "box"}, {"loop", "box"},
	} {
		if path, err := m.resolveComponent(test.component, test.container); err == nil {
			t.Errorf("%s in %s leads to %s", test.component, test.container, path)
		}
	}
}

func TestResolveContainer(t *testing.T) {
	m := newMachine(t)
	first := m.container("box", "")
	m.file("containers2/box", "", 0o644)
	second := m.file("containers2/other", "", 0o644)
	m.file("containers/other/x", "", 0o644)
	m.ContainersPath = append(m.ContainersPath, filepath.Join(m.root, "containers2"))
	m.link("links", "", "box", first)
	t.Chdir(m.root)
	for given, want := range map[string]string{
		"box": first, "other": second, first: first, "./containers2/other": second, m.root + "/links/box": first,
	} {
		got, err := m.resolveContainer(given)
		if err != nil {
			t.Errorf("resolve %s: %v", given, err)
		}
		equal(t, "file of "+given, got, want)
	}
}

func TestResolveModule(t *testing.T) {
	m := newMachine(t)
	m.Plugins["echo"] = minimal{}
	m.Plugins["wrapper"] = minimal{}
	m.ModulesPath = []string{filepath.Join(m.root, "missing"), m.mods}
	own := m.module("wrapper", "")
	m.file("modules/echo", "not executable", 0o644)
	m.file("modules/directory/x", "", 0o755)
	m.Plugins["directory"] = minimal{}
	t.Chdir(m.root)

	for given, want := range map[string]module{
		"echo":              {identifier: "echo", plugin: minimal{}},
		"directory":         {identifier: "directory", plugin: minimal{}},
		"wrapper":           {identifier: "wrapper", path: own},
		own:                 {identifier: "wrapper", path: own},
		"./modules/wrapper": {identifier: "wrapper", path: own},
	} {
		got, err := m.resolveModule(given)
		if err != nil {
			t.Errorf("resolve %s: %v", given, err)
		}
		equal(t, "module of "+given, got, want)
	}
	t.Run("of a package", func(t *testing.T) {
		m.file("builtin/libexec/dysnomia/wrapper", "", 0o644)
		m.file("own/libexec/dysnomia/wrapper", "#!/bin/sh\n", 0o755)
		m.file("own/libexec/dysnomia/README", "", 0o644)
		m.file("unknown/libexec/dysnomia/README", "", 0o644)
		m.file("forgotten/libexec/dysnomia/wrapper", "#!/bin/sh\n", 0o644)
		m.file("both/libexec/dysnomia/wrapper", "", 0o644)
		m.file("both/libexec/dysnomia/echo", "", 0o644)
		for name, want := range map[string]module{
			"builtin": {identifier: "wrapper", plugin: minimal{}},
			"own":     {identifier: "wrapper", path: filepath.Join(m.root, "own/libexec/dysnomia/wrapper")},
		} {
			got, err := m.resolveModule(filepath.Join(m.root, name))
			if err != nil {
				t.Errorf("resolve %s: %v", name, err)
			}
			equal(t, "module of "+name, got, want)
		}
		for _, name := range []string{"unknown", "both", "forgotten"} {
			_, err := m.resolveModule(filepath.Join(m.root, name))
			wantError(t, err, "named like a built-in plugin")
		}
	})
	for given, text := range map[string]string{
		"none":                  "Module: none cannot be found! (it is not built in",
		"../modules/wrapper":    "cannot be found!",
		filepath.Join(m.root):   "the package has no modules",
		"/does/not/exist":       "Module: /does/not/exist cannot be found! (/does/not/exist: no such file",
		m.mods + "/echo":        "is not an executable file",
		"./modules/../none/one": "cannot be found!",
	} {
		_, err := m.resolveModule(given)
		wantError(t, err, text)
	}
	if err := os.RemoveAll(m.mods); err != nil {
		t.Fatal(err)
	}
	got, err := m.resolveModule("wrapper")
	if err != nil || got.plugin == nil {
		t.Errorf("the built-in module: %v, %v", got, err)
	}
}
