package iis

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// The deployment script and msdeploy stand in for those of Web Deploy: a
// deployed application is a directory with a Web.config. They fail when they
// are told to.
const (
	script = `#!/bin/sh
[ "$*" = /Y ] || exit 64
[ ! -e "$world/refuse" ] || { echo "Error: the site is locked"; exit 1; }
mkdir -p "$iisWwwRoot/component" && echo machine > "$iisWwwRoot/component/Web.config"
`
	msdeploy = `#!/bin/sh
[ "$1" = -verb:delete ] && [ $# = 2 ] || exit 64
[ ! -e "$world/refuse-delete" ] || { echo "Error: in use" >&2; exit 1; }
case "$2" in "-dest:iisApp=Default Web Site/component") rm -rf "$iisWwwRoot/component" ;; *) exit 64 ;; esac
`
)

func component(t testing.TB) plugintest.Component {
	t.Helper()
	world, path := t.TempDir(), filepath.Join(t.TempDir(), "component")
	plugintest.WriteFile(t, filepath.Join(world, "msdeploy"), msdeploy)
	plugintest.WriteFile(t, filepath.Join(path, "Package/shop.deploy.cmd"), script)
	plugintest.WriteFile(t, filepath.Join(path, "Package/PackageTmp/Default.aspx"), "page")
	plugintest.WriteFile(t, filepath.Join(path, "Package/PackageTmp/bin/shop.dll"), "library")
	plugintest.WriteFile(t, filepath.Join(path, "Package/PackageTmp/Web.config"), "developer")
	return plugintest.Component{Path: path, Container: "iis-webapplication", Properties: map[string]string{
		"world": world, "msdeploy": filepath.Join(world, "msdeploy"), "iisWwwRoot": filepath.Join(world, "www root"),
	}}
}

// deployed returns the content of a file of the application.
func deployed(c plugintest.Component, name string) string {
	content, _ := os.ReadFile(filepath.Join(c.Properties["iisWwwRoot"], "component", name))
	return strings.TrimSpace(string(content))
}

var config = plugintest.Config{
	Type:   "iis-webapplication",
	Plugin: Plugin{},
	New:    func(t *testing.T) plugintest.Component { return component(t) },
	Broken: func(t *testing.T) plugintest.Component {
		c := component(t)
		plugintest.WriteFile(t, filepath.Join(c.Properties["world"], "refuse"), "")
		return c
	},
	Running: func(_ *testing.T, c plugintest.Component) bool { return deployed(c, "Web.config") != "" },
}

func TestConformance(t *testing.T) { plugintest.Run(t, config) }

func TestFiles(t *testing.T) {
	f := plugintest.NewFixture(t, config, component(t))
	f.Do(dysnomia.Activate)
	for name, want := range map[string]string{"Default.aspx": "page", "bin/shop.dll": "library", "Web.config": "machine"} {
		if got := deployed(f.Component, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	plugintest.WriteFile(t, filepath.Join(f.Path, "Package/PackageTmp/Default.aspx"), "new page")
	f.Do(dysnomia.Activate)
	if got := deployed(f.Component, "Default.aspx"); got != "new page" {
		t.Errorf("after another activation: %q", got)
	}
}

func TestRoughEdge_modules15(t *testing.T) {
	t.Run("modules 15: without a directory of the site nothing is copied to another place", func(t *testing.T) {
		c := component(t)
		c.Properties = maps.Clone(c.Properties)
		c.Properties["iisWwwRoot"] = ""
		f := plugintest.NewFixture(t, config, c)
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "iisWwwRoot") {
			t.Errorf("error: %v", err)
		}
		if _, err := os.Lstat("/component"); err == nil {
			t.Error("it was copied to the root directory")
		}
	})
	t.Run("modules 15: a repeated deactivation does nothing", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, component(t))
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "refuse-delete"), "")
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
}

func TestFaults(t *testing.T) {
	for want, spoil := range map[string]func(c plugintest.Component){
		"iisWwwRoot is not set": func(c plugintest.Component) { delete(c.Properties, "iisWwwRoot") },
		"not an absolute path":  func(c plugintest.Component) { c.Properties["iisWwwRoot"] = "www" },
		"the site is locked": func(c plugintest.Component) {
			plugintest.WriteFile(t, filepath.Join(c.Properties["world"], "refuse"), "")
		},
		"there are 2 files *.deploy.cmd": func(c plugintest.Component) {
			plugintest.WriteFile(t, filepath.Join(c.Path, "Package/other.deploy.cmd"), "")
		},
		"there are 0 files *.deploy.cmd": func(c plugintest.Component) { _ = os.Remove(filepath.Join(c.Path, "Package/shop.deploy.cmd")) },
		"find the deployment script":     func(c plugintest.Component) { _ = os.RemoveAll(filepath.Join(c.Path, "Package")) },
		"bin: not a directory": func(c plugintest.Component) {
			plugintest.WriteFile(t, filepath.Join(c.Properties["iisWwwRoot"], "component/bin"), "")
		},
		"undo the deployment: undeploy": func(c plugintest.Component) {
			plugintest.WriteFile(t, filepath.Join(c.Properties["world"], "refuse"), "")
			plugintest.WriteFile(t, filepath.Join(c.Properties["world"], "refuse-delete"), "")
		},
	} {
		t.Run(want, func(t *testing.T) {
			c := component(t)
			c.Properties = maps.Clone(c.Properties)
			spoil(c)
			f := plugintest.NewFixture(t, config, c)
			if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error: %v", err)
			}
			if active, err := f.State.IsActive(f.Container, f.Name()); err != nil || active {
				t.Errorf("active: %t, %v", active, err)
			}
		})
	}
	t.Run("what cannot be undeployed stays active", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, component(t))
		f.Do(dysnomia.Activate)
		plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "refuse-delete"), "")
		if err := f.Run(t.Context(), dysnomia.Deactivate); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("error: %v", err)
		}
		f.Expect("active")
	})
}
