package systemdunit

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/dysnomia/plugins/await"
)

// properties are what systemd tells about a unit (org.freedesktop.systemd1(5)).
type properties map[string]any

func (m *manager) properties(ctx context.Context, unit string) (properties, error) {
	p, err := m.conn.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		return nil, fmt.Errorf("ask systemd about %s: %w", unit, causeOf(ctx, err))
	}
	return p, nil
}

func (p properties) text(name string) string {
	text, _ := p[name].(string)
	return text
}

func (p properties) names(name string) []string {
	list, _ := p[name].([]string)
	return list
}

// state is the state as systemctl shows it.
func (p properties) state() string {
	return p.text("ActiveState") + " (" + p.text("SubState") + ")"
}

func (p properties) loadError() string {
	parts, _ := p["LoadError"].([]any)
	if len(parts) == 2 {
		if text, _ := parts[1].(string); text != "" {
			return text
		}
	}
	return "see systemd-analyze verify"
}

// ending says how the main process of a service has ended, if that is why it
// does not run.
func (p properties) ending() string {
	result := p.text("Result")
	if result == "" || result == "success" {
		return ""
	}
	text := "result " + result
	status, _ := p["ExecMainStatus"].(int32)
	if status == 0 {
		status = p.failedCommand()
	}
	switch result {
	case "exit-code":
		text += fmt.Sprintf(", exit status %d", status)
		if name := exitNames[status]; name != "" {
			text += " (" + name + ")"
		}
	case "signal", "core-dump":
		text += fmt.Sprintf(", signal %d (%s)", status, syscall.Signal(status))
	}
	return text
}

// failedCommand is the status with which one of the commands of a service has
// ended that are not its main process, or 0.
func (p properties) failedCommand() int32 {
	for _, name := range []string{"ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost"} {
		commands, _ := p[name].([][]any)
		for _, command := range commands {
			if len(command) == 0 {
				continue
			}
			if status, _ := command[len(command)-1].(int32); status != 0 {
				return status
			}
		}
	}
	return 0
}

// exitNames are the usual ones of those of systemd itself (systemd.exec(5)).
var exitNames = map[int32]string{
	200: "the working directory cannot be entered",
	203: "the program cannot be executed",
	216: "the group does not exist",
	217: "the user does not exist",
	226: "the namespace cannot be set up",
}

// explain turns the result of a job that did not succeed into an error.
func (m *manager) explain(ctx context.Context, j job, result string) error {
	text := fmt.Sprintf("%s %s: %s", j.verb, j.unit, result)
	ask := m.properties
	if result == "failed" {
		ask = m.afterwards
	}
	if p, err := ask(ctx, j.unit); err == nil {
		text += ": it is " + p.state()
		if ending := p.ending(); ending != "" {
			text += ", " + ending
		}
		if result == "dependency" {
			text += m.failedDependencies(ctx, p)
		}
		if status := p.text("StatusText"); status != "" {
			text += fmt.Sprintf(", its status is %q", status)
		}
	}
	return fmt.Errorf("%s: see %s%s", text, m.journal, j.unit)
}

// againLimit is how long a unit may take that was started again.
const againLimit = 5 * time.Second

// afterwards returns the properties of a unit that has failed. What needs it
// may have started it again meanwhile: then they say nothing until that has
// failed, too.
func (m *manager) afterwards(ctx context.Context, unit string) (p properties, err error) {
	late := await.Until(ctx, unit+" to fail again", againLimit, func(ctx context.Context) (bool, string, error) {
		p, err = m.properties(ctx, unit)
		again := p.text("ActiveState") == "activating" && !strings.HasPrefix(p.text("SubState"), "auto-restart")
		return err != nil || !again, "", nil
	})
	if p == nil && err == nil {
		err = late
	}
	return p, err
}

// failedDependencies names what a unit needs and does not get.
func (m *manager) failedDependencies(ctx context.Context, p properties) string {
	var failed []string
	for _, relation := range []string{"Requires", "Requisite", "BindsTo"} {
		for _, unit := range p.names(relation) {
			needed, err := m.properties(ctx, unit)
			if err != nil || needed.text("ActiveState") == "active" {
				continue
			}
			text := unit + " is " + needed.state()
			if needed.text("LoadState") != "loaded" {
				text = unit + " is " + needed.text("LoadState")
			}
			failed = append(failed, text)
		}
	}
	if len(failed) == 0 {
		return ""
	}
	return ": " + strings.Join(failed, ", ")
}

// awaitSettled checks that the units have what was asked for: for systemd, a
// service of Type=simple has started as soon as its process exists, so these
// must run for a while.
func (m *manager) awaitSettled(ctx context.Context, units []string, settle, limit time.Duration) error {
	since := time.Now()
	for _, unit := range units {
		err := await.Until(ctx, unit+" to run its program", limit+settle, func(ctx context.Context) (bool, string, error) {
			p, err := m.properties(ctx, unit)
			if err != nil {
				return false, "", err
			}
			if !p.isUp() {
				return false, "", m.explain(ctx, job{verb: "start", unit: unit}, "it has ended at once")
			}
			if !p.needsWatching() {
				return true, "", nil
			}
			if p.isPreparing() {
				since = time.Now()
			}
			return time.Since(since) >= settle, p.state(), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// isPreparing reports whether the main process of a service is not yet its
// program: systemd gives it a name in parentheses until then.
func (p properties) isPreparing() bool {
	pid, _ := p["MainPID"].(uint32)
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.HasPrefix(string(name), "(")
}

// isUp reports whether a unit that was started is as it should be: active, or
// a service that has done its work. A service that systemd restarts has
// failed.
func (p properties) isUp() bool {
	switch p.text("ActiveState") {
	case "active", "reloading":
		return true
	case "activating":
		return !strings.HasPrefix(p.text("SubState"), "auto-restart")
	case "inactive":
		return p.text("Result") == "success" && p.exitedByItself()
	}
	return false
}

// exitedByItself reports whether a service is one whose process has to end, or
// may do so.
func (p properties) exitedByItself() bool {
	status, _ := p["ExecMainStatus"].(int32)
	return status == 0
}

// needsWatching reports whether systemd does not know when the unit is ready.
func (p properties) needsWatching() bool {
	switch p.text("Type") {
	case "simple", "exec", "idle":
		return p.text("ActiveState") != "inactive"
	}
	return false
}
