package session_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/session"
)

// greeting is what a peer of a version begins with.
func greeting(version uint16) string {
	return string(binary.BigEndian.AppendUint16([]byte("\x00\xfedisnix-session\n"), version))
}

// against connects to something that prints a text and ends.
func against(t *testing.T, text string) error {
	t.Helper()
	here, there := net.Pipe()
	go func() {
		_, _ = io.WriteString(there, text)
		_ = there.Close()
	}()
	client, err := session.Connect(t.Context(), here, session.Config{})
	if err == nil {
		_ = client.Close()
	}
	return err
}

func TestSomethingElseOnTheTarget(t *testing.T) {
	for name, test := range map[string]struct {
		printed string
		want    string // of the error
	}{
		"nothing":         {"", "does not speak the session protocol"},
		"the original":    {"Usage: disnix-run-activity OPERATION\n", `it printed "Usage: disnix-run-activity OPERATION"`},
		"escapes":         {"\x1b[2J\x1b]0;title\x07evil\r\u202e\n", `it printed "�[2J�]0;title�evil�"`},
		"half a greeting": {greeting(session.Version)[:9], "does not speak the session protocol"},
		"endless garbage": {strings.Repeat("y\n", 1<<20), "…"},
	} {
		t.Run(name, func(t *testing.T) {
			err := against(t, test.printed)
			var handshake *session.HandshakeError
			if !errors.As(err, &handshake) || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 2000 {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestAnotherVersion(t *testing.T) {
	err := against(t, greeting(session.Version+1))
	var version *session.VersionError
	if !errors.As(err, &version) || version.Theirs != session.Version+1 || !strings.Contains(err.Error(), "install the same version") {
		t.Errorf("the coordinator: %v", err)
	}
	here, there := net.Pipe()
	go func() {
		_, _ = io.ReadFull(here, make([]byte, len(greeting(0))))
		_, _ = io.WriteString(here, greeting(9))
	}()
	err = session.Serve(t.Context(), there, new(servicetest.Fake))
	if !errors.As(err, &version) || version.Theirs != 9 {
		t.Errorf("the target: %v", err)
	}
}

func TestBannerOfALoginShell(t *testing.T) {
	here, there := net.Pipe()
	go func() {
		_, _ = io.WriteString(there, "Welcome!\n\x00\xfedisnix\n")
		_ = session.Serve(context.Background(), there, new(servicetest.Fake))
	}()
	client, err := session.Connect(t.Context(), here, session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Lock(t.Context(), "p"); err != nil {
		t.Error(err)
	}
}

func TestTargetThatSaysNothing(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("too late")
	cancel(late)
	if _, err := session.Connect(ctx, here, session.Config{}); !errors.Is(err, late) {
		t.Errorf("the coordinator: %v", err)
	}
	here, there = net.Pipe()
	go func() { _, _ = io.ReadFull(here, make([]byte, len(greeting(0)))) }()
	if err := session.Serve(ctx, there, new(servicetest.Fake)); !errors.Is(err, late) && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the target: %v", err)
	}
	_ = here.Close()
}
