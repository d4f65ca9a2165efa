package dbusservice

import (
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/disnix-go/disnix/service/dbuswire"
)

// TestRoughEdge_protocol_10_reply checks that the connection does not answer
// the calls that begin jobs: only then it is certain, and not only likely, that
// the reply comes before the signal.
func TestRoughEdge_protocol_10_reply(t *testing.T) {
	call := func(kind dbus.Type, flags dbus.Flags, path dbus.ObjectPath, member string) *dbus.Message {
		return &dbus.Message{Type: kind, Flags: flags, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath:   dbus.MakeVariant(path),
			dbus.FieldMember: dbus.MakeVariant(member),
		}}
	}
	for _, method := range dbuswire.Methods() {
		m := call(dbus.TypeMethodCall, 0, dbuswire.Path, method.Name)
		replyLater(m)
		begins := len(method.Args) > 0 && method.Args[0].Direction == "in" && method.Name != dbuswire.Cancel && method.Name != dbuswire.Claim
		if later := m.Flags == dbus.FlagNoReplyExpected|answered; later != begins {
			t.Errorf("%s begins a job: %v, its reply comes later: %v", method.Name, begins, later)
		}
	}
	for name, m := range map[string]*dbus.Message{
		"nobody waits":    call(dbus.TypeMethodCall, dbus.FlagNoReplyExpected, dbuswire.Path, "lock"),
		"another object":  call(dbus.TypeMethodCall, 0, "/elsewhere", "lock"),
		"a signal":        call(dbus.TypeSignal, 0, dbuswire.Path, "lock"),
		"another method":  call(dbus.TypeMethodCall, 0, dbuswire.Path, "Introspect"),
		"without headers": {Type: dbus.TypeMethodCall},
	} {
		before := m.Flags
		replyLater(m)
		if m.Flags != before {
			t.Errorf("%s: the flags have changed", name)
		}
	}
}

func TestEveryMethodIsThere(t *testing.T) {
	table := new(Server).methods()
	for _, method := range dbuswire.Methods() {
		if table[method.Name] == nil {
			t.Errorf("%s is not there", method.Name)
		}
		delete(table, method.Name)
	}
	for name := range table {
		t.Errorf("%s is not in the interface", name)
	}
}
