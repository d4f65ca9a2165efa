package supervisordprogram

import (
	"context"
	"errors"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
)

// ctl asks supervisord through supervisorctl, which knows by itself where it
// listens.
type ctl struct {
	r       *dysnomia.Request
	program string
}

func (c ctl) run(ctx context.Context, args ...string) (string, error) {
	if conf := c.r.Properties["supervisordConfigFile"]; conf != "" {
		args = append([]string{"-c", conf}, args...)
	}
	return tool.Run(ctx, c.r, c.program, args...)
}

// notAllRunningStatus is the exit status of "supervisorctl status" when some
// process does not run.
const notAllRunningStatus = 3

func (c ctl) processes(ctx context.Context) ([]process, error) {
	out, err := c.run(ctx, "status")
	var failed *tool.Error
	if errors.As(err, &failed) && failed.ExitCode == notAllRunningStatus {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return parseStatus(out), nil
}

// parseStatus reads lines of "name STATE description".
func parseStatus(out string) []process {
	var all []process
	for _, line := range strings.Split(out, "\n") {
		words := strings.Fields(line)
		if len(words) < 2 || words[1] != strings.ToUpper(words[1]) || strings.HasPrefix(words[1], "(") {
			continue
		}
		p := process{state: words[1], description: strings.Join(words[2:], " ")}
		group, name, ok := strings.Cut(words[0], ":")
		if !ok {
			name = group
		}
		p.group, p.name = group, name
		all = append(all, p)
	}
	return all
}

func (c ctl) reread(ctx context.Context) (changed []string, err error) {
	out, err := c.run(ctx, "reread")
	if err := failure(out, err); err != nil {
		return nil, err
	}
	for _, line := range strings.Split(out, "\n") {
		if group, ok := strings.CutSuffix(strings.TrimSpace(line), ": changed"); ok {
			changed = append(changed, group)
		}
	}
	return changed, nil
}

func (c ctl) add(ctx context.Context, group string) error {
	out, err := c.run(ctx, "add", group)
	if strings.Contains(out, "already active") {
		return nil
	}
	return failure(out, err)
}

func (c ctl) start(ctx context.Context, p process) error {
	out, err := c.run(ctx, "start", p.fullName())
	if strings.Contains(out, "ERROR (already started)") {
		return nil
	}
	return failure(out, err)
}

func (c ctl) stop(ctx context.Context, group string) error {
	out, err := c.run(ctx, "stop", group+":*")
	if strings.Contains(out, "ERROR (no such group)") || strings.Contains(out, "ERROR (not running)") {
		return nil
	}
	return failure(out, err)
}

func (c ctl) remove(ctx context.Context, group string) error {
	out, err := c.run(ctx, "remove", group)
	if strings.Contains(out, "no such process/group") {
		return nil
	}
	return failure(out, err)
}

// failure is an error also if supervisorctl has printed one and succeeded.
func failure(out string, err error) error {
	if err == nil && strings.Contains(out, "ERROR") {
		err = errors.New("supervisorctl: " + strings.TrimSpace(out))
	}
	return err
}

// manual is not known by supervisorctl.
func (c ctl) manual(context.Context) (map[string]bool, error) { return nil, nil }

func (c ctl) stderr(ctx context.Context, p process) string {
	out, err := c.run(ctx, "tail", "-1000", p.fullName(), "stderr")
	if err != nil || strings.Contains(out, "ERROR (") {
		return ""
	}
	return strings.TrimSpace(out)
}
