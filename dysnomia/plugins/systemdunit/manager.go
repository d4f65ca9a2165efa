package systemdunit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/disnix-go/disnix/dysnomia"
	"github.com/godbus/dbus/v5"
)

// manager is a connection to systemd.
type manager struct {
	conn *systemd.Conn
	// journal is the command that shows the messages of a unit.
	journal string
}

// connect connects to the system's manager or that of the user: over the bus,
// or directly if there is no bus. The connection outlives ctx, because a
// failed activation has to be undone also when it was interrupted.
func connect(ctx context.Context, r *dysnomia.Request) (*manager, error) {
	m := &manager{journal: "journalctl -u "}
	bus := orDefault(variable(r, "DBUS_SYSTEM_BUS_ADDRESS"), "unix:path=/run/dbus/system_bus_socket")
	private := "/run/systemd/private"
	if isUser(r) {
		m.journal = "journalctl --user -u "
		runtime := orDefault(variable(r, "XDG_RUNTIME_DIR"), fmt.Sprintf("/run/user/%d", os.Getuid()))
		bus = orDefault(variable(r, "DBUS_SESSION_BUS_ADDRESS"), "unix:path="+dbus.EscapeBusAddressValue(filepath.Join(runtime, "bus")))
		private = filepath.Join(runtime, "systemd", "private")
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	conn, err := systemd.NewConnection(func() (*dbus.Conn, error) { return dial(bus, true) })
	if err != nil {
		direct, directErr := systemd.NewConnection(func() (*dbus.Conn, error) {
			return dial("unix:path="+dbus.EscapeBusAddressValue(private), false)
		})
		if directErr != nil {
			return nil, fmt.Errorf("connect to systemd: %w; %w: is it running on this machine?", err, directErr)
		}
		conn = direct
	}
	if err := conn.Subscribe(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to systemd: %w: is it running on this machine?", err)
	}
	m.conn = conn
	return m, nil
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// dial connects and authenticates; on a bus, connections have a name.
func dial(address string, bus bool) (*dbus.Conn, error) {
	conn, err := dbus.Dial(address)
	if err != nil {
		return nil, err
	}
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(fmt.Sprint(os.Getuid()))})
	if err == nil && bus {
		err = conn.Hello()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (m *manager) close() { m.conn.Close() }

func (m *manager) reload(ctx context.Context) error {
	if err := m.conn.ReloadContext(ctx); err != nil {
		return fmt.Errorf("reload the units of systemd: %w", causeOf(ctx, err))
	}
	return nil
}

// causeOf prefers the reason for which ctx has ended.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// checkLoaded refuses a unit that systemd does not find in the directory, or
// cannot read.
func (m *manager) checkLoaded(ctx context.Context, unit, dir string) error {
	p, err := m.properties(ctx, unit)
	if err != nil {
		return err
	}
	switch p.text("LoadState") {
	case "loaded":
		return nil
	case "not-found":
		return fmt.Errorf("start %s: systemd does not find it: is %s in its search path of units?", unit, dir)
	}
	return fmt.Errorf("start %s: systemd cannot load it (%s): %s", unit, p.text("LoadState"), p.loadError())
}

// job is a change of a unit that systemd was asked for.
type job struct {
	verb, unit string
	result     chan string
}

var errLimit = errors.New("limit")

// startAll asks for all units before it waits, so that systemd can bring them
// into their order.
func (m *manager) startAll(ctx context.Context, units []string, limit time.Duration) error {
	var jobs []job
	for _, unit := range units {
		j := job{verb: "start", unit: unit, result: make(chan string, 1)}
		if _, err := m.conn.StartUnitContext(ctx, unit, "replace", j.result); err != nil {
			return fmt.Errorf("start %s: %w", unit, causeOf(ctx, err))
		}
		jobs = append(jobs, j)
	}
	return m.awaitAll(ctx, jobs, limit)
}

// stopAll stops units, given by name or by the pattern of a template. Those
// that systemd does not know do not run.
func (m *manager) stopAll(ctx context.Context, names []string, limit time.Duration) error {
	if len(names) == 0 {
		return nil
	}
	known, err := m.conn.ListUnitsByPatternsContext(ctx, nil, names)
	if err != nil {
		return fmt.Errorf("list the units %s of systemd: %w", strings.Join(names, ", "), causeOf(ctx, err))
	}
	var jobs []job
	for _, unit := range known {
		j := job{verb: "stop", unit: unit.Name, result: make(chan string, 1)}
		if _, err := m.conn.StopUnitContext(ctx, unit.Name, "replace", j.result); err != nil {
			return fmt.Errorf("stop %s: %w", unit.Name, causeOf(ctx, err))
		}
		jobs = append(jobs, j)
	}
	if err := m.awaitAll(ctx, jobs, limit); err != nil {
		return err
	}
	for _, unit := range known {
		if err := m.checkStopped(ctx, unit.Name); err != nil {
			return err
		}
	}
	return nil
}

func (m *manager) checkStopped(ctx context.Context, unit string) error {
	p, err := m.properties(ctx, unit)
	if err != nil {
		return err
	}
	switch p.text("ActiveState") {
	case "inactive":
		return nil
	case "failed":
		// Otherwise systemd would remember it for ever. It may have forgotten
		// it already.
		_ = m.conn.ResetFailedUnitContext(ctx, unit)
		return nil
	}
	return fmt.Errorf("stop %s: it is still %s", unit, p.state())
}

// awaitAll waits for the end of jobs. The first one that fails is reported.
func (m *manager) awaitAll(ctx context.Context, jobs []job, limit time.Duration) error {
	limited, cancel := context.WithTimeoutCause(ctx, limit, errLimit)
	defer cancel()
	for _, j := range jobs {
		select {
		case result := <-j.result:
			if result != "done" && result != "skipped" {
				return m.explain(ctx, j, result)
			}
		case <-limited.Done():
			if cause := context.Cause(limited); cause != errLimit {
				return fmt.Errorf("%s %s: %w", j.verb, j.unit, cause)
			}
			return m.explain(ctx, j, fmt.Sprintf("it did not happen within %s", limit))
		}
	}
	return nil
}
