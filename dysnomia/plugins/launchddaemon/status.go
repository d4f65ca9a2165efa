package launchddaemon

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
)

// status is what launchd tells about a daemon.
type status struct {
	loaded bool
	state  string // running, waiting, …
	exit   string // the last exit code, or a remark in parentheses
}

func (s status) String() string {
	if !s.loaded {
		return "not loaded"
	}
	if s.exit == "" {
		return s.state
	}
	return s.state + ", last exit code " + s.exit
}

// The exit statuses of launchctl for a service that it does not know.
var unknownService = []int{3, 113}

func (d *deployment) status(ctx context.Context, label string) (status, error) {
	out, err := d.run(ctx, "print", target(label))
	var failed *tool.Error
	if errors.As(err, &failed) && ctx.Err() == nil && slices.Contains(unknownService, failed.ExitCode) {
		return status{}, nil
	}
	if err != nil {
		return status{}, err
	}
	return parseStatus(out), nil
}

// parseStatus reads the properties of the service itself, which are indented by
// one tab; those of its parts are indented more.
func parseStatus(out string) status {
	s := status{loaded: true}
	for _, line := range strings.Split(out, "\n") {
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "\t"), " = ")
		if !ok || strings.HasPrefix(name, "\t") {
			continue
		}
		switch name {
		case "state":
			s.state = strings.TrimSpace(value)
		case "last exit code":
			s.exit, _, _ = strings.Cut(strings.TrimSpace(value), ":") // "78: EX_CONFIG"
		}
	}
	return s
}
