// Package cygrunsrvservice is the plugin for Windows services that Cygwin's
// cygrunsrv manages (modules page, section 12).
package cygrunsrvservice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
)

// Plugin installs and starts a Windows service with the name of the component,
// whose parameters are in a file *-cygrunsrvparams, one in a line. The container
// properties are:
//
//	cygrunsrv    the program (default: as PATH says)
//	timeout      seconds that the service may take to run (default 10)
//	stopTimeout  seconds that it may take to stop (default 30)
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

// service is the service of one component.
type service struct {
	r           *dysnomia.Request
	program     string
	parameters  []string
	timeout     time.Duration
	stopTimeout time.Duration
}

func read(r *dysnomia.Request) (*service, error) {
	s := &service{r: r, program: r.Property("cygrunsrv", "cygrunsrv")}
	var timeoutErr, stopErr, err error
	s.timeout, timeoutErr = r.Seconds("timeout", 10*time.Second)
	s.stopTimeout, stopErr = r.Seconds("stopTimeout", 30*time.Second)
	s.parameters, err = readParameters(r.Component)
	if strings.HasPrefix(r.ComponentName, "-") {
		err = errors.Join(err, fmt.Errorf("name the service after component %q: cygrunsrv would take the name for an option: rename the component", r.ComponentName))
	}
	return s, errors.Join(timeoutErr, stopErr, err)
}

func readParameters(component string) ([]string, error) {
	files, err := dysnomia.FilesIn(component, "*-cygrunsrvparams")
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("find the parameters of component %s: there are %d files *-cygrunsrvparams: there must be one", component, len(files))
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		return nil, fmt.Errorf("read the parameters of the service: %w", err)
	}
	text := strings.ReplaceAll(strings.TrimSuffix(string(content), "\n"), "\r\n", "\n")
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("read the parameters of the service: %s is empty", files[0])
	}
	return strings.Split(text, "\n"), nil
}

// Activate installs the service, unless it is, starts it and waits until it
// runs. If it does not, it is removed again.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	s, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Activate(ctx, r, s.start, s.stop)
}

// Deactivate stops the service, waits until it has ended, and removes it.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	s, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Deactivate(ctx, r, s.stop)
}

func (s *service) start(ctx context.Context) error {
	state, err := s.state(ctx)
	if err != nil {
		return err
	}
	if state == "" {
		if err := s.run(ctx, "--install", s.parameters...); err != nil {
			return err
		}
	}
	if state != "Running" {
		if err := s.run(ctx, "--start"); err != nil {
			return err
		}
	}
	return s.await(ctx, "run", s.timeout, func(state string) bool { return state == "Running" })
}

func (s *service) stop(ctx context.Context) error {
	state, err := s.state(ctx)
	if err != nil || state == "" {
		return err
	}
	if state != "Stopped" {
		if err := s.run(ctx, "--stop"); err != nil {
			return err
		}
		if err := s.await(ctx, "stop", s.stopTimeout, func(state string) bool { return state == "Stopped" || state == "" }); err != nil {
			return err
		}
	}
	return s.run(ctx, "--remove")
}

func (s *service) await(ctx context.Context, what string, limit time.Duration, ok func(state string) bool) error {
	return await.Until(ctx, "service "+s.r.ComponentName+" to "+what, limit, func(ctx context.Context) (bool, string, error) {
		state, err := s.state(ctx)
		return ok(state), "its state is " + state, err
	})
}

// state returns the state of the service, such as Running, Stopped or Start
// Pending; nothing if it is not installed.
func (s *service) state(ctx context.Context) (string, error) {
	out, err := tool.Run(ctx, s.r, s.program, "--query", s.r.ComponentName)
	var failed *tool.Error
	if errors.As(err, &failed) && strings.Contains(failed.Output, "1060") {
		return "", nil // ERROR_SERVICE_DOES_NOT_EXIST
	}
	if err != nil {
		return "", fmt.Errorf("query service %s: %w", s.r.ComponentName, err)
	}
	for _, line := range strings.Split(out, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "Current State" {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("query service %s: cygrunsrv does not tell its current state", s.r.ComponentName)
}

func (s *service) run(ctx context.Context, action string, parameters ...string) error {
	_, err := tool.Run(ctx, s.r, s.program, append([]string{action, s.r.ComponentName}, parameters...)...)
	if err != nil {
		return fmt.Errorf("%s service %s: %w", strings.TrimPrefix(action, "--"), s.r.ComponentName, err)
	}
	return nil
}

// ShellHelp says how to look after the service by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	help := fmt.Sprintf("This is a shell session for the Windows service %s\n\n", r.ComponentName)
	for _, action := range []string{"--query", "--start", "--stop"} {
		help += fmt.Sprintf("  cygrunsrv %s %s\n", action, r.ComponentName)
	}
	return help
}
