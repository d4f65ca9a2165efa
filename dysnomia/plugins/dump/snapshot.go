package dump

import (
	"errors"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
)

// Take makes a snapshot of a component: fill stores it in a directory and
// returns its id. If it fails nothing is registered and nothing is left.
func Take(r *dysnomia.Request, fill func(dir string) (id string, err error)) (err error) {
	snapshot, err := r.State.NewSnapshot(r.Container, r.ComponentName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snapshot.Discard()) }()
	id, err := fill(snapshot.Path)
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
