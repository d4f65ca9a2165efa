package soapclient

import (
	"context"
	"fmt"
	"io"
	"time"
)

// reportUpload returns a writer that reports from time to time how much was
// sent, and fails as soon as the operation is cancelled.
func (c *Client) reportUpload(ctx context.Context, w io.Writer, what string) io.Writer {
	now := time.Now()
	return &upload{Writer: w, ctx: ctx, client: c, what: what, begun: now, reported: now}
}

type upload struct {
	io.Writer
	ctx             context.Context
	client          *Client
	what            string
	sent            int64
	begun, reported time.Time
}

func (u *upload) Write(p []byte) (int, error) {
	if err := context.Cause(u.ctx); err != nil {
		return 0, err
	}
	n, err := u.Writer.Write(p)
	u.sent += int64(n)
	if now := time.Now(); now.Sub(u.reported) >= u.client.config.Progress {
		u.reported = now
		const mebi = 1 << 20
		rate := float64(u.sent) / mebi / now.Sub(u.begun).Seconds()
		_, _ = fmt.Fprintf(u.client.config.Log, "%s: %d MiB sent, %.1f MiB/s\n", u.what, u.sent/mebi, rate) // it is no reason to stop
	}
	return n, err
}
