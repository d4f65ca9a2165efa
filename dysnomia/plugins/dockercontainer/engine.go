package dockercontainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/disnix-go/disnix/dysnomia"
)

// engine is a connection to the Docker engine.
type engine struct {
	*client.Client
	host string
}

func hostOf(r *dysnomia.Request) (string, error) {
	host := r.Property("dockerHost", r.Property("DOCKER_HOST", client.DefaultDockerHost))
	parsed, err := url.Parse(host)
	if err != nil || parsed.Scheme != "unix" && parsed.Scheme != "tcp" {
		return "", fmt.Errorf("read property dockerHost of container %q: %q is neither unix:///PATH nor tcp://HOST:PORT", r.Container, host)
	}
	return host, nil
}

func connect(r *dysnomia.Request) (*engine, error) {
	host, err := hostOf(r)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.WithHost(host), client.WithUserAgent("disnix"))
	if err != nil {
		return nil, fmt.Errorf("connect to the Docker engine at %s: %w", host, err)
	}
	return &engine{c, host}, nil
}

// fail says what could not be done, and what to do if the engine is not there.
func (e *engine) fail(what string, err error) error {
	if client.IsErrConnectionFailed(err) {
		return fmt.Errorf("%s: the Docker engine at %s can not be reached: start it, or set the container property dockerHost: %w", what, e.host, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// place is the place of a container, for [lifecycle.Shared].
func (e *engine) place(name string) string { return "docker:" + e.host + "/" + name }

// conflict is the error when another component, if any, has the container.
func (e *engine) conflict(name string, user *dysnomia.Marker) error {
	if user == nil {
		return nil
	}
	return fmt.Errorf("create container %s: it is that of component %q in container %q: set dockerContainerName in the settings of one of them, or deactivate it there",
		name, user.Component, user.Container)
}

// container returns a container by its exact name, or nil.
func (e *engine) container(ctx context.Context, name string) (*container.InspectResponse, error) {
	found, err := e.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, e.fail("inspect container "+name, err)
	}
	if strings.TrimPrefix(found.Container.Name, "/") != name {
		return nil, nil // the engine also finds the beginnings of ids
	}
	return &found.Container, nil
}

// image returns the id of the image with the tag, or nothing.
func (e *engine) image(ctx context.Context, tag string) (string, error) {
	found, err := e.ImageInspect(ctx, tag)
	if errdefs.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", e.fail("inspect image "+tag, err)
	}
	return found.ID, nil
}

// load loads an image from a file and returns the id of the one with the tag.
func (e *engine) load(ctx context.Context, file, tag string) (string, error) {
	what := "load image " + tag + " from " + file
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	defer f.Close()
	answer, err := e.ImageLoad(ctx, f, client.ImageLoadWithQuiet(true))
	if err != nil {
		return "", e.fail(what, err)
	}
	defer answer.Close()
	if err := loadError(answer); err != nil {
		return "", e.fail(what, err)
	}
	id, err := e.image(ctx, tag)
	if err == nil && id == "" {
		err = fmt.Errorf("%s: there is no image of that name in the file: correct dockerImageTag", what)
	}
	return id, err
}

// loadError reads the messages of the engine while it loads; its status was
// decided before.
func loadError(messages io.Reader) error {
	decoder := json.NewDecoder(messages)
	for {
		var message struct {
			Error       string `json:"error"`
			ErrorDetail struct {
				Message string `json:"message"`
			} `json:"errorDetail"`
		}
		err := decoder.Decode(&message)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the answer of the engine: %w", err)
		case message.ErrorDetail.Message != "":
			return errors.New(message.ErrorDetail.Message)
		case message.Error != "":
			return errors.New(message.Error)
		}
	}
}

// stop stops a container that runs.
func (e *engine) stop(ctx context.Context, name string, seconds int) error {
	found, err := e.container(ctx, name)
	if err != nil || found == nil || found.State == nil || !found.State.Running && !found.State.Restarting {
		return err
	}
	_, err = e.ContainerStop(ctx, found.ID, client.ContainerStopOptions{Timeout: &seconds})
	if err != nil && !errdefs.IsNotFound(err) {
		return e.fail("stop container "+name, err)
	}
	return nil
}

// remove removes a container and its anonymous volumes, if it exists.
func (e *engine) remove(ctx context.Context, name string, force bool) error {
	found, err := e.container(ctx, name)
	if err != nil || found == nil {
		return err
	}
	_, err = e.ContainerRemove(ctx, found.ID, client.ContainerRemoveOptions{Force: force, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return e.fail("remove container "+name, err)
	}
	return nil
}

// removeImage removes the tag of an image, and the image if it was the last.
// One that other containers use is kept.
func (e *engine) removeImage(ctx context.Context, r *dysnomia.Request, tag string) error {
	_, err := e.ImageRemove(ctx, tag, client.ImageRemoveOptions{PruneChildren: true})
	switch {
	case err == nil || errdefs.IsNotFound(err):
		return nil
	case errdefs.IsConflict(err):
		fmt.Fprintf(r.Stderr, "Image %s is kept: another container uses it.\n", tag)
		return nil
	}
	return e.fail("remove image "+tag, err)
}
