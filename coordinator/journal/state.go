package journal

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Description is what a journal says about the deployment as a whole.
type Description struct {
	// New and Old are the manifests; Old is empty if nothing was deployed
	// before. NewHash and OldHash are their SHA-256 sums in hexadecimal.
	New     string `json:"new"`
	Old     string `json:"old,omitempty"`
	NewHash string `json:"newHash"`
	OldHash string `json:"oldHash,omitempty"`
	// Options are the coordinator's.
	Options json.RawMessage `json:"options,omitempty"`
}

// Run is the work of one coordinator on a deployment.
type Run struct {
	Direction Direction `json:"direction"`
	User      string    `json:"user"`
	Host      string    `json:"host,omitempty"`
	PID       int       `json:"pid"`
	// Purpose is the program, for a person to read.
	Purpose string    `json:"purpose,omitempty"`
	Began   time.Time `json:"began"`
	// Token is what its locks are held with.
	Token string `json:"token,omitempty"`
}

// Direction says where a run leads.
type Direction string

// The directions.
const (
	Forward Direction = "forward" // to the new configuration
	Back    Direction = "back"    // to the old one
)

// Phase is a phase of a deployment.
type Phase string

// The phases, in their order.
const (
	Locking    Phase = "locking the targets"
	Transition Phase = "the transition"
	Migration  Phase = "the migration of state"
	Profiles   Phase = "setting the profiles"
	Unlocking  Phase = "releasing the locks"
)

// Kind is the verb of an action.
type Kind string

// The kinds of actions. Those on state have the names that they have in a
// plan.
const (
	Lock        Kind = "lock"
	Unlock      Kind = "unlock"
	Activate    Kind = "activate"
	Deactivate  Kind = "deactivate"
	Snapshot    Kind = "snapshot"
	Restore     Kind = "restore"
	DeleteState Kind = "delete state of"
)

// Action is something that a target is asked for.
type Action struct {
	Kind   Kind   `json:"kind"`
	Target string `json:"target"`
	// Container is empty for locks.
	Container string `json:"container,omitempty"`
	// Subject is what is acted on: the key of a service, the name of a
	// component that has state, or the name of a profile.
	Subject string `json:"subject"`
	// Old says of a service that it is that of the old configuration. The new
	// one may have the same at the same place, as an action of its own.
	Old bool `json:"old,omitempty"`
	// Name is what a person calls the subject, if that is different.
	Name string `json:"name,omitempty"`
}

// String describes the action for a person.
func (a Action) String() string {
	text := fmt.Sprintf("%s %s on target %s", a.Kind, cmp.Or(a.Name, a.Subject), a.Target)
	if a.Container != "" {
		text += " in container " + a.Container
	}
	return text
}

// thing is what actions change. An activation and a deactivation change the
// same thing, and so do a lock and an unlock.
type thing struct {
	kind                       Kind // the first one of its actions
	target, container, subject string
	old                        bool
}

func (a Action) thing() thing {
	kind := a.Kind
	switch kind {
	case Deactivate:
		kind = Activate
	case Unlock:
		kind = Lock
	}
	return thing{kind, a.Target, a.Container, a.Subject, a.Old}
}

// Result is what is known about an action.
type Result string

// The results.
const (
	Done    Result = "done"
	Failed  Result = "failed"
	InDoubt Result = "in doubt" // it was begun, and its end is not known
)

// Outcome is the latest action on something, and its result.
type Outcome struct {
	Action
	Result Result
	// Before is the result of the latest action of the opposite kind, if there
	// was one: of the activation, for a deactivation.
	Before Result
	// Held says of a lock that it was acquired, and certainly not released.
	Held bool

	wasHeld bool // before an attempt to release it
}

// State is what a journal says.
type State struct {
	Description
	// Runs are the coordinators that have worked on the deployment.
	Runs []Run
	// Phase is the last one that was begun; empty if none was.
	Phase Phase
	// LostLocks is how the latest run noticed that somebody else has taken its
	// locks away; empty if that is not so.
	LostLocks string
	// Latest is when the last record was written.
	Latest time.Time

	described, closed bool

	begun    map[Phase]bool
	outcomes map[thing]*Outcome
	begins   map[int]*Outcome // by ID, without an end
	lastID   int
}

