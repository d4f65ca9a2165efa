package clientprogram

import (
	"context"

	"github.com/disnix-go/disnix/service/commandline"
)

// result runs an operation and returns what it prints, also if it fails. A
// program that prints more than [commandline.MaxResult] is stopped.
func (c *Client) result(ctx context.Context, operation string, args ...string) ([]byte, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	out := &limitedBuffer{stop: stop}
	err := c.run(ctx, call{operation: operation, args: args, stdout: out})
	return out.Bytes(), err
}

type limitedBuffer struct {
	commandline.Result
	stop context.CancelCauseFunc
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	n, err := b.Result.Write(p)
	if err != nil {
		b.stop(err)
	}
	return n, err
}
