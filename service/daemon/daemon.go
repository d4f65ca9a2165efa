// Package daemon detaches a program from the terminal and from whoever started
// it: the program starts itself again, in a session of its own, and waits
// until the other process says that it is ready.
package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Status is the exit status of the program that starts a daemon (protocol,
// section 3).
type Status byte

// The numbers are the original's; those that are missing stand for steps that
// do not exist here.
const (
	Ready         Status = 0
	ChdirFailed   Status = 2
	PIDFileFailed Status = 3
	InitFailed    Status = 4
	PipeFailed    Status = 9
	NoReport      Status = 11
	StartFailed   Status = 13
)

const (
	// marker is set in the environment of the detached process.
	marker = "DISNIX_DAEMON_REPORT"
	// reportFD is where the detached process reports its status: one byte,
	// followed by an explanation.
	reportFD = 3
)

// Start runs the program of this process again, with the same arguments,
// detached from it. What that process prints goes to the log. Start returns
// when it has reported its status; the error explains any but [Ready].
func Start(log *os.File) (Status, error) {
	program, err := os.Executable()
	if err != nil {
		return StartFailed, fmt.Errorf("start the daemon: %w", err)
	}
	report, theirs, err := os.Pipe()
	if err != nil {
		return PipeFailed, fmt.Errorf("start the daemon: %w", err)
	}
	defer report.Close()
	cmd := &exec.Cmd{
		Path:        program,
		Args:        os.Args,
		Env:         append(os.Environ(), marker+"=1"),
		Stdout:      log,
		Stderr:      log,
		ExtraFiles:  []*os.File{theirs},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		return StartFailed, fmt.Errorf("start the daemon: %w", err)
	}
	said, err := io.ReadAll(report)
	switch {
	case err != nil:
		return NoReport, fmt.Errorf("wait for the daemon: %w", err)
	case len(said) == 0:
		return NoReport, errors.New("the daemon has ended before it was ready: its log may tell why")
	case Status(said[0]) == Ready:
		return Ready, cmd.Process.Release()
	default:
		return Status(said[0]), errors.New(string(said[1:]))
	}
}

// Process is the detached process itself.
type Process struct{ report *os.File }

// Detached returns the detached process if this one is it, otherwise nil. It
// may be called once.
func Detached() *Process {
	if os.Getenv(marker) == "" {
		return nil
	}
	_ = os.Unsetenv(marker)
	syscall.CloseOnExec(reportFD)
	return &Process{os.NewFile(reportFD, "report")}
}

// Settle leaves the directory that the process was started in, so that it can
// be unmounted. Relative names of files must be resolved before.
func (p *Process) Settle() error {
	syscall.Umask(0o022)
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("change to the root directory: %w", err)
	}
	return nil
}

// Report tells the status to whoever called [Start]. It must be called once.
func (p *Process) Report(status Status, reason error) error {
	message := []byte{byte(status)}
	if reason != nil {
		message = append(message, reason.Error()...)
	}
	_, err := p.report.Write(message)
	return errors.Join(err, p.report.Close())
}
