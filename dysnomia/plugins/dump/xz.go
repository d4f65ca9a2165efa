package dump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long a dump may be held up by its compression, as a fraction
// of the time that the dump needs by itself; besides that, by a quarter of a
// second, so that small dumps are compressed.
type Patience float64

const always = 250 * time.Millisecond

const (
	// Brisk is for dumps whose speed matters.
	Brisk Patience = 0.2
	// Thorough compresses everything.
	Thorough Patience = 1e9
)

const blockSize = 4 << 20

// lowPriority is the niceness of the programs that compress.
const lowPriority = 5

// fastest are the settings of xz that are fast and still halve a dump.
const fastest = "--lzma2=preset=0,mf=hc3,nice=32,depth=1,dict=256KiB,lc=0,lp=0,pb=0"

// Writer compresses to xz: each block of 4 MiB is a stream of its own, which
// every xz reads one after the other. Blocks are compressed in parallel. When
// the dump would be held up longer than its patience allows, blocks are stored
// uncompressed, which the format has, too: dumping a large database takes
// hardly longer than the server needs. The compression of a block for which
// others wait too long is given up. Memory is limited by the number of
// processors.
//
// It is for one goroutine. An error of the destination or of xz comes from the
// next Write or from Close, which must be called.
type Writer struct {
	ctx      context.Context
	clients  Clients
	patience Patience

	block   []byte
	pending chan *block   // in the order of the file
	free    chan struct{} // one element for each worker without work
	done    chan struct{} // closed when pending was written
	hurry   chan struct{} // tells pass not to wait for the compression of its block
	failed  chan struct{} // closed by the first failure, which is in err
	err     error
	spare   chan []byte

	resumed time.Time     // when Write returned last
	dumping time.Duration // spent outside of Write
	waiting time.Duration // spent waiting for workers
}

// block is a part of the file that is made.
type block struct {
	content []byte
	ready   chan struct{}
	err     error
	// giveUp ends the compression: the block will be stored as it is.
	giveUp context.CancelCauseFunc
}

var errHurry = errors.New("others wait for the block")

// NewWriter returns a writer to w. Compression stops when ctx ends.
func (c Clients) NewWriter(ctx context.Context, w io.Writer, patience Patience) (*Writer, error) {
	clients := Clients{Search: c.Search}
	if _, err := clients.Command(ctx, []string{"xz"}); err != nil {
		return nil, err
	}
	workers := runtime.GOMAXPROCS(0)
	x := &Writer{
		ctx: ctx, clients: clients, patience: patience,
		pending: make(chan *block, 2*workers), free: make(chan struct{}, workers),
		done: make(chan struct{}), hurry: make(chan struct{}), failed: make(chan struct{}), spare: make(chan []byte, 4*workers),
		resumed: time.Now(),
	}
	for range workers {
		x.free <- struct{}{}
	}
	go x.pass(w)
	return x, nil
}

