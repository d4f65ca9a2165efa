// Package dockercontainer is the plugin for containers of the Docker engine,
// or of anything else that speaks its API, such as Podman (modules page,
// section 13).
package dockercontainer

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/moby/client"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
)

// Plugin creates and starts a container from an image that the component
// brings. The container properties are:
//
//	dockerHost          where the engine listens, such as
//	                    unix:///run/user/1000/podman/podman.sock (default:
//	                    DOCKER_HOST, else unix:///var/run/docker.sock)
//	timeout             seconds that a container with a health check may take
//	                    to become healthy (default 60)
//	dockerStartSeconds  how long a container without one must run before it
//	                    counts as started (default 1)
//
// and defaults for the settings dockerStopTimeout and
// dockerStatelessDeployment of components.
//
// A component is stateless unless its settings say otherwise: then
// deactivation removes its container and its image. A container with state is
// only stopped; both are removed when its garbage is collected.
type Plugin struct{}

var (
	_ dysnomia.GarbageCollector = Plugin{}
	_ dysnomia.ShellGuide       = Plugin{}
)

// remembered is what must be known to remove a container.
type remembered struct {
	Container   string `json:"container"`
	Image       string `json:"image"`
	StopTimeout int    `json:"stopTimeout"`
	Stateless   bool   `json:"stateless"`
}

const recordKind = "docker-container"

// Activate loads the image, creates the container unless there is one from the
// same image with the same parameters, starts it, and waits until it runs. If
// that fails, a container and an image that were not there before are removed.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	c, err := readComponent(ctx, r)
	if err != nil {
		return err
	}
	e, err := connect(r)
	if err != nil {
		return err
	}
	defer e.Close()
	place := e.place(c.Container)
	if user, err := r.State.UserOf(r.Container, r.ComponentName, place); err != nil || user != nil {
		return errors.Join(err, e.conflict(c.Container, user))
	}
	before, err := e.container(ctx, c.Container)
	if err != nil {
		return err
	}
	hadImage, err := e.image(ctx, c.Image)
	if err != nil {
		return err
	}
	created, err := e.activate(ctx, r, c, before)
	if err == nil {
		return errors.Join(
			r.State.Remember(recordKind, r.Container, r.ComponentName, c.remembered),
			lifecycle.MarkStateful(r, place))
	}
	if created || before == nil {
		ctx := context.WithoutCancel(ctx)
		err = errors.Join(err, e.remove(ctx, c.Container, true))
		if hadImage == "" {
			err = errors.Join(err, e.removeImage(ctx, r, c.Image))
		}
	}
	return err
}

// Deactivate stops the container and, if it has no state, removes it and its
// image. What does not exist is gone already.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	known, err := known(ctx, r)
	if err != nil {
		return err
	}
	e, err := connect(r)
	if err != nil {
		return err
	}
	defer e.Close()
	if err := e.stop(ctx, known.Container, known.StopTimeout); err != nil {
		return err
	}
	if !known.Stateless {
		return r.State.MarkGarbage(r.Container, r.ComponentName)
	}
	if err := e.removeAll(ctx, r, known); err != nil {
		return err
	}
	return errors.Join(
		r.State.UnmarkActive(r.Container, r.ComponentName),
		r.State.ForgetPlaces(r.Container, r.ComponentName),
		r.State.Forget(recordKind, r.Container, r.ComponentName))
}

// CollectGarbage removes the container and the image of a component that is
// marked as garbage.
func (Plugin) CollectGarbage(ctx context.Context, r *dysnomia.Request) error {
	return lifecycle.Collect(ctx, r, func(ctx context.Context) error {
		known, err := known(ctx, r)
		if err != nil {
			return err
		}
		e, err := connect(r)
		if err != nil {
			return err
		}
		defer e.Close()
		shared, err := lifecycle.Shared(r, e.place(known.Container))
		if err == nil && !shared {
			err = e.removeAll(ctx, r, known)
		}
		if err != nil {
			return err
		}
		return r.State.Forget(recordKind, r.Container, r.ComponentName)
	})
}

// known returns what was remembered at activation, or else what the component
// says.
func known(ctx context.Context, r *dysnomia.Request) (remembered, error) {
	var record remembered
	found, err := r.State.Recall(recordKind, r.Container, r.ComponentName, &record)
	if err != nil || found {
		return record, err
	}
	c, err := readComponent(ctx, r)
	return c.remembered, err
}

// removeAll removes a container and its image.
func (e *engine) removeAll(ctx context.Context, r *dysnomia.Request, known remembered) error {
	if err := e.remove(ctx, known.Container, true); err != nil {
		return err
	}
	return e.removeImage(ctx, r, known.Image)
}

// ShellHelp says how to look after the container by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	known, err := known(context.Background(), r)
	if err != nil {
		return err.Error() + "\n"
	}
	host, err := hostOf(r)
	if err != nil {
		return err.Error() + "\n"
	}
	option := ""
	if host != client.DefaultDockerHost {
		option = " -H " + host
	}
	return fmt.Sprintf(`This is a shell session for the container %[2]s

  docker%[1]s inspect %[2]s       show the container
  docker%[1]s logs %[2]s          show its output
  docker%[1]s start %[2]s         start it
  docker%[1]s stop %[2]s          stop it
  docker%[1]s exec -it %[2]s sh   run a shell in it
`, option, known.Container)
}
