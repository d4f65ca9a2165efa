package session

import (
	"encoding/binary"
	"fmt"
	"sync"
)

const (
	// window is how much a sender may be ahead of the reader: enough for 160
	// Mbit/s over 100 ms, as much as an SSH channel has.
	window = 2 << 20
	// frameCost is what a frame costs beside its content, so that many small
	// ones do not take more memory.
	frameCost = 64
	// creditStep is how much is granted at once. It also is a sign of life.
	creditStep = 64 << 10
)

// part is what was sent in one direction without a break.
type part struct {
	kind kind
	data []byte
}

// inbox holds what has arrived for an operation and was not taken yet.
type inbox struct {
	mu    sync.Mutex
	parts []part
	cost  int // of the frames that it holds
	ended bool
	ready chan struct{} // has a token if there is something new
	last  *message      // the result, which ends the inbox of a coordinator
	spare []byte        // a buffer that is not needed any more
	taken []byte        // the one that was handed out last
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// put adds the content of a frame. It never waits.
func (b *inbox) put(f frame) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cost += len(f.content) + frameCost
	if b.cost > window || b.ended {
		return fmt.Errorf("%w: more than was granted for operation %d", ErrProtocol, f.id)
	}
	if n := len(b.parts); n > 0 && b.parts[n-1].kind == f.kind {
		b.parts[n-1].data = append(b.parts[n-1].data, f.content...)
	} else {
		b.parts = append(b.parts, part{f.kind, append(b.spare[:0], f.content...)})
		b.spare = nil
	}
	b.signal()
	return nil
}

// end says that nothing more comes. A coordinator gets the result.
func (b *inbox) end(last *message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.last = last
	b.signal()
}

func (b *inbox) signal() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns what has arrived, what it cost, and whether that was all. It
// does not wait: a token in ready tells when it is worth while. What it
// returned before is not needed any more.
func (b *inbox) take() (parts []part, cost int, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken != nil {
		b.spare, b.taken = b.taken, nil
	}
	parts, cost = b.parts, b.cost
	if len(parts) > 0 {
		b.taken = parts[0].data
	}
	b.parts, b.cost = nil, 0
	return parts, cost, b.ended
}

// recycle takes back what was taken, when it is not needed any more.
func (b *inbox) recycle(parts []part) {
	if len(parts) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare, b.taken = parts[0].data, nil
}

// credit is what may still be sent.
type credit struct {
	mu    sync.Mutex
	left  int
	ready chan struct{}
}

func newCredit() *credit { return &credit{left: window, ready: make(chan struct{}, 1)} }

// spend returns how many of n bytes may be sent as one frame now, and takes
// off their cost. It does not wait.
func (c *credit) spend(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, maxChunk, c.left-frameCost)
	if n <= 0 {
		return 0
	}
	c.left -= n + frameCost
	return n
}

func (c *credit) grant(n uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > window || c.left+int(n) > window {
		return fmt.Errorf("%w: a credit of %d bytes", ErrProtocol, n)
	}
	c.left += int(n)
	select {
	case c.ready <- struct{}{}:
	default:
	}
	return nil
}

// allowance collects what a reader has consumed until it is worth granting.
type allowance int

// add returns how much to grant now, or 0.
func (a *allowance) add(cost int) int {
	*a += allowance(cost)
	if *a < creditStep {
		return 0
	}
	n := int(*a)
	*a = 0
	return n
}

// creditOf returns what a credit frame grants.
func creditOf(f frame) uint32 { return binary.BigEndian.Uint32(f.content) }
