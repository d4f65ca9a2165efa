package clientprogram

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
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
	ended       atomic.Bool // the program
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
	r.ended.Store(true)
	_ = r.read.SetReadDeadline(time.Now().Add(lateOutput))
	<-r.done
	return r.err
}

func (r *relay) pass() {
	defer close(r.done)
	buffer := make([]byte, 32<<10)
	late := 0
	for late < lateSize {
		if r.ended.Load() {
			_ = r.read.SetReadDeadline(time.Now().Add(lateOutput))
		}
		n, err := r.read.Read(buffer)
		if n > 0 && r.err == nil {
			_, r.err = r.w.Write(buffer[:n])
		}
		if r.ended.Load() {
			late += n
		}
		if os.IsTimeout(err) {
			break
		}
		if err != nil {
			_ = r.read.Close()
			return
		}
	}
	abandon(r.read)
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
