package dockercontainer

import (
	"archive/tar"
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/dockercontainer/enginetest"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// imageArchive makes an archive as docker save does; image distinguishes it
// from others.
func imageArchive(t testing.TB, image, tag string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range map[string]string{
		image + ".json": "{}",
		"manifest.json": fmt.Sprintf(`[{"Config": "%s.json", "RepoTags": [%q], "Layers": []}]`, image, tag),
	} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const (
	tag  = "web:latest"
	name = "dysnomia-component"
)

// componentWith makes a component; settings replace those it has, parameters
// are for docker create.
func componentWith(t testing.TB, e *enginetest.Engine, settings map[string]string, parameters ...string) plugintest.Component {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(archive, []byte(imageArchive(t, "1111", tag)), 0o644); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"dockerImage": archive, "dockerImageTag": tag}
	maps.Copy(all, settings)
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s=%s\n", key, all[key])
	}
	files := map[string]string{"web-docker-settings": text.String(), "web-docker-createparams": strings.Join(parameters, "\n") + "\n"}
	return plugintest.NewComponent(t, "docker-container", map[string]string{"dockerHost": e.Host(), "dockerStartSeconds": "0"}, files)
}

func config(e *enginetest.Engine) plugintest.Config {
	return plugintest.Config{
		Type:   "docker-container",
		Plugin: Plugin{},
		New:    func(t *testing.T) plugintest.Component { return componentWith(t, e, nil) },
		Broken: func(t *testing.T) plugintest.Component {
			return componentWith(t, e, map[string]string{"dockerImageTag": "other:tag"})
		},
		Running: func(_ *testing.T, c plugintest.Component) bool {
			found := e.Container(name)
			return found != nil && found.State.Running
		},
	}
}

func start(t *testing.T, settings map[string]string, parameters ...string) (*enginetest.Engine, *plugintest.Fixture) {
	t.Helper()
	e := enginetest.Start(t)
	return e, plugintest.NewFixture(t, config(e), componentWith(t, e, settings, parameters...))
}

func TestConformance(t *testing.T) {
	config := config(enginetest.Start(t))
	config.Remembers = true
	plugintest.Run(t, config)
}

func TestCalls(t *testing.T) {
	e, f := start(t, nil, "--publish", "8080:80", "--env", "GREETING=a b")
	f.Do(dysnomia.Activate)
	id := e.Container(name).ID
	want := []string{"POST /images/load?quiet=1", "POST /containers/create?name=" + name, "POST /containers/" + name + "/start"}
	if got := e.Calls(); !slices.Equal(got, want) {
		t.Errorf("activate: %q, want %q", got, want)
	}
	f.Do(dysnomia.Deactivate)
	want = []string{"POST /containers/" + id + "/stop?t=1", "DELETE /containers/" + id + "?force=1&v=1", "DELETE /images/" + tag}
	if got := e.Calls(); !slices.Equal(got, want) {
		t.Errorf("deactivate: %q, want %q", got, want)
	}
	if images := e.Images(); len(images) != 0 {
		t.Errorf("images are left: %v", images)
	}
	f.Do(dysnomia.Deactivate)
	if got := e.Calls(); len(got) > 1 {
		t.Errorf("deactivate again: %q", got)
	}
}

func TestStateIsKeptUntilItIsGarbage(t *testing.T) {
	e, f := start(t, map[string]string{"dockerStatelessDeployment": "0", "dockerStopTimeout": "7"})
	f.Do(dysnomia.Activate, dysnomia.CollectGarbage)
	f.Expect("active")
	id := e.Container(name).ID
	e.Calls()
	f.Do(dysnomia.Deactivate)
	f.Expect("garbage")
	if got := e.Calls(); !slices.Equal(got, []string{"POST /containers/" + id + "/stop?t=7"}) {
		t.Errorf("deactivate: %q", got)
	}
	f.Do(dysnomia.Activate)
	f.Expect("active")
	if e.Container(name).ID != id {
		t.Error("the container was replaced")
	}
	f.Do(dysnomia.Deactivate, dysnomia.CollectGarbage)
	f.Expect("")
	if e.Container(name) != nil || len(e.Images()) != 0 {
		t.Error("state is left")
	}
	f.Do(dysnomia.CollectGarbage)
}

func TestAnotherImage(t *testing.T) {
	for _, stateless := range []string{"1", "0"} {
		e, f := start(t, map[string]string{"dockerStatelessDeployment": stateless})
		f.Do(dysnomia.Activate)
		id := e.Container(name).ID
		settings, err := os.ReadFile(filepath.Join(f.Path, "web-docker-settings"))
		if err != nil {
			t.Fatal(err)
		}
		archive := strings.TrimPrefix(strings.SplitN(string(settings), "\n", 2)[0], "dockerImage=")
		if err := os.WriteFile(archive, []byte(imageArchive(t, "2222", tag)), 0o644); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Activate)
		if replaced := e.Container(name).ID != id; replaced != (stateless == "1") {
			t.Errorf("stateless %s: replaced: %t", stateless, replaced)
		}
		if stateless == "0" && !strings.Contains(f.Stderr, "kept because it has state") {
			t.Errorf("stderr: %s", f.Stderr)
		}
		f.Do(dysnomia.Deactivate)
	}
}

