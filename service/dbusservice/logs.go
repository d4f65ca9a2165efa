package dbusservice

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

const standardKeepLogs = 1000

// logDir is the directory of the jobs' log files. They are named by the job's
// id; only the newest are kept.
type logDir struct {
	path  string
	group int
	keep  int
	first int32 // the first id that is free

	mu    sync.Mutex
	files []int32 // the log files, sorted
}

// newLogDir finds out which log files there are. The first id is one more than
// the largest, where other names count as 0, and 0 if there is no directory
// (protocol, 1.1).
func newLogDir(config Config) (*logDir, error) {
	path, err := filepath.Abs(config.LogDir)
	if err != nil {
		return nil, fmt.Errorf("find log directory %q: %w", config.LogDir, err)
	}
	d := &logDir{path: path, group: config.LogGroup, keep: config.KeepLogs}
	if d.keep <= 0 {
		d.keep = standardKeepLogs
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log directory: %w", err)
	}
	d.first = 1
	for _, entry := range entries {
		id, err := strconv.ParseInt(entry.Name(), 10, 32)
		if err != nil || id < 0 || strconv.FormatInt(id, 10) != entry.Name() {
			continue
		}
		if entry.Type().IsRegular() {
			d.files = append(d.files, int32(id))
		}
		if id < 1<<31-1 {
			d.first = max(d.first, int32(id)+1)
		}
	}
	slices.Sort(d.files)
	return d, nil
}

// create creates the log file of a job, and removes the oldest ones. Files of
// jobs that are in use stay.
func (d *logDir) create(id int32, inUse func(int32) bool) (*os.File, error) {
	if err := os.Mkdir(d.path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	file, err := os.OpenFile(d.file(id), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if d.group != 0 && file.Chown(-1, d.group) == nil {
		if err := file.Chmod(0o640); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	d.rotate(id, inUse)
	return file, nil
}

func (d *logDir) file(id int32) string {
	return filepath.Join(d.path, strconv.FormatInt(int64(id), 10))
}

// rotate adds a log file and removes the oldest ones.
func (d *logDir) rotate(id int32, inUse func(int32) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	place, _ := slices.BinarySearch(d.files, id)
	d.files = slices.Insert(d.files, place, id)
	excess := len(d.files) - d.keep
	d.files = slices.DeleteFunc(d.files, func(old int32) bool {
		if excess <= 0 || inUse(old) {
			return false
		}
		excess--
		_ = os.Remove(d.file(old)) // what cannot be removed stays
		return true
	})
}
