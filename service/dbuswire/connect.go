package dbuswire

import (
	"errors"
	"os/exec"

	"github.com/godbus/dbus/v5"
)

// Connect connects to the session bus or the system bus, and tells what to call
// it.
func Connect(session bool, options ...dbus.ConnOption) (conn *dbus.Conn, bus string, err error) {
	if !session {
		conn, err = dbus.ConnectSystemBus(options...)
		return conn, "system", err
	}
	conn, err = dbus.ConnectSessionBus(options...)
	if errors.Is(err, exec.ErrNotFound) { // the program that would start one
		err = errors.New("there is none: set DBUS_SESSION_BUS_ADDRESS, or start this program with dbus-run-session")
	}
	return conn, "session", err
}
