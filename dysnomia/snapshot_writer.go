package dysnomia

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// NewSnapshot is a snapshot that is being made. Nothing of it is in the
// repository before [NewSnapshot.Commit].
type NewSnapshot struct {
	// Path is where to make the snapshot: an empty directory, which may be
	// filled, or replaced by a file, inside the state directory.
	Path string

	state     *State
	container string
	component string
	room      *os.File // the directory around Path, locked as long as it is used
}

// NewSnapshot begins a snapshot of a component. It must be ended by
// [NewSnapshot.Discard], also after Commit.
func (s *State) NewSnapshot(container, component string) (*NewSnapshot, error) {
	if err := checkStateNames(container, component); err != nil {
		return nil, fmt.Errorf("begin snapshot: %w", err)
	}
	room, err := s.temporaryRoom()
	if err != nil {
		return nil, fmt.Errorf("begin snapshot of component %q in container %q: %w", component, container, err)
	}
	n := &NewSnapshot{Path: filepath.Join(room.Name(), "content"), state: s, container: container, component: component, room: room}
	if err := os.Mkdir(n.Path, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("begin snapshot of component %q in container %q: %w", component, container, err), n.Discard())
	}
	return n, nil
}

// temporaryRoom makes a directory for one user, and removes those of processes
// that have died.
func (s *State) temporaryRoom() (*os.File, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := os.MkdirAll(s.path(temporaryDir), 0o755); err != nil {
		return nil, err
	}
	if err := s.removeAbandoned(); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(s.path(temporaryDir), "snapshot-")
	if err != nil {
		return nil, err
	}
	room, err := os.Open(path)
	if err == nil {
		err = flock(room, unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return room, nil
}

// removeAbandoned removes temporary files and directories that no process
// holds. The state directory is locked.
func (s *State) removeAbandoned() error {
	anything := func(fs.DirEntry) bool { return true }
	names, err := s.entries(anything, temporaryDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := s.path(temporaryDir, name)
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its user has just ended
		}
		if err != nil {
			return err
		}
		if flock(file, unix.LOCK_EX|unix.LOCK_NB) == nil {
			err = removeTree(path)
		}
		file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// Commit puts the snapshot into the repository under the id and makes it the
// newest generation. There is no new generation if the newest has that id
// already. If the repository has a snapshot of that id it is kept, unless it
// was never completed or is damaged: then the new one takes its place.
func (n *NewSnapshot) Commit(id string) error {
	g := Generation{Container: n.container, Component: n.component, ID: id}
	if err := n.commit(g); err != nil {
		return fmt.Errorf("store snapshot %s: %w", g.Snapshot(), err)
	}
	return nil
}

func (n *NewSnapshot) commit(g Generation) error {
	if err := g.check(); err != nil {
		return err
	}
	if err := n.state.giveToGroup(n.Path); err != nil {
		return err
	}
	// The disk writes while the processor computes.
	written := make(chan error, 1)
	go func() { written <- syncTree(n.Path) }()
	sum, err := Checksum(n.Path)
	if err := errors.Join(err, <-written); err != nil {
		return err
	}
	unlock, err := n.state.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if n.state.isIntact(g) {
		return n.state.register(g, "")
	}
	target := n.state.snapshotPath(g)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	if err := n.state.remove(target); err != nil {
		return err
	}
	if err := moveTree(n.Path, target); err != nil {
		return err
	}
	return n.state.register(g, sum)
}

// Discard ends the snapshot and removes what Commit did not take. It may be
// called more than once.
func (n *NewSnapshot) Discard() error {
	if n.room == nil {
		return nil
	}
	err := errors.Join(removeTree(n.room.Name()), n.room.Close())
	n.room = nil
	if err != nil {
		return fmt.Errorf("remove temporary snapshot: %w", err)
	}
	return nil
}

// ContentID returns the SHA-256 of a file in hexadecimal, which is the id of
// snapshots that are one file.
func ContentID(path string) (string, error) {
	sum := sha256.New()
	if err := hashFile(sum, path); err != nil {
		return "", fmt.Errorf("compute the id of a snapshot: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// isIntact reports whether the repository has the snapshot and can vouch for
// it.
func (s *State) isIntact(g Generation) bool {
	stored, err := s.isStored(g)
	if err != nil || !stored {
		return false
	}
	err = s.Check(g)
	return err == nil || errors.Is(err, ErrNoChecksum)
}

// register makes a snapshot of the repository the newest generation. The
// checksum is computed if it is empty and none is stored. The state directory
// is locked.
func (s *State) register(g Generation, sum string) error {
	if _, err := os.Lstat(s.checksumPath(g)); sum == "" && errors.Is(err, fs.ErrNotExist) {
		if sum, err = Checksum(s.snapshotPath(g)); err != nil {
			return err
		}
	}
	if sum != "" {
		if err := syncPath(filepath.Dir(s.snapshotPath(g))); err != nil {
			return err
		}
		if err := s.writeFile(s.checksumPath(g), []byte(sum), 0o644); err != nil {
			return err
		}
	}
	history, err := s.history(g.Container, g.Component)
	if err != nil {
		return err
	}
	g.Number = 1
	if len(history) > 0 {
		newest := history[len(history)-1]
		if newest.ID == g.ID {
			return nil
		}
		g.Number = newest.Number + 1
	}
	link := s.generationPath(g)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join("../../..", snapshotsDir, g.Snapshot()), link); err != nil {
		return err
	}
	return syncPath(filepath.Dir(link))
}
