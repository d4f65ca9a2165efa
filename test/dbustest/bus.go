// Package dbustest gives tests a D-Bus daemon of their own.
package dbustest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// configuration is that of a system bus, as distributions ship it: nobody may
// own names or call methods unless a policy allows it.
const configuration = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=%[1]s/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
  </policy>
  <include>%[1]s/policy.conf</include>
</busconfig>
`

// Group is the group that stands for the group disnix in the policy of the
// test's bus: every Debian system has it.
const Group = "games"

// SystemBus starts a system bus with the policy that is shipped, and points
// the environment of the test to it. It ends with the test. The test may not
// be parallel.
func SystemBus(t testing.TB) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bus.") // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	policy, err := os.ReadFile(policyFile())
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(policy), `group="disnix"`, `group="`+Group+`"`)
	if changed == string(policy) {
		t.Fatal("the policy does not mention the group disnix")
	}
	for name, content := range map[string]string{"policy.conf": changed, "bus.conf": fmt.Sprintf(configuration, dir)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	address := start(t, filepath.Join(dir, "bus.conf"))
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
}

// start starts the daemon and returns its address, which it prints when it is
// ready.
func start(t testing.TB, config string) string {
	t.Helper()
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--nosyslog", "--print-address=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("start dbus-daemon: %v: run `make setup-bus`", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon did not tell its address: %v", err)
	}
	return strings.TrimSpace(address)
}

// policyFile is below the root of the source, which is found from this file.
func policyFile() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../../share/dbus-1/system.d/disnix.conf")
}
