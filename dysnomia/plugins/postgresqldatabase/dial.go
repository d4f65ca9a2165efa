package postgresqldatabase

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// dialAs connects to a socket as another account, if it is not nil: servers
// ask the kernel who has connected.
func dialAs(ctx context.Context, account *syscall.Credential, socket string) (net.Conn, error) {
	dial := func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "unix", socket) }
	if account == nil {
		return dial()
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// The thread takes the account, not the process. It is never
		// unlocked, so that it ends with this goroutine.
		runtime.LockOSThread()
		if err := takeAccount(account); err != nil {
			done <- result{err: fmt.Errorf("become the account of the database server: %w", err)}
			return
		}
		conn, err := dial()
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// takeAccount changes the effective ids of the current thread only; the
// functions of package syscall change those of all threads.
func takeAccount(account *syscall.Credential) error {
	const same = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, same, uintptr(account.Gid), same); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, same, uintptr(account.Uid), same); errno != 0 {
		return errno
	}
	return nil
}
