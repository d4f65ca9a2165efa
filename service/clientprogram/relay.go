package clientprogram

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// lateOutput is how long output of processes that a program leaves behind
	// (daemons, shared ssh connections) is waited for after its end.
	lateOutput = 100 * time.Millisecond
	// lateSize bounds what is still passed on then: the capacity of a pipe.
	lateSize = 1 << 20
)

// relay passes on what a program prints. Its end does not depend on processes
// that the program leaves behind and that keep the pipe open: what they print
// later is read by somebody else, so that they neither block nor are killed.
type relay struct {
	read, write *os.File
	w           io.Writer
	done        chan struct{}
	err         error // of w, valid after done
}

func newRelay(w io.Writer) (*relay, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open a pipe: %w", err)
	}
	r := &relay{read: read, write: write, w: w, done: make(chan struct{})}
	go r.pass()
	return r, nil
}

// started closes this process's end of what the program writes to. It must
// also be called if the program could not be started.
func (r *relay) started() { _ = r.write.Close() }

// finish waits until everything that the program has printed was passed on,
// and returns the error of the writer.
func (r *relay) finish() error {
	_ = r.read.SetReadDeadline(time.Now().Add(lateOutput))
	<-r.done
	return r.err
}

func (r *relay) pass() {
	defer close(r.done)
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.read.Read(buffer)
		r.deliver(buffer[:n])
		if os.IsTimeout(err) {
			break
		}
		if err != nil {
			_ = r.read.Close()
			return
		}
	}
	if r.drain(buffer) {
		abandon(r.read)
	} else {
		_ = r.read.Close()
	}
}

func (r *relay) deliver(p []byte) {
	if len(p) > 0 && r.err == nil {
		_, r.err = r.w.Write(p)
	}
}

// drain passes on what is in the pipe at this moment: on a busy machine the
// time for late output can be over before that of the program was read. It
// reports whether somebody can still write to the pipe.
func (r *relay) drain(buffer []byte) bool {
	if r.read.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	conn, err := r.read.SyscallConn()
	if err != nil {
		return false
	}
	for size := 0; size < lateSize; {
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
		case failure != nil || n <= 0:
			return false
		default:
			r.deliver(buffer[:n])
			size += n
		}
	}
	return true
}

// abandon leaves the pipe to a process that reads it as long as somebody
// writes to it, also after the end of this one.
func abandon(pipe *os.File) {
	cat := exec.Command("cat")
	cat.Stdin = pipe
	cat.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if cat.Start() == nil {
		go func() { _ = cat.Wait() }()
	}
	_ = pipe.Close()
}
