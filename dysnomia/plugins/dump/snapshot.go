package dump

import (
	"errors"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
)

// Take makes a snapshot of a component: fill stores it in a directory and
// returns its id. If it fails nothing is registered and nothing is left. Not
// everybody can read the snapshot.
func Take(r *dysnomia.Request, fill func(dir string) (id string, err error)) error {
	return take(r, fill, (*dysnomia.NewSnapshot).Restrict)
}

// TakeReadable is [Take], except that everybody can read what fill lets
// everybody read.
func TakeReadable(r *dysnomia.Request, fill func(dir string) (id string, err error)) error {
	return take(r, fill, func(*dysnomia.NewSnapshot) error { return nil })
}

func take(r *dysnomia.Request, fill func(dir string) (id string, err error), finish func(*dysnomia.NewSnapshot) error) (err error) {
	snapshot, err := r.State.NewSnapshot(r.Container, r.ComponentName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snapshot.Discard()) }()
	id, err := fill(snapshot.Path)
	if err == nil {
		err = finish(snapshot)
	}
	if err != nil {
		return err
	}
	return snapshot.Commit(id)
}

// Timeout reads the property timeout: how many seconds a server may need to
// become available.
func Timeout(r *dysnomia.Request) (time.Duration, error) {
	return r.Seconds("timeout", 10*time.Second)
}
