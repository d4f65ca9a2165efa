package enginetest

import (
	"archive/tar"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/moby/moby/api/types/container"
)

// handler answers calls. The version in front of a path does not matter.
func (e *Engine) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(w http.ResponseWriter, r *http.Request)) {
		call := name.ReplaceAllString(pattern, "*")
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			e.mu.Lock()
			defer e.mu.Unlock()
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				e.calls = append(e.calls, r.Method+" "+strings.TrimSuffix(r.URL.Path+"?"+r.URL.RawQuery, "?"))
			}
			if message := e.failures[call]; message != "" {
				fail(w, http.StatusInternalServerError, message)
				return
			}
			answer(w, r)
		})
	}
	ping := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "OK") }
	handle("GET /_ping", ping)
	handle("POST /images/load", e.load)
	handle("GET /images/{name}/json", e.inspectImage)
	handle("DELETE /images/{name}", e.removeImage)
	handle("POST /containers/create", e.create)
	handle("GET /containers/{name}/json", e.inspect)
	handle("GET /containers/{name}/logs", e.logs)
	handle("POST /containers/{name}/start", e.start)
	handle("POST /containers/{name}/stop", e.stop)
	handle("DELETE /containers/{name}", e.remove)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.48")
		w.Header().Set("Ostype", "linux")
		r.URL.Path = version.ReplaceAllString(r.URL.Path, "")
		mux.ServeHTTP(w, r)
	})
}

var (
	version = regexp.MustCompile(`^/v1\.[0-9]+`)
	name    = regexp.MustCompile(`\{name\}`)
)

func fail(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"message": message})
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// load reads an archive in the format of docker save.
func (e *Engine) load(w http.ResponseWriter, r *http.Request) {
	archive := tar.NewReader(r.Body)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			answer(w, http.StatusOK, map[string]any{"errorDetail": map[string]string{"message": "invalid archive: no manifest.json"}, "error": "invalid archive"})
			return
		}
		if err != nil {
			fail(w, http.StatusInternalServerError, "archive/tar: invalid tar header")
			return
		}
		if header.Name != "manifest.json" {
			continue
		}
		var manifest []struct {
			Config   string
			RepoTags []string
		}
		if err := json.NewDecoder(archive).Decode(&manifest); err != nil {
			fail(w, http.StatusInternalServerError, err.Error())
			return
		}
		for _, image := range manifest {
			for _, tag := range image.RepoTags {
				e.images[tag] = "sha256:" + strings.TrimSuffix(image.Config, ".json")
				answer(w, http.StatusOK, map[string]string{"stream": "Loaded image: " + tag + "\n"})
			}
		}
		_, _ = io.Copy(io.Discard, r.Body)
		return
	}
}

func (e *Engine) inspectImage(w http.ResponseWriter, r *http.Request) {
	tag := r.PathValue("name")
	id, ok := e.images[tag]
	if !ok {
		fail(w, http.StatusNotFound, "No such image: "+tag)
		return
	}
	answer(w, http.StatusOK, map[string]any{"Id": id, "RepoTags": []string{tag}, "Architecture": "amd64", "Os": "linux"})
}

func (e *Engine) removeImage(w http.ResponseWriter, r *http.Request) {
	tag := r.PathValue("name")
	id, ok := e.images[tag]
	if !ok {
		fail(w, http.StatusNotFound, "No such image: "+tag)
		return
	}
	for _, c := range e.containers {
		if c.Image == id {
			fail(w, http.StatusConflict, fmt.Sprintf("conflict: unable to remove repository reference %q (must force) - container %.12s is using its referenced image %.12s", tag, c.ID, id))
			return
		}
	}
	delete(e.images, tag)
	answer(w, http.StatusOK, []map[string]string{{"Untagged": tag}, {"Deleted": id}})
}

func (e *Engine) create(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var config container.Config
	if err == nil {
		err = json.Unmarshal(body, &config)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	id, ok := e.images[config.Image]
	if !ok {
		fail(w, http.StatusNotFound, "No such image: "+config.Image)
		return
	}
	name := r.URL.Query().Get("name")
	if existing, ok := e.containers[name]; ok {
		fail(w, http.StatusConflict, fmt.Sprintf("Conflict. The container name \"/%s\" is already in use by container %q.", name, existing.ID))
		return
	}
	c := &Container{ID: e.newID(), Name: name, Image: id, Request: body, Config: config}
	c.State.Status = container.StateCreated
	if pattern, ok := e.containers[""]; ok {
		c.Behaviour = pattern.Behaviour
	}
	e.containers[name] = c
	answer(w, http.StatusCreated, container.CreateResponse{ID: c.ID, Warnings: []string{}})
}

func (e *Engine) named(w http.ResponseWriter, r *http.Request) *Container {
	c := e.find(r.PathValue("name"))
	if c == nil {
		fail(w, http.StatusNotFound, "No such container: "+r.PathValue("name"))
	}
	return c
}

func (e *Engine) inspect(w http.ResponseWriter, r *http.Request) {
	c := e.named(w, r)
	if c == nil {
		return
	}
	if health := c.Behaviour.Health; c.State.Running && len(health) > 0 {
		c.State.Health = &container.Health{Status: health[0], Log: []*container.HealthcheckResult{{ExitCode: 1, Output: "no answer\n"}}}
		c.Behaviour.Health = health[min(1, len(health)-1):]
	}
	answer(w, http.StatusOK, map[string]any{"Id": c.ID, "Name": "/" + c.Name, "Image": c.Image, "State": c.State, "Config": c.Config})
}

// logs answers with frames of standard error.
func (e *Engine) logs(w http.ResponseWriter, r *http.Request) {
	c := e.named(w, r)
	if c == nil {
		return
	}
	frame := make([]byte, 8, 8+len(c.Log))
	frame[0] = 2
	binary.BigEndian.PutUint32(frame[4:], uint32(len(c.Log)))
	_, _ = w.Write(append(frame, c.Log...))
}

func (e *Engine) start(w http.ResponseWriter, r *http.Request) {
	c := e.named(w, r)
	if c == nil {
		return
	}
	if c.State.Running {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	c.State = container.State{Status: container.StateRunning, Running: true, Pid: 4711}
	if c.Behaviour.Exits {
		c.State = container.State{Status: container.StateExited, ExitCode: c.Behaviour.ExitCode}
		c.Log = c.Behaviour.Log
	}
	w.WriteHeader(http.StatusNoContent)
}

func (e *Engine) stop(w http.ResponseWriter, r *http.Request) {
	c := e.named(w, r)
	if c == nil {
		return
	}
	if !c.State.Running {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	c.State = container.State{Status: container.StateExited, ExitCode: 143}
	w.WriteHeader(http.StatusNoContent)
}

func (e *Engine) remove(w http.ResponseWriter, r *http.Request) {
	c := e.named(w, r)
	if c == nil {
		return
	}
	if c.State.Running && r.URL.Query().Get("force") == "" {
		fail(w, http.StatusConflict, fmt.Sprintf("cannot remove container %q: container is running: stop the container before removing or force remove", "/"+c.Name))
		return
	}
	delete(e.containers, c.Name)
	w.WriteHeader(http.StatusNoContent)
}