func newState() *State {
	return &State{
		begun:    make(map[Phase]bool),
		outcomes: make(map[thing]*Outcome),
		begins:   make(map[int]*Outcome),
	}
}

// Begun reports whether a phase was begun, by any of the runs.
func (s *State) Begun(p Phase) bool { return s.begun[p] }

// Of returns the outcome of the latest action on what a changes: for an
// activation this may be a deactivation, and for a lock an unlock. The result
// is empty if there was none.
func (s *State) Of(a Action) Outcome {
	if o := s.outcomes[a.thing()]; o != nil {
		return *o
	}
	return Outcome{}
}

// All returns the latest action on everything that was acted on, sorted.
func (s *State) All() []Outcome {
	all := make([]Outcome, 0, len(s.outcomes))
	for _, o := range s.outcomes {
		all = append(all, *o)
	}
	slices.SortFunc(all, func(a, b Outcome) int {
		return cmp.Or(
			cmp.Compare(a.Target, b.Target),
			cmp.Compare(a.Container, b.Container),
			cmp.Compare(a.Subject, b.Subject),
			cmp.Compare(a.Kind, b.Kind))
	})
	return all
}

// apply takes note of a record.
func (s *State) apply(r record) error {
	if s.described == (r.Kind == deploymentRecord) {
		return errors.New("the journal must begin with a deployment, and describe no other")
	}
	s.Latest = r.Time
	switch r.Kind {
	case deploymentRecord:
		if r.Deployment == nil {
			return errors.New("the deployment is missing")
		}
		s.Description, s.described = *r.Deployment, true
	case runRecord:
		if r.Run == nil {
			return errors.New("the run is missing")
		}
		s.Runs = append(s.Runs, *r.Run)
		s.LostLocks = ""
	case phaseRecord:
		s.Phase = r.Phase
		s.begun[r.Phase] = true
	case beginRecord:
		if r.Action == nil {
			return errors.New("the action is missing")
		}
		s.begin(r.ID, *r.Action)
	case endRecord:
		s.end(r.ID, r.Error)
	case lostRecord:
		s.LostLocks = r.Error
	case closedRecord:
		s.closed = true
	default:
		return fmt.Errorf("there is no kind of record %q: was it written by a later version?", r.Kind)
	}
	return nil
}

func (s *State) begin(id int, a Action) {
	s.lastID = max(s.lastID, id)
	if a.Kind == Activate && s.direction() == Back {
		s.forgetMigration()
	}
	o := &Outcome{Action: a, Result: InDoubt}
	if previous := s.outcomes[a.thing()]; previous != nil {
		o.Before, o.wasHeld = previous.Before, previous.Held
		o.Held = previous.Held && a.Kind == Lock // an attempt to get it changes nothing
		if previous.Kind != a.Kind {
			o.Before = previous.Result
		}
	}
	s.outcomes[a.thing()] = o
	s.begins[id] = o
}

func (s *State) end(id int, failure string) {
	o := s.begins[id]
	if o == nil {
		return
	}
	delete(s.begins, id)
	o.Result = Done
	if failure != "" {
		o.Result = Failed
	}
	switch {
	case o.Kind == Lock && o.Result == Done:
		o.Held = true
	case o.Kind == Unlock && o.Result == Failed:
		o.Held = o.wasHeld
	}
}

func (s *State) direction() Direction {
	if len(s.Runs) == 0 {
		return Forward
	}
	return s.Runs[len(s.Runs)-1].Direction
}

// forgetMigration makes state be migrated again: services of the old
// configuration run again, and change it.
func (s *State) forgetMigration() {
	for thing := range s.outcomes {
		if thing.kind == Snapshot || thing.kind == Restore {
			delete(s.outcomes, thing)
		}
	}
}
