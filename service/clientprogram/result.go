package clientprogram

import (
	"bytes"
	"context"
	"fmt"
)

// maxResult bounds what is kept of a result: a target that has gone wild must
// not fill the memory of the coordinator. A list of 100,000 store paths has an
// eighth of it.
const maxResult = 64 << 20

// result runs an operation and returns what it prints, also if it fails. A
// program that prints more than maxResult is stopped.
func (c *Client) result(ctx context.Context, operation string, args ...string) ([]byte, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	out := &limitedBuffer{stop: stop}
	err := c.run(ctx, call{operation: operation, args: args, stdout: out})
	return out.Bytes(), err
}

type limitedBuffer struct {
	bytes.Buffer
	stop context.CancelCauseFunc
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxResult {
		err := fmt.Errorf("its result is longer than %d bytes", maxResult)
		b.stop(err)
		return 0, err
	}
	return b.Buffer.Write(p)
}
