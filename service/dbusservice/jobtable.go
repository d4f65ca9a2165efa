package dbusservice

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/disnix-go/disnix/service"
)

// maxJobsPerCaller bounds the ids that one connection has not used, or whose
// jobs are running.
const maxJobsPerCaller = 1000

// jobTable knows the ids that are in use. Its zero value is empty.
type jobTable struct {
	mu       sync.Mutex
	next     int32
	byID     map[int32]*entry
	stopping bool
	ended    chan struct{} // closed when no job runs any more, once stopping
	running  int
}

// entry is an id that was given to a caller.
type entry struct {
	caller string             // unique name on the bus
	cancel context.CancelFunc // nil until the job begins
	claim  *service.Claim     // nil if it is asked for without one
}

// assign gives a new id to a caller.
func (t *jobTable) assign(caller string) (int32, *dbus.Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopping {
		return 0, errStopping()
	}
	if t.next == math.MaxInt32 {
		return 0, dbusError("LimitsExceeded", "there are no job ids left: remove the largest numbers from the log directory and restart disnix-service")
	}
	count := 0
	for _, e := range t.byID {
		if e.caller == caller {
			count++
		}
	}
	if count >= maxJobsPerCaller {
		return 0, dbusError("LimitsExceeded", fmt.Sprintf("this connection has %d jobs already: wait until some of them have ended", count))
	}
	id := t.next
	t.next++
	if t.byID == nil {
		t.byID = make(map[int32]*entry)
	}
	t.byID[id] = &entry{caller: caller}
	return id, nil
}

// unused returns the entry of an id that the caller has not used yet.
func (t *jobTable) unused(id int32, caller string) (*entry, *dbus.Error) {
	e := t.byID[id]
	switch {
	case t.stopping:
		return nil, errStopping()
	case e == nil || e.caller != caller:
		return nil, dbusError("AccessDenied", fmt.Sprintf("job id %d was not given to this connection, or its job has ended: ask for one with get_job_id", id))
	case e.cancel != nil:
		return nil, dbusError("InvalidArgs", fmt.Sprintf("job id %d is in use already", id))
	}
	return e, nil
}

// claim says on behalf of which lock a job is going to run.
func (t *jobTable) claim(id int32, caller string, claim service.Claim) *dbus.Error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, err := t.unused(id, caller)
	if err == nil {
		e.claim = &claim
	}
	return err
}

// begin uses an id up, and returns the claim of the job. It must be followed by
// end.
func (t *jobTable) begin(id int32, caller string, cancel context.CancelFunc) (*service.Claim, *dbus.Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, err := t.unused(id, caller)
	if err != nil {
		return nil, err
	}
	e.cancel = cancel
	t.running++
	return e.claim, nil
}

// end forgets a job that has begun.
func (t *jobTable) end(id int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, id)
	t.running--
	if t.stopping && t.running == 0 {
		close(t.ended)
	}
}

// stopJob cancels a running job of the caller.
func (t *jobTable) stopJob(id int32, caller string) *dbus.Error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byID[id]
	if e == nil || e.caller != caller || e.cancel == nil {
		return dbusError("AccessDenied", fmt.Sprintf("job %d is not a running job of this connection", id))
	}
	e.cancel()
	return nil
}

// forgetUnused takes back the ids of a caller that has vanished. Its running
// jobs go on.
func (t *jobTable) forgetUnused(caller string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, e := range t.byID {
		if e.caller == caller && e.cancel == nil {
			delete(t.byID, id)
		}
	}
}

// runs tells whether an id is in use.
func (t *jobTable) runs(id int32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id] != nil
}

// stop refuses new jobs from now on. The channel is closed when all running
// ones have ended. It may be called once.
func (t *jobTable) stop() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopping = true
	t.ended = make(chan struct{})
	if t.running == 0 {
		close(t.ended)
	}
	return t.ended
}

func errStopping() *dbus.Error {
	return dbusError("Failed", "disnix-service is stopping: try again when it has been restarted")
}

func dbusError(name, text string) *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error."+name, []any{text})
}
