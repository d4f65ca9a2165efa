package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
)

// running is the process that a PID file names. Its handle never refers to
// another process, even if the id is used again.
type running struct {
	pid     int
	process *os.Process
}

// find returns the process that the PID file names, or nil if there is no file
// or the process does not run. A process that has only got the same id later
// is not the one.
func find(s settings) (*running, error) {
	file, err := readPIDFile(s.pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read PID file: %w", err)
	}
	text := strings.TrimSpace(file.text)
	if text == "" {
		return nil, nil // not written yet, or never
	}
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 1 {
		return nil, fmt.Errorf("read PID file %s: %.20q is not a process id: remove the file if it is not that of the process", s.pidFile, text)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("find process %d: %w", pid, err)
	}
	found := &running{pid: pid, process: process}
	isProgram := isProgram(pid, s.program)
	if !found.runs() || !isWriter(pid, file.info.ModTime()) && !isProgram {
		return nil, process.Release()
	}
	if !isProgram && !file.mayName(pid) {
		return nil, errors.Join(
			fmt.Errorf("read PID file %s: it belongs to another user than process %d, which is not that of %s: remove the file if it is not that of the process", s.pidFile, pid, s.program),
			process.Release())
	}
	return found, nil
}

// mayName reports whether the owner of a PID file may decide that the process
// is stopped: root and the calling user may, and others if it is theirs.
func mayName(file fs.FileInfo, pid int) bool {
	owner, ok := file.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 || int(owner.Uid) == os.Geteuid() {
		return ok
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "\nUid:")
	line, _, _ := strings.Cut(rest, "\n")
	return err == nil && slices.Contains(strings.Fields(line), strconv.Itoa(int(owner.Uid)))
}

// runs reports whether the process exists and has not ended.
func (p *running) runs() bool {
	if err := p.process.Signal(syscall.Signal(0)); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	fields, err := stat(p.pid)
	return err != nil || fields[0] != "Z" && fields[0] != "X"
}

// stat returns the fields of /proc/<pid>/stat from the third, the state.
func stat(pid int) ([]string, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	// The second field is the program's name, which may contain anything.
	fields := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
	if len(fields) < 20 {
		return nil, fmt.Errorf("read the state of process %d: %q", pid, line)
	}
	return fields, nil
}

// isWriter reports whether the process existed when the file was written: then
// it is the one that the file names. Where that cannot be found out it is
// believed.
func isWriter(pid int, written time.Time) bool {
	fields, err := stat(pid)
	if err != nil {
		return true
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64) // field 22: after boot
	if err != nil {
		return true
	}
	boot, err := bootTime()
	if err != nil {
		return true
	}
	const ticksPerSecond = 100
	started := boot.Add(time.Duration(ticks) * time.Second / ticksPerSecond)
	return !started.After(written.Add(time.Second)) // the boot time has no fractions
}

func bootTime() (time.Time, error) {
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, err
	}
	_, rest, _ := strings.Cut(string(content), "\nbtime ")
	line, _, _ := strings.Cut(rest, "\n")
	seconds, err := strconv.ParseInt(line, 10, 64)
	return time.Unix(seconds, 0), err
}

// isProgram reports whether the process runs the program, or a script that is
// the program. It decides when the clock was set after the file was written.
func isProgram(pid int, program string) bool {
	resolved, err := filepath.EvalSymlinks(program)
	if err != nil {
		resolved = program
	}
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && exe == resolved {
		return true
	}
	commandLine, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	words := strings.Split(string(commandLine), "\x00")
	return err == nil && (slices.Contains(words, program) || slices.Contains(words, resolved))
}

// stop sends SIGTERM, waits, and sends SIGKILL to a process that does not end.
func (p *running) stop(ctx context.Context, r *dysnomia.Request, s settings) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	ended, err := p.wait(ctx, s.stopTimeout)
	if err != nil || ended {
		return err
	}
	fmt.Fprintf(r.Stderr, "Process %d has not ended %s after SIGTERM, killing it.\n", p.pid, s.stopTimeout)
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	const death = 5 * time.Second
	ended, err = p.wait(ctx, death)
	if err == nil && !ended {
		err = fmt.Errorf("stop process %d: it has not ended %s after SIGKILL", p.pid, death)
	}
	return err
}

func (p *running) signal(signal syscall.Signal) error {
	err := p.process.Signal(signal)
	if err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop process %d: send %s: %w", p.pid, signal, err)
	}
	return nil
}

// wait waits until the process has ended, at most for the time.
func (p *running) wait(ctx context.Context, most time.Duration) (ended bool, err error) {
	expired := time.NewTimer(most)
	defer expired.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for p.runs() {
		select {
		case <-tick.C:
		case <-expired.C:
			return false, nil
		case <-ctx.Done():
			return false, fmt.Errorf("wait for the end of process %d: %w", p.pid, context.Cause(ctx))
		}
	}
	return true, nil
}