func (x *Writer) Write(p []byte) (int, error) {
	x.dumping += time.Since(x.resumed)
	defer func() { x.resumed = time.Now() }()
	n := 0
	for len(p) > 0 {
		if x.block == nil {
			x.block = x.buffer()
		}
		part := min(len(p), blockSize-len(x.block))
		x.block = append(x.block, p[:part]...)
		p, n = p[part:], n+part
		if len(x.block) == blockSize {
			if err := x.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// flush hands the present block to a worker, or stores it as it is.
func (x *Writer) flush() error {
	b := &block{content: x.block, ready: make(chan struct{})}
	x.block = nil
	if x.awaitWorker() {
		ctx, giveUp := context.WithCancelCause(x.ctx)
		b.giveUp = giveUp
		go x.compress(ctx, b)
	} else {
		b.content = storedStream(b.content)
		close(b.ready)
	}
	return x.await(x.pending, b, nil)
}

// await waits until pending takes the block, or until done is closed. When
// patience is over, what is compressed just now is given up.
func (x *Writer) await(pending chan<- *block, b *block, done <-chan struct{}) error {
	begin := time.Now()
	defer func() { x.waiting += time.Since(begin) }()
	expired := time.NewTimer(max(0, x.left()))
	defer expired.Stop()
	failed := x.failed
	var hurry chan<- struct{}
	for {
		select {
		case pending <- b:
			return nil
		case <-done:
			return nil
		case <-failed:
			if done == nil {
				return x.err
			}
			failed = nil // done will come all the same
		case <-expired.C:
			hurry = x.hurry
		case hurry <- struct{}{}:
			hurry = nil
			expired.Reset(10 * time.Millisecond) // and then the next block
		}
	}
}

// left is how long the dump may still be held up.
func (x *Writer) left() time.Duration {
	return always + time.Duration(min(float64(x.patience)*float64(x.dumping), float64(time.Hour))) - x.waiting
}

// awaitWorker waits for a worker, as long as patience allows.
func (x *Writer) awaitWorker() bool {
	select {
	case <-x.free:
		return true
	default:
	}
	left := x.left()
	if left <= 0 {
		return false
	}
	begin := time.Now()
	defer func() { x.waiting += time.Since(begin) }()
	expired := time.NewTimer(left)
	defer expired.Stop()
	select {
	case <-x.free:
		return true
	case <-expired.C:
	case <-x.failed:
	}
	return false
}

// compress makes a stream of a block and frees the worker.
func (x *Writer) compress(ctx context.Context, b *block) {
	defer func() { x.free <- struct{}{} }()
	defer close(b.ready)
	defer b.giveUp(nil)
	var cmd *exec.Cmd
	cmd, b.err = x.clients.Command(ctx, []string{"xz"}, "-c", "-T1", "--check=crc32", fastest)
	if b.err != nil {
		return
	}
	out := bytes.NewBuffer(x.buffer())
	cmd.Stdin, cmd.Stdout = bytes.NewReader(b.content), out
	said := &messages{}
	cmd.Stderr = said
	if b.err = failure(ctx, cmd, said, cmd.Start()); b.err == nil {
		// The dump itself needs the processors, too: those who make it go
		// first. It does not matter if the system refuses that.
		_ = unix.Setpriority(unix.PRIO_PROCESS, cmd.Process.Pid, lowPriority)
		b.err = failure(ctx, cmd, said, cmd.Wait())
	}
	whole := b.content
	b.content = out.Bytes()
	if errors.Is(b.err, errHurry) {
		b.content, b.err = storedStream(whole), nil
	}
	x.reuse(whole)
}

// pass writes the blocks in order. After a failure it only waits for them.
func (x *Writer) pass(w io.Writer) {
	defer close(x.done)
	for b := range x.pending {
		x.awaitReady(b)
		err := b.err
		if err != nil {
			err = fmt.Errorf("compress: %w", err)
		} else if x.err == nil {
			_, err = w.Write(b.content)
		}
		if err != nil && x.err == nil {
			x.err = err
			close(x.failed)
		}
		x.reuse(b.content)
	}
}

func (x *Writer) awaitReady(b *block) {
	for {
		select {
		case <-b.ready:
			return
		case <-x.hurry:
			if b.giveUp != nil {
				b.giveUp(errHurry)
			}
		}
	}
}

// Close writes what is left and waits until everything is written. It does not
// close the destination.
func (x *Writer) Close() error {
	if len(x.block) > 0 {
		_ = x.flush() // the failure is in err
	}
	close(x.pending)
	_ = x.await(nil, nil, x.done)
	return x.err
}

func (x *Writer) buffer() []byte {
	select {
	case b := <-x.spare:
		return b
	default:
		return make([]byte, 0, blockSize)
	}
}

func (x *Writer) reuse(b []byte) {
	if cap(b) < blockSize {
		return
	}
	select {
	case x.spare <- b[:0]:
	default:
	}
}

// ignoreBrokenPipe is the end of a program whose reader has gone.
func ignoreBrokenPipe(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGPIPE {
			return nil
		}
	}
	return err
}
