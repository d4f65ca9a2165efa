package dysnomia

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"syscall"
	"time"
)

// lateOutput is how long the output of processes that a module leaves behind
// is waited for. That of the module itself is never cut.
const lateOutput = 100 * time.Millisecond

// output passes on what an external module and its children print.
//
// A writer that is a file is handed to the module. For others there is a pipe,
// which daemons that the module starts often keep open: the end of the module
// ends the passing on nevertheless, and what they print later is discarded
// without that a write of theirs blocks or kills them.
type output struct {
	// file is what the module writes to.
	file *os.File
	// pipe is the other end of file, nil if file is the writer itself.
	pipe *os.File
	// done is closed when nothing is passed on any more.
	done chan struct{}
}

// outputs returns the outputs for two writers. If they are the same, so are
// the outputs, which keeps the order of lines.
func outputs(stdout, stderr io.Writer) (out, err *output, problem error) {
	out, problem = newOutput(stdout)
	if problem != nil {
		return nil, nil, problem
	}
	if sameWriter(stdout, stderr) {
		return out, out, nil
	}
	err, problem = newOutput(stderr)
	if problem != nil {
		out.finish()
		return nil, nil, problem
	}
	return out, err, nil
}

func sameWriter(a, b io.Writer) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

func newOutput(w io.Writer) (*output, error) {
	if file, ok := w.(*os.File); ok {
		return &output{file: file}, nil
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open a pipe for the output of a module: %w", err)
	}
	o := &output{file: write, pipe: read, done: make(chan struct{})}
	go o.pass(w)
	return o, nil
}

// pass copies the pipe to w until its end or deadline. An error of w does not
// hinder the module: the rest is read all the same.
func (o *output) pass(w io.Writer) {
	defer close(o.done)
	_, err := io.Copy(w, o.pipe)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		_, err = io.Copy(io.Discard, o.pipe)
	}
	if err == nil || !o.available(w) {
		o.pipe.Close()
		return
	}
	abandon(o.pipe)
}

// available copies what is in the pipe at this moment and reports whether
// somebody can still write to it.
func (o *output) available(w io.Writer) bool {
	if err := o.pipe.SetReadDeadline(time.Time{}); err != nil {
		return false
	}
	conn, err := o.pipe.SyscallConn()
	if err != nil {
		return false
	}
	buffer := make([]byte, 32<<10)
	for {
		var n int
		var failure error
		err := conn.Read(func(fd uintptr) bool {
			n, failure = syscall.Read(int(fd), buffer)
			return true
		})
		switch {
		case err != nil:
			return false
		case failure == syscall.EINTR:
		case failure == syscall.EAGAIN:
			return true
		case failure != nil || n == 0:
			return false
		default:
			_, _ = w.Write(buffer[:n])
		}
	}
}

// abandon leaves the pipe to a process that reads it as long as somebody
// writes to it, also after the end of this one; or, if there is no such
// program, to a goroutine.
func abandon(pipe *os.File) {
	path, err := FindProgram(os.Environ(), "cat")
	cat := exec.Command(path)
	cat.Stdin = pipe
	cat.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err == nil {
		err = cat.Start()
	}
	if err == nil {
		pipe.Close()
		go func() { _ = cat.Wait() }()
		return
	}
	go func() {
		defer pipe.Close()
		_, _ = io.Copy(io.Discard, pipe)
	}()
}

// started closes this process's end, after the module was given its own.
func (o *output) started() {
	if o.pipe != nil {
		o.file.Close()
	}
}

// finish waits until everything that the module printed was passed on. It may
// be called more than once.
func (o *output) finish() {
	if o.pipe == nil {
		return
	}
	o.file.Close()
	_ = o.pipe.SetReadDeadline(time.Now().Add(lateOutput))
	<-o.done
}
