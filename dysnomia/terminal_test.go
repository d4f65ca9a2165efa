package dysnomia

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// interactive types text into a shell session on a terminal and returns what
// the screen shows.
func (m *machine) interactive(inv Invocation, text string, status int) string {
	m.t.Helper()
	master, terminal := m.terminal()
	defer master.Close()
	screen := make(chan string)
	go func() {
		var shown strings.Builder
		_, _ = io.Copy(&shown, master) // ends with EIO when the terminal is closed
		screen <- shown.String()
	}()
	if _, err := io.WriteString(master, text); err != nil {
		m.t.Fatal(err)
	}
	err := m.Shell(context.Background(), inv, ShellSession{Stdin: terminal, Stdout: terminal, Stderr: terminal})
	terminal.Close()
	shown := <-screen
	if ExitStatus(err) != status {
		m.t.Fatalf("the session ended with %v:\n%s", err, shown)
	}
	return shown
}

func (m *machine) terminal() (master, terminal *os.File) {
	m.t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		m.t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		m.t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	return master, terminal
}
