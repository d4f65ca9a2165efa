package session

import (
	"bufio"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// queueSize is how many bytes of frames may wait to be written. Frames that
// come in the meantime are written at once.
const queueSize = 256 << 10

// conn sends frames in order and hands over those that arrive.
type conn struct {
	rw     io.ReadWriteCloser
	reader frameReader

	mu      sync.Mutex
	change  sync.Cond // of what follows
	queue   []byte
	spare   []byte // a buffer that was written
	pong    bool
	writing bool
	err     error // why the connection ended

	done   chan struct{} // closed when err is set
	missed atomic.Int32  // pings since the last sign of life
	loops  sync.WaitGroup
}

func newConn(rw io.ReadWriteCloser, r *bufio.Reader) *conn {
	c := &conn{rw: rw, done: make(chan struct{})}
	c.reader.r = r
	c.change.L = &c.mu
	return c
}

// start hands over each frame that arrives to handle, which must not wait.
func (c *conn) start(handle func(frame) error) {
	c.loops.Go(c.write)
	c.loops.Go(func() { c.fail(c.read(handle)) })
}

func (c *conn) read(handle func(frame) error) error {
	for {
		f, err := c.reader.next()
		if errors.Is(err, ErrProtocol) {
			return err
		}
		if err != nil {
			return errors.Join(ErrLost, err)
		}
		c.missed.Store(0)
		switch f.kind {
		case kindPong:
		case kindPing:
			c.answerPing()
		default:
			if err := handle(f); err != nil {
				return err
			}
		}
	}
}

// answerPing owes a single pong however many pings come.
func (c *conn) answerPing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pong = true
	c.change.Broadcast()
}

// send queues a frame. It waits while the queue is full.
func (c *conn) send(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) >= queueSize && c.err == nil {
		c.change.Wait()
	}
	if c.err != nil {
		return c.err
	}
	c.queue = appendFrame(c.queue, f)
	c.change.Broadcast()
	return nil
}

// stream sends content of a stream as far as there is credit, and waits for
// more until ended. It reports whether everything was sent.
func (c *conn) stream(k kind, id uint32, content []byte, left *credit, ended <-chan struct{}) bool {
	for len(content) > 0 {
		n := left.spend(len(content))
		if n == 0 {
			select {
			case <-left.ready:
				continue
			case <-ended:
			case <-c.done:
			}
			return false
		}
		if c.send(frame{k, id, content[:n]}) != nil {
			return false
		}
		content = content[n:]
	}
	return true
}

// drain waits until everything was written that is queued.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for (len(c.queue) > 0 || c.writing) && c.err == nil {
		c.change.Wait()
	}
}

func (c *conn) write() {
	for {
		buf, ok := c.nextWrite()
		if !ok {
			return
		}
		if _, err := c.rw.Write(buf); err != nil {
			c.fail(errors.Join(ErrLost, err))
			return
		}
		c.mu.Lock()
		c.writing = false
		c.change.Broadcast()
		if cap(buf) <= 2*queueSize {
			c.spare = buf[:0]
		}
		c.mu.Unlock()
	}
}

// nextWrite waits for something to write.
func (c *conn) nextWrite() ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) == 0 && !c.pong && c.err == nil {
		c.change.Wait()
	}
	if c.err != nil {
		return nil, false
	}
	if c.pong {
		c.queue = appendFrame(c.queue, frame{kind: kindPong})
		c.pong = false
	}
	buf := c.queue
	c.writing = true
	c.queue, c.spare = c.spare, nil
	c.change.Broadcast()
	return buf, true
}

// fail ends the connection; only the first reason counts.
func (c *conn) fail(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
		close(c.done)
		c.change.Broadcast()
	}
	c.mu.Unlock()
	if first {
		_ = c.rw.Close()
	}
}

// failure returns why the connection ended. It must have.
func (c *conn) failure() error {
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// maxMissed is how many pings may stay without any sign of life.
const maxMissed = 3

// keepAlive notices within four intervals that the far side is not there.
func (c *conn) keepAlive(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
		}
		if c.missed.Add(1) > maxMissed {
			c.fail(ErrSilent)
			return
		}
		c.ping()
	}
}

// ping does not wait: if much is queued already, no ping is needed to find out
// whether the far side reads.
func (c *conn) ping() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) < queueSize && c.err == nil {
		c.queue = appendFrame(c.queue, frame{kind: kindPing})
		c.change.Broadcast()
	}
}