func TestFailures(t *testing.T) {
	for _, call := range []string{"POST /images/load", "GET /images/*/json", "POST /containers/create", "GET /containers/*/json", "POST /containers/*/start"} {
		t.Run(call, func(t *testing.T) {
			e, f := start(t, nil)
			e.Fail(call, "no space left on device")
			err := f.Run(t.Context(), dysnomia.Activate)
			if err == nil || !strings.Contains(err.Error(), "no space left on device") {
				t.Errorf("error: %v", err)
			}
			e.Fail(call, "")
			f.Expect("")
			if e.Container(name) != nil || len(e.Images()) != 0 && call != "GET /images/*/json" {
				t.Errorf("left: %v, %v", e.Container(name), e.Images())
			}
			f.Do(dysnomia.Activate, dysnomia.Deactivate)
		})
	}
	for _, call := range []string{"POST /containers/*/stop", "DELETE /containers/*", "DELETE /images/*"} {
		t.Run(call, func(t *testing.T) {
			e, f := start(t, nil)
			f.Do(dysnomia.Activate)
			e.Fail(call, "device or resource busy")
			err := f.Run(t.Context(), dysnomia.Deactivate)
			if err == nil || !strings.Contains(err.Error(), "device or resource busy") {
				t.Errorf("error: %v", err)
			}
			if active, err := f.State.IsActive(f.Container, f.Name()); err != nil || !active {
				t.Errorf("active: %t, %v", active, err)
			}
			e.Fail(call, "")
			f.Do(dysnomia.Deactivate)
			f.Expect("")
		})
	}
	t.Run("no engine", func(t *testing.T) {
		e, f := start(t, nil)
		e.Stop()
		err := f.Run(t.Context(), dysnomia.Activate)
		if err == nil || !strings.Contains(err.Error(), e.Host()) || !strings.Contains(err.Error(), "dockerHost") {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("what was there before stays", func(t *testing.T) {
		e, f := start(t, nil)
		e.AddImage(tag, "sha256:0000")
		e.Fail("POST /containers/create", "no")
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil {
			t.Error("it succeeded")
		}
		if images := e.Images(); len(images) != 1 {
			t.Errorf("images: %v", images)
		}
	})
}

func TestContainerThatEnds(t *testing.T) {
	e, f := start(t, nil)
	e.Behave(enginetest.Behaviour{Exits: true, ExitCode: 3, Log: "the port is taken\n"})
	err := f.Run(t.Context(), dysnomia.Activate)
	if err == nil || !strings.Contains(err.Error(), "status 3: the port is taken") {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
	if e.Container(name) != nil || len(e.Images()) != 0 {
		t.Error("it is left")
	}
	e.Behave(enginetest.Behaviour{Exits: true})
	f.Do(dysnomia.Activate) // it has done its work
	f.Do(dysnomia.Deactivate)
}

func TestHealth(t *testing.T) {
	starting, healthy, unhealthy := container.Starting, container.Healthy, container.Unhealthy
	e, f := start(t, nil)
	e.Behave(enginetest.Behaviour{Health: []container.HealthStatus{starting, starting, healthy}})
	f.Do(dysnomia.Activate, dysnomia.Deactivate)
	for want, health := range map[string][]container.HealthStatus{"it is unhealthy": {starting, unhealthy}, "within 0s: it is starting": {starting}} {
		e.Behave(enginetest.Behaviour{Health: health})
		f.Properties["timeout"] = "0"
		if health[len(health)-1] == unhealthy {
			f.Properties["timeout"] = "60"
		}
		err := f.Run(t.Context(), dysnomia.Activate)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "its check ended with status 1: no answer") {
			t.Errorf("error: %v, want: %s", err, want)
		}
		f.Expect("")
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		settings   map[string]string
		parameters []string
		want       string
	}{
		{map[string]string{"dockerImage": "image.tar"}, nil, `dockerImage "image.tar" is not an absolute path`},
		{map[string]string{"dockerImage": "/nonexistent"}, nil, "/nonexistent: no such file"},
		{map[string]string{"dockerImage": "/etc/passwd"}, nil, "invalid tar header"},
		{map[string]string{"dockerImageTag": ""}, nil, "does not set dockerImageTag"},
		{map[string]string{"dockerImageTag": "other:tag"}, nil, "correct dockerImageTag"},
		{map[string]string{"dockerStopTimeout": "soon"}, nil, `dockerStopTimeout "soon"`},
		{nil, []string{"--publish", "x:y"}, "--publish"},
		{nil, []string{"--publish"}, "--publish has no value"},
		{nil, []string{"--env", "A=1", "B=2"}, `parameter 3, "B=2", is neither an option nor its value`},
		{nil, []string{"--env", "=1"}, "NAME=VALUE"},
		{nil, []string{"--restart", "on-failure:often"}, `"often" is not a number`},
		{nil, []string{"--name", "mine"}, "--name is not allowed"},
		{nil, []string{"--dns", "name"}, "parameter --dns name"},
	} {
		_, f := start(t, test.settings, test.parameters...)
		err := f.Run(t.Context(), dysnomia.Activate)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error: %v, want: %s", err, test.want)
		}
		f.Expect("")
	}
	_, f := start(t, nil)
	f.Properties["dockerHost"] = "/var/run/docker.sock"
	if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "unix:///PATH") {
		t.Errorf("error: %v", err)
	}
	if err := os.Remove(filepath.Join(f.Path, "web-docker-settings")); err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "*-docker-settings") {
		t.Errorf("error: %v", err)
	}
}

func TestShellHelp(t *testing.T) {
	e, f := start(t, nil)
	f.Do(dysnomia.Shell)
	if want := "docker -H " + e.Host() + " logs " + name; !strings.Contains(f.Stderr, want) {
		t.Errorf("there is no %q in: %s", want, f.Stderr)
	}
}

// BenchmarkActivate measures the plugin with an engine that answers at once.
func BenchmarkActivate(b *testing.B) {
	e := enginetest.Start(b)
	plugintest.Benchmark(b, config(e), componentWith(b, e, nil))
}
