package supervisordprogram

import (
	"context"
	"fmt"

	"github.com/disnix-go/disnix/dysnomia"
)

// control is what is asked of supervisord.
type control interface {
	// processes returns all processes that it manages.
	processes(ctx context.Context) ([]process, error)
	// reread reads the configuration again, which changes no process, and
	// returns the groups that it has changed.
	reread(ctx context.Context) (changed []string, err error)
	// add adds a group of the configuration, and starts its processes, unless
	// it is there.
	add(ctx context.Context, group string) error
	// start starts a process, without waiting for it.
	start(ctx context.Context, p process) error
	// stop tells the processes of a group to stop, without waiting for them.
	stop(ctx context.Context, group string) error
	// remove removes a group whose processes have stopped, if it is there.
	remove(ctx context.Context, group string) error
	// manual returns the processes that are not started by supervisord itself
	// (autostart=false), by full name.
	manual(ctx context.Context) (map[string]bool, error)
	// stderr returns the last lines that a process has printed, or nothing.
	stderr(ctx context.Context, p process) string
}

// process is a process of supervisord.
type process struct {
	group, name string
	state       string // as in http://supervisord.org/subprocess.html#process-states
	description string
	exitStatus  int
}

// fullName is how supervisord calls it.
func (p process) fullName() string {
	if p.group == p.name {
		return p.name
	}
	return p.group + ":" + p.name
}

func (p process) String() string {
	text := p.fullName() + " is " + p.state
	if p.description != "" {
		text += " (" + p.description + ")"
	}
	return text
}

// connect returns the way to supervisord: by XML-RPC where it is known where it
// listens, otherwise through supervisorctl, which has its own ways to know.
func connect(r *dysnomia.Request) (control, error) {
	if program := r.Properties["supervisorctl"]; program != "" {
		return ctl{r: r, program: program}, nil
	}
	e, err := findEndpoint(r)
	if err != nil {
		return nil, fmt.Errorf("find supervisord: %w", err)
	}
	if e != nil {
		return newRPC(*e), nil
	}
	if _, err := dysnomia.FindProgram(r.Environment, "supervisorctl"); err != nil {
		return nil, fmt.Errorf("find supervisord: there is no configuration in %v, and no supervisorctl: set supervisordServerUrl or supervisordConfigFile", usualConfs)
	}
	return ctl{r: r, program: "supervisorctl"}, nil
}
