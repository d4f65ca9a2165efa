package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// claimed does something on behalf of the lock that ctx claims, if it claims
// one: that of the profile, or else the one that the claim names. As long as it
// is under way, nobody can release that lock. If the claim does not hold,
// nothing is done, and the error is a [*LostLockError].
func (l *Local) claimed(ctx context.Context, profile string, do func() error) error {
	claim, ok := ClaimOf(ctx)
	if !ok {
		return do()
	}
	profile = cmp.Or(profile, claim.Profile)
	if err := CheckProfileName(profile); err != nil {
		return err
	}
	held, err := l.use(ctx, newLockFile(profile), claim)
	if err != nil {
		return err
	}
	defer held.close()
	return do()
}

// use opens the lock file on behalf of a claim.
func (l *Local) use(ctx context.Context, file lockFile, claim Claim) (foundLock, error) {
	for {
		found, err := file.open()
		if errors.Is(err, fs.ErrNotExist) {
			return foundLock{}, &LostLockError{Profile: file.profile}
		}
		if err != nil {
			return foundLock{}, err
		}
		if found.file == nil || found.content.Token != claim.Token {
			found.close()
			return foundLock{}, &LostLockError{Profile: file.profile, Holder: &found.content.LockHolder}
		}
		there := false
		if err = l.await(ctx, file, found, syscall.LOCK_SH); err == nil {
			there, err = file.isAt(found)
		}
		if err == nil && there {
			return found, nil
		}
		found.close()
		if err != nil {
			return foundLock{}, err
		}
	}
}

// flockInterval is how often it is tried to get a lock on a lock file.
const flockInterval = 20 * time.Millisecond

// await waits until a lock file can be used, or until nobody else uses it.
func (l *Local) await(ctx context.Context, file lockFile, found foundLock, how int) error {
	for told := false; ; told = true {
		err := syscall.Flock(int(found.file.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR && err != syscall.EWOULDBLOCK {
			return fmt.Errorf("use lock file %s: %w", file.path, err)
		}
		if !told && how == syscall.LOCK_EX {
			fmt.Fprintf(l.config.Log, "Waiting for the end of what is under way on behalf of the lock of profile %s, held by %s\n",
				file.profile, found.content.LockHolder)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("something is still under way on behalf of the lock that is held by %s: %w",
				found.content.LockHolder, context.Cause(ctx))
		case <-time.After(flockInterval):
		}
	}
}
