// Package journal records what a deployment is about to do and what it has
// done, so that another coordinator can complete or undo it when this one
// dies.
//
// A journal is the file <profile>.journal in the directory of the coordinator
// profile. It is only appended to. What a target is asked for is on the disk
// before the target is asked; what it answered is on the disk before anything
// is begun that depends on it. So whatever happens to the coordinator, the
// journal knows everything that may have been done, and only actions that were
// under way are in doubt.
//
// While a journal exists, the deployment has not ended, and its manifests are
// protected from the garbage collector. When it ends consistently, the journal
// is renamed to <profile>.journal.last.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/disnix-go/disnix/service/fault"
)

// Place is where the journal of a profile is.
type Place struct {
	Dir, Profile string
	// Protect makes a symbolic link to a path and protects that from the
	// garbage collector as long as the link exists. It may be nil.
	Protect func(link, path string) error
}

// Path returns the file of the journal.
func (p Place) Path() string { return filepath.Join(p.Dir, p.Profile+".journal") }

func (p Place) last() string { return p.Path() + ".last" }

// roots returns the links that protect the manifests, by manifest.
func (p Place) roots(d Description) map[string]string {
	roots := map[string]string{p.Path() + "-new": d.New}
	if d.Old != "" && d.Old != d.New {
		roots[p.Path()+"-old"] = d.Old
	}
	return roots
}

// ErrNone says that there is no unfinished deployment.
var ErrNone = errors.New("no deployment is unfinished")

// UnfinishedError says that the journal of an earlier deployment is in the
// way.
type UnfinishedError struct {
	Path  string
	State *State
	// Running says that its coordinator is still at work.
	Running bool
}

// Error tells what is unfinished.
func (e *UnfinishedError) Error() string {
	if e.Running {
		return "a deployment is in progress: " + e.State.latestRun()
	}
	return "a deployment is unfinished: " + e.State.latestRun()
}

func (s *State) latestRun() string {
	if len(s.Runs) == 0 {
		return "it is about to begin"
	}
	return s.Runs[len(s.Runs)-1].String()
}

// String says who works on the deployment since when.
func (r Run) String() string {
	return fmt.Sprintf("%s on %s (%s, process %d) since %s",
		r.User, r.Host, r.Purpose, r.PID, r.Began.Local().Format("2006-01-02 15:04:05 MST"))
}

// Journal is an open journal, which belongs to this process. A nil journal
// records nothing. Its methods may be called from several goroutines.
type Journal struct {
	place Place
	file  *os.File

	mu sync.Mutex
	// written is signalled when a batch is on the disk.
	written  sync.Cond
	state    *State
	pending  []byte // records that are not written yet
	appended int    // number of records
	durable  int    // how many of them are on the disk
	writing  bool   // somebody writes a batch
	err      error  // why nothing can be written any more
}

func newJournal(place Place, file *os.File, state *State) *Journal {
	j := &Journal{place: place, file: file, state: state}
	j.written.L = &j.mu
	return j
}

// Check returns an [*UnfinishedError] if there is an unfinished deployment in
// that place, or if one is in progress. A journal that cannot be read is an
// error, too.
func Check(place Place) error {
	j, err := Open(place)
	if errors.Is(err, ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(&UnfinishedError{Path: place.Path(), State: j.state}, j.Leave())
}

// Open opens the journal of an unfinished deployment, to complete or undo
// that. It fails with [ErrNone] if there is none, and with an
// [*UnfinishedError] if its coordinator is still running.
func Open(place Place) (*Journal, error) {
	for {
		j, err := open(place)
		if !errors.Is(err, errReplaced) {
			return j, err
		}
	}
}

// errReplaced says that the file was renamed after it was opened.
var errReplaced = errors.New("the journal was replaced")

func open(place Place) (j *Journal, err error) {
	file, err := os.OpenFile(place.Path(), os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	defer func() {
		if j == nil {
			err = errors.Join(err, file.Close())
		}
	}()
	locked := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read the journal %s: %w", place.Path(), err)
	}
	state, size, err := replay(content)
	if err != nil {
		return nil, fmt.Errorf("read the journal %s: %w: it is not known what was done: find out with disnix-query, "+
			"bring the services into order, and then remove the file", place.Path(), err)
	}
	if locked != nil {
		return nil, &UnfinishedError{Path: place.Path(), State: state, Running: true}
	}
	if same, err := isAt(file, place.Path()); err != nil || !same {
		return nil, errors.Join(err, errReplaced)
	}
	j = newJournal(place, file, state)
	if state.closed { // its coordinator died just before it was renamed
		return nil, errors.Join(j.retire(), ErrNone)
	}
	if err := file.Truncate(int64(size)); err != nil {
		return nil, fmt.Errorf("remove the torn end of the journal %s: %w", place.Path(), err)
	}
	return j, nil
}

func isAt(file *os.File, path string) (bool, error) {
	opened, err := file.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(opened, there), err
}

// State returns what the journal says. It must not be used while actions are
// under way; it is nil for a nil journal.
func (j *Journal) State() *State {
	if j == nil {
		return nil
	}
	return j.state
}

// Close ends the journal of a deployment that has ended consistently.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	// If there is no room for the last record, renaming the file is enough.
	_ = j.append(record{Kind: closedRecord}, true)
	err := j.retire()
	return errors.Join(err, j.file.Close())
}

// Leave closes the file of a deployment that has not ended consistently, so
// that it can be completed or undone later.
func (j *Journal) Leave() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

// retire renames the file and gives up the protection of the manifests.
func (j *Journal) retire() error {
	if err := fault.Point("journal/close"); err != nil {
		return err
	}
	info, err := j.file.Stat()
	if err == nil {
		err = j.file.Truncate(info.Size()) // gives back what was reserved
	}
	err = errors.Join(err, os.Rename(j.place.Path(), j.place.last()))
	if err != nil {
		return fmt.Errorf("end the journal %s: %w", j.place.Path(), err)
	}
	var errs []error
	for link := range j.place.roots(j.state.Description) {
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, syncDir(j.place.Dir))...)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// DecodeOptions decodes the coordinator's options.
func (d Description) DecodeOptions(options any) error { return json.Unmarshal(d.Options, options) }
