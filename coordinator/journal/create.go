package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/service/fault"
)

// Create begins the journal of a deployment, with room on the disk for the
// given number of actions, there and back. An unfinished journal in the same
// place is an [*UnfinishedError].
func Create(place Place, d Description, run Run, actions int) (*Journal, error) {
	if err := Check(place); err != nil {
		return nil, err
	}
	begin := []record{{Kind: deploymentRecord, Deployment: &d}, {Kind: runRecord, Run: &run}}
	file, state, err := createFile(place, begin, actions)
	if errors.Is(err, fs.ErrExist) { // somebody else was faster
		err = errors.Join(Check(place), err)
	}
	if err != nil {
		return nil, fmt.Errorf("create the journal %s: %w", place.Path(), err)
	}
	return newJournal(place, file, state), nil
}

// createFile makes the file appear with its first records on the disk. The
// manifests are protected before, so that a journal never refers to what may
// be gone.
func createFile(place Place, begin []record, actions int) (file *os.File, state *State, err error) {
	if err := fault.Point("journal/create"); err != nil {
		return nil, nil, err
	}
	if place.Protect != nil {
		for link, path := range place.roots(*begin[0].Deployment) {
			if err := place.Protect(link, path); err != nil {
				return nil, nil, err
			}
		}
	}
	temporary, err := openTemporary(place.Path() + ".new")
	if err != nil {
		return nil, nil, err
	}
	state, err = fill(temporary, begin, actions)
	if err == nil {
		err = publish(temporary, place)
	}
	if err = errors.Join(err, os.Remove(temporary.Name())); err != nil {
		return nil, nil, errors.Join(err, temporary.Close())
	}
	return temporary, state, nil
}

// openTemporary opens an empty file that belongs to this process. What another
// coordinator has left there, which died before it had begun, is discarded.
func openTemporary(path string) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return nil, errors.Join(fmt.Errorf("another deployment is about to begin: %w", err), file.Close())
		}
		ours, err := isAt(file, path)
		if err == nil && ours {
			if ours, err = isOnlyName(file); err == nil && !ours {
				err = os.Remove(path) // it has become a journal
			}
		}
		if err == nil && ours {
			err = file.Truncate(0)
		}
		if err == nil && ours {
			return file, nil
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
}

// isOnlyName reports whether a file has no other name.
func isOnlyName(file *os.File) (bool, error) {
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 1, nil
}

// fill writes the first records and takes room for the others.
func fill(file *os.File, begin []record, actions int) (*State, error) {
	state := newState()
	for _, r := range begin {
		r.Time = time.Now().UTC()
		line, err := r.encode()
		if err == nil {
			_, err = file.Write(line)
		}
		if err == nil {
			err = state.apply(r)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := reserve(file, actions); err != nil {
		return nil, err
	}
	return state, file.Sync()
}

// publish gives the file its name.
func publish(file *os.File, place Place) error {
	if err := os.Link(file.Name(), place.Path()); err != nil {
		return err
	}
	if err := syncDir(place.Dir); err != nil {
		return errors.Join(err, os.Remove(place.Path()))
	}
	return nil
}

// reserve takes the room that the records will need, so that the disk cannot
// be full half-way. Where the file system cannot do that, it is left out.
func reserve(file *os.File, actions int) error {
	const (
		keepSize  = 1
		perAction = 1 << 10 // there and back, with reasons for failures
		standard  = 64 << 10
	)
	err := syscall.Fallocate(int(file.Fd()), keepSize, 0, int64(standard+perAction*actions))
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reserve room for %d actions: %w", actions, err)
	}
	return nil
}
