package dockercontainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
)

// digestLabel is a label of our containers: it tells whether image and
// parameters are still those of the component.
const digestLabel = "org.disnix.component-digest"

// activate makes the container run. It reports whether it has created it.
func (e *engine) activate(ctx context.Context, r *dysnomia.Request, c component, before *container.InspectResponse) (created bool, err error) {
	timeout, err := r.Seconds("timeout", time.Minute)
	if err != nil {
		return false, err
	}
	settle, err := r.Seconds("dockerStartSeconds", time.Second)
	if err != nil {
		return false, err
	}
	id, err := e.load(ctx, c.archive, c.Image)
	if err != nil {
		return false, err
	}
	if before != nil && !c.describes(before, id) {
		if !c.Stateless {
			fmt.Fprintf(r.Stderr, "Container %s is kept because it has state, although its image or its parameters have changed.\n", c.Container)
		} else {
			if err := e.stop(ctx, c.Container, c.StopTimeout); err != nil {
				return false, err
			}
			if err := e.remove(ctx, c.Container, true); err != nil {
				return false, err
			}
			before = nil
		}
	}
	if before == nil {
		if err := e.create(ctx, r, c); err != nil {
			return true, err
		}
	}
	if before != nil && before.State != nil && before.State.Running {
		return false, e.await(ctx, c.Container, timeout, 0)
	}
	if _, err := e.ContainerStart(ctx, c.Container, client.ContainerStartOptions{}); err != nil {
		return before == nil, e.fail("start container "+c.Container, err)
	}
	return before == nil, e.await(ctx, c.Container, timeout, settle)
}

// describes reports whether a container is the one that the component asks
// for. One that the original has made tells only its image.
func (c component) describes(found *container.InspectResponse, image string) bool {
	if found.Image != image {
		return false
	}
	if found.Config == nil {
		return true
	}
	digest, ours := found.Config.Labels[digestLabel]
	return !ours || digest == c.digest
}

// await waits until the container is healthy, or has run for some time if it
// has no health check. One that ends successfully has done its work.
func (e *engine) await(ctx context.Context, name string, timeout, settle time.Duration) error {
	started := time.Now()
	what := "container " + name + " to become healthy"
	var failure error
	err := await.Until(ctx, what, max(timeout, settle), func(ctx context.Context) (bool, string, error) {
		found, err := e.container(ctx, name)
		if err != nil {
			return false, "", err
		}
		if found == nil || found.State == nil {
			return false, "", errors.New("it was removed")
		}
		state := found.State
		switch {
		case state.Restarting || !state.Running && (state.ExitCode != 0 || state.Error != ""):
			failure = fmt.Errorf("start container %s: it has ended with status %d%s", name, state.ExitCode, e.reason(ctx, state.Error, name))
			return true, "", nil
		case !state.Running:
			return true, "", nil
		case state.Health != nil && state.Health.Status != container.NoHealthcheck:
			if state.Health.Status == container.Unhealthy {
				failure = fmt.Errorf("start container %s: it is unhealthy%s", name, healthLog(state.Health))
				return true, "", nil
			}
			return state.Health.Status == container.Healthy, "it is " + string(state.Health.Status) + healthLog(state.Health), nil
		}
		return time.Since(started) >= settle, "it runs", nil
	})
	return errors.Join(failure, err)
}

func healthLog(health *container.Health) string {
	if len(health.Log) == 0 {
		return ""
	}
	last := health.Log[len(health.Log)-1]
	return fmt.Sprintf(": its check ended with status %d: %.500s", last.ExitCode, strings.TrimSpace(last.Output))
}

// reason returns what the engine and the container say about its end.
func (e *engine) reason(ctx context.Context, message, name string) string {
	var text strings.Builder
	if message != "" {
		text.WriteString(": " + message)
	}
	logs, err := e.ContainerLogs(ctx, name, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: "20"})
	if err != nil {
		return text.String()
	}
	defer logs.Close()
	raw, err := io.ReadAll(io.LimitReader(logs, 1<<16))
	if err != nil {
		return text.String()
	}
	var output bytes.Buffer
	if _, err := stdcopy.StdCopy(&output, &output, bytes.NewReader(raw)); err != nil {
		output.Reset()
		output.Write(raw) // of a container with a terminal
	}
	if said := strings.TrimSpace(output.String()); said != "" {
		text.WriteString(": " + said[max(0, len(said)-2000):])
	}
	return text.String()
}
