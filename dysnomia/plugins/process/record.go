package process

import (
	"fmt"

	"github.com/disnix-go/disnix/dysnomia"
)

// recordKind is the kind of the records in the state directory.
const recordKind = "process"

// record is what is remembered about a process that was started: where it is
// found, although the component or the container's properties may change. It
// is kept by path of the component, because versions have one name.
type record map[string]started

type started struct {
	PIDFile string `json:"pidFile"`
	Program string `json:"program"`
}

func recall(r *dysnomia.Request) (record, error) {
	known := record{}
	_, err := r.State.Recall(recordKind, r.Container, r.ComponentName, &known)
	return known, err
}

// remember records a process before it is started: after a crash in between it
// can be found.
func remember(r *dysnomia.Request, s settings) error {
	known, err := recall(r)
	if err != nil {
		return err
	}
	now := started{PIDFile: s.pidFile, Program: s.program}
	if known[r.Component] == now {
		return nil
	}
	known[r.Component] = now
	return r.State.Remember(recordKind, r.Container, r.ComponentName, known)
}

// forget removes what is recorded about the process of the component.
func forget(r *dysnomia.Request) error {
	known, err := recall(r)
	if err != nil {
		return err
	}
	if _, there := known[r.Component]; !there {
		return nil
	}
	delete(known, r.Component)
	if len(known) == 0 {
		return r.State.Forget(recordKind, r.Container, r.ComponentName)
	}
	return r.State.Remember(recordKind, r.Container, r.ComponentName, known)
}

// remembered returns where the process was when it was started; if that is not
// known, where it would be started now.
func remembered(r *dysnomia.Request, now func() (settings, error)) (settings, error) {
	known, err := recall(r)
	if err != nil {
		return settings{}, err
	}
	before, there := known[r.Component]
	if !there {
		return now()
	}
	s := settings{pidFile: before.PIDFile, program: before.Program}
	s.timeout, s.stopTimeout, err = timeouts(r)
	return s, err
}

// otherOwner returns the active component that has started the process of a PID
// file, unless it is a version of this one; nothing if there is none.
func otherOwner(r *dysnomia.Request, pidFile string) (string, error) {
	active, err := r.State.Activated("")
	if err != nil {
		return "", err
	}
	for _, marker := range active {
		if marker.Container == r.Container && marker.Component == r.ComponentName {
			continue
		}
		known := record{}
		if _, err := r.State.Recall(recordKind, marker.Container, marker.Component, &known); err != nil {
			return "", err
		}
		for _, other := range known {
			if other.PIDFile == pidFile {
				return fmt.Sprintf("component %q in container %q", marker.Component, marker.Container), nil
			}
		}
	}
	return "", nil
}
