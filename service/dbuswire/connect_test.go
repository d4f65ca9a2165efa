package dbuswire_test

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service/dbuswire"
)

func TestWithoutASessionBus(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	conn, bus, err := dbuswire.Connect(true)
	if err == nil {
		_ = conn.Close()
	}
	if err == nil || bus != "session" || !strings.Contains(err.Error(), "set DBUS_SESSION_BUS_ADDRESS") {
		t.Errorf("bus %q, error %v", bus, err)
	}
}
