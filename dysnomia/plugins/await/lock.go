package await

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Lock locks a file or directory (flock(2)) until it is closed. Whoever can read
// it can have locked it, so that there is a limit. What it is called in errors
// is the lock of name.
func Lock(ctx context.Context, file *os.File, name string, limit time.Duration) error {
	return Until(ctx, "the lock of "+name, limit, func(context.Context) (bool, string, error) {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
			return false, "another process has it", nil
		}
		return err == nil, "", err
	})
}
