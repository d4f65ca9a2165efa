package dockercontainer

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/dockercontainer/enginetest"
)

func TestRoughEdge_modules13(t *testing.T) {
	t.Run("modules 13: a container whose name ends alike is another one", func(t *testing.T) {
		e, f := start(t, nil)
		e.AddContainer(enginetest.Container{Name: "other-" + name})
		e.AddContainer(enginetest.Container{Name: name + "-2"})
		f.Do(dysnomia.Activate)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
		if e.Container("other-"+name) == nil || e.Container(name+"-2") == nil {
			t.Error("it was removed")
		}
	})
	t.Run("modules 13: an outdated container is replaced", func(t *testing.T) {
		e, f := start(t, nil, "--env", "A=1")
		e.AddContainer(enginetest.Container{Name: name, Image: "sha256:0000"})
		old := e.Container(name).ID
		f.Do(dysnomia.Activate)
		if e.Container(name).ID == old {
			t.Error("it was only started")
		}
	})
	t.Run("modules 13: one that the original has made from the same image is started", func(t *testing.T) {
		e, f := start(t, nil)
		e.AddContainer(enginetest.Container{Name: name, Image: "sha256:1111"})
		old := e.Container(name).ID
		f.Do(dysnomia.Activate)
		f.Expect("active")
		if e.Container(name).ID != old {
			t.Error("it was replaced")
		}
	})
	t.Run("modules 13: a stateless component has a marker", func(t *testing.T) {
		_, f := start(t, nil)
		f.Do(dysnomia.Activate)
		f.Expect("active")
	})
	t.Run("modules 13: an image that another container uses does not hinder", func(t *testing.T) {
		e, f := start(t, nil)
		f.Do(dysnomia.Activate)
		e.AddContainer(enginetest.Container{Name: "other", Image: "sha256:1111"})
		f.Do(dysnomia.Deactivate)
		f.Expect("")
		if len(e.Images()) != 1 || !strings.Contains(f.Stderr, "another container uses it") {
			t.Errorf("images: %v, stderr: %s", e.Images(), f.Stderr)
		}
	})
	t.Run("modules 13: settings of the image do not come from the environment", func(t *testing.T) {
		t.Setenv("dockerImageTag", "evil:latest")
		_, f := start(t, map[string]string{"dockerImageTag": ""})
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "does not set dockerImageTag") {
			t.Errorf("error: %v", err)
		}
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	t.Run("modules 29, item 9: dockerContainerName counts", func(t *testing.T) {
		e, f := start(t, map[string]string{"dockerContainerName": "web-primary"})
		f.Do(dysnomia.Activate)
		if e.Container("web-primary") == nil {
			t.Error("it has another name")
		}
		f.Do(dysnomia.Deactivate)
		if e.Container("web-primary") != nil {
			t.Error("it is left")
		}
	})
	t.Run("modules 29, item 14: what was activated is deactivated, whatever the component says now", func(t *testing.T) {
		e, f := start(t, nil)
		f.Do(dysnomia.Activate)
		f.Path = componentWith(t, e, map[string]string{"dockerContainerName": "renamed", "dockerImageTag": "web:renamed"}).Path
		f.Do(dysnomia.Deactivate)
		if e.Container(name) != nil || len(e.Images()) != 0 {
			t.Errorf("left: %v, %v", e.Container(name), e.Images())
		}
	})
	t.Run("modules 29, item 14: one name on one engine is for one active component", func(t *testing.T) {
		e, f := start(t, map[string]string{"dockerStatelessDeployment": "0"})
		other := *f
		other.Container = "docker-container-secondary"
		f.Do(dysnomia.Activate)
		id := e.Container(name).ID
		err := other.Run(t.Context(), dysnomia.Activate)
		if err == nil || !strings.Contains(err.Error(), `in container "docker-container"`) {
			t.Errorf("error: %v", err)
		}
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
		other.Do(dysnomia.Activate)
		f.Do(dysnomia.CollectGarbage)
		if found := e.Container(name); found == nil || found.ID != id {
			t.Error("the state of the other one was deleted")
		}
		other.Do(dysnomia.Deactivate, dysnomia.CollectGarbage)
		if e.Container(name) != nil {
			t.Error("it is left")
		}
	})
}
