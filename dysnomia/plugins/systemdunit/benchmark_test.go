package systemdunit

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/godbus/dbus/v5"
)

// instant stands in for a systemd whose jobs take no time.
type instant struct {
	conn *dbus.Conn
	jobs atomic.Uint32
	up   atomic.Bool
}

const managerPath = dbus.ObjectPath("/org/freedesktop/systemd1")

func (s *instant) Subscribe() *dbus.Error { return nil }
func (s *instant) Reload() *dbus.Error    { return nil }

func (s *instant) StartUnit(name, _ string) (dbus.ObjectPath, *dbus.Error) {
	s.up.Store(true)
	return s.job(name), nil
}

func (s *instant) StopUnit(name, _ string) (dbus.ObjectPath, *dbus.Error) {
	s.up.Store(false)
	return s.job(name), nil
}

func (s *instant) job(unit string) dbus.ObjectPath {
	id := s.jobs.Add(1)
	path := managerPath + "/job/1"
	go func() {
		_ = s.conn.Emit(managerPath, "org.freedesktop.systemd1.Manager.JobRemoved", id, path, unit, "done")
	}()
	return path
}

type unitStatus struct {
	Name, Description, Load, Active, Sub, Followed string
	Path                                           dbus.ObjectPath
	JobID                                          uint32
	JobType                                        string
	JobPath                                        dbus.ObjectPath
}

func (s *instant) ListUnitsByPatterns(_, patterns []string) ([]unitStatus, *dbus.Error) {
	var all []unitStatus
	for _, name := range patterns {
		all = append(all, unitStatus{Name: name, Path: managerPath, JobPath: managerPath})
	}
	return all, nil
}

func (s *instant) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	state := "inactive"
	if s.up.Load() {
		state = "active"
	}
	return map[string]dbus.Variant{
		"LoadState": dbus.MakeVariant("loaded"), "ActiveState": dbus.MakeVariant(state), "SubState": dbus.MakeVariant("running"),
		"Type": dbus.MakeVariant("notify"), "Result": dbus.MakeVariant("success"),
	}, nil
}

// startInstant starts a bus with such a systemd on it and returns its address.
func startInstant(b *testing.B) string {
	b.Helper()
	address := "unix:path=" + filepath.Join(b.TempDir(), "bus")
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--nosyslog", "--address="+address, "--print-address=1")
	stdout, err := daemon.StdoutPipe()
	if err == nil {
		err = daemon.Start()
	}
	if err != nil {
		b.Fatalf("%v: run `make setup-process-managers`", err)
	}
	b.Cleanup(func() { _, _ = daemon.Process.Kill(), daemon.Wait() })
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	conn, err := dial(address, true)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	s := &instant{conn: conn}
	for _, err := range []error{
		conn.Export(s, managerPath, "org.freedesktop.systemd1.Manager"),
		conn.ExportSubtree(s, managerPath+"/unit", "org.freedesktop.DBus.Properties"),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := conn.RequestName("org.freedesktop.systemd1", dbus.NameFlagDoNotQueue); err != nil {
		b.Fatal(err)
	}
	return address
}

// BenchmarkActivate measures the plugin with a systemd whose jobs take no time,
// over a real bus.
func BenchmarkActivate(b *testing.B) {
	c := plugintest.NewComponent(b, "systemd-unit", map[string]string{
		"DBUS_SYSTEM_BUS_ADDRESS": startInstant(b), "systemdTargetDir": b.TempDir(),
	}, map[string]string{"etc/systemd/system/web.service": strings.Replace(sleeper, "[Service]\n", "[Service]\nType=notify\n", 1)})
	plugintest.Benchmark(b, config, c)
}
