package coordinator

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// edition tells the services of the old configuration from those of the new
// one: the same service may be deactivated as a part of the one and activated
// as a part of the other.
type edition bool

const (
	oldEdition edition = true
	newEdition edition = false
)

// editionOf returns which services the deactivations, or the activations, of a
// plan are about.
func editionOf(steps []*plan.Step) edition {
	return edition(len(steps) > 0 && steps[0].Kind == plan.Deactivate)
}

// action is a step in the journal.
func (e edition) action(s *plan.Step) journal.Action {
	return journal.Action{
		Kind:      journal.Kind(s.Kind),
		Target:    s.Mapping.Target,
		Container: s.Mapping.Container,
		Subject:   s.Mapping.Service,
		Old:       bool(e),
		Name:      s.Service.Name,
	}
}

// once does something with state, unless the journal says that it is done. To
// restore state again, for example, would discard what has been written since.
func (m *migration) once(kind journal.Kind, s state, do func() error) error {
	a := journal.Action{Kind: kind, Target: s.target, Container: s.container, Subject: s.component}
	if m.journal.IsDone(a) {
		return nil
	}
	return m.journal.Do(a, do)
}

// lockAction is a lock, or its release, in the journal.
func lockAction(kind journal.Kind, p deployedProfile) journal.Action {
	return journal.Action{Kind: kind, Target: p.target, Subject: p.name, Name: "profile " + p.name}
}

// acquireLock acquires a lock. One that an interrupted run of this deployment
// has left behind is taken over; with Options.ForceLock any.
func (d *Deployment) acquireLock(ctx context.Context, t service.Service, p deployedProfile) error {
	before := d.journal.Of(lockAction(journal.Lock, p))
	lock := func() error { return t.Lock(ctx, p.name) }
	err := d.journal.Do(lockAction(journal.Lock, p), lock)
	if err == nil || ctx.Err() != nil {
		return err
	}
	var locked *service.LockedError
	switch {
	case errors.As(err, &locked) && locked.Holder.Token == d.claim.Token:
		return oneMachineError(locked.Holder)
	case d.isOurs(before, err):
		d.Reporter.Progress(p.target, "Taking over the lock that the interrupted deployment has left behind")
	case d.Options.ForceLock && locked != nil:
		d.Reporter.Problem(p.target, fmt.Sprintf("Taking the lock of profile %s away from %s", p.name, locked.Holder))
	case d.Options.ForceLock:
		d.Reporter.Problem(p.target, fmt.Sprintf("Taking the lock of profile %s away from its holder, whom the target does not tell", p.name))
	default:
		return err
	}
	unlock := func() error { return d.breakLock(ctx, p, err) }
	if unlockErr := d.journal.Do(lockAction(journal.Unlock, p), unlock); unlockErr != nil {
		return fmt.Errorf("%w (it could not be taken over: %w)", err, unlockErr)
	}
	return d.journal.Do(lockAction(journal.Lock, p), lock)
}

// oneMachineError is the error about a lock that is in the way because the
// deployment has acquired it for another target: both are one machine, which
// [ProfileName] did not know.
func oneMachineError(holder service.LockHolder) error {
	other := "another target of this deployment"
	if holder.Owner != nil && holder.Owner.Target != "" {
		other = fmt.Sprintf("target %q", holder.Owner.Target)
	}
	return fmt.Errorf("it is the same machine as %s: use only one of them; "+
		"or, for disnix-ssh-client, name the same host in both addresses, such as node1 and root@node1, so that each gets a profile of its own", other)
}

// breakLock releases the lock that is in the way according to err, unless
// somebody else has got it meanwhile. On the target, it waits for the end of
// what was begun on behalf of that lock.
func (d *Deployment) breakLock(ctx context.Context, p deployedProfile, err error) error {
	t, connectErr := d.Targets.unclaimed(ctx, p.target)
	if connectErr != nil {
		return connectErr
	}
	var locked *service.LockedError
	if errors.As(err, &locked) && locked.Holder.Token != "" {
		t = service.Claimed(t, service.Claim{Token: locked.Holder.Token, Profile: p.name})
	}
	unlockErr := t.Unlock(ctx, p.name)
	if errors.Is(unlockErr, service.ErrNotLocked) {
		return nil // it was released meanwhile
	}
	return unlockErr
}

// isOurs reports whether the lock that is in the way is one that this
// deployment has acquired in an earlier run. If the target does not say who
// holds the lock, the journal must be sure that we had it.
func (d *Deployment) isOurs(before journal.Outcome, err error) bool {
	if before.Result == "" {
		return false
	}
	var locked *service.LockedError
	if !errors.As(err, &locked) {
		return before.Held
	}
	return slices.Contains(d.formerTokens, locked.Holder.Token)
}

// releaseLock releases a lock, also if that cannot be recorded.
func (d *Deployment) releaseLock(ctx context.Context, t service.Service, p deployedProfile) error {
	attempted := false
	unlock := func() error {
		attempted = true
		return t.Unlock(ctx, p.name)
	}
	err := d.journal.Do(lockAction(journal.Unlock, p), unlock)
	if !attempted {
		return unlock()
	}
	return err
}

// beginJournal begins the journal of a deployment with that many steps, and
// returns the deployment with it.
func (d *Deployment) beginJournal(steps int) (*Deployment, error) {
	if d.Journal == nil {
		return d, nil
	}
	description, err := d.describe()
	if err != nil {
		return nil, fmt.Errorf("begin the journal: %w", err)
	}
	j, err := journal.Create(*d.Journal, description, d.newRun(journal.Forward), d.mostActions(steps))
	if err != nil {
		return nil, d.explainUnfinished(err)
	}
	journalled := *d
	journalled.journal = j
	return &journalled, nil
}

// mostActions is about how many actions a run with that many steps has.
func (d *Deployment) mostActions(steps int) int {
	actions := steps + 2*len(d.Manifest.Profiles) + 2*len(d.Manifest.SnapshotMappings)
	if d.Previous != nil {
		actions += 2*len(d.Previous.Profiles) + 2*len(d.Previous.SnapshotMappings)
	}
	return actions
}

// endJournal ends the journal if the deployment has ended in the new or in the
// old configuration. Otherwise it stays for those who complete or undo the
// deployment.
func (d *Deployment) endJournal(err error) {
	var failed *DeployError
	var lost *service.LostLockError
	end, option := d.journal.Close, "--resume"
	if errors.As(err, &failed) {
		option = "--abort"
		if failed.Outcome != OldStands {
			end = d.journal.Leave
		}
	}
	if errors.As(err, &lost) {
		if err := d.journal.LoseLocks(lost.Error()); err != nil {
			d.Reporter.Problem("", fmt.Sprintf("Cannot record that the locks were lost: %v", err))
		}
	}
	if err := end(); err != nil {
		d.Reporter.Problem("", fmt.Sprintf("Cannot end the journal: %v\n"+
			"If the next deployment complains about it, run: %s", err, d.recoveryCommand(option)))
	}
}

func (d *Deployment) describe() (journal.Description, error) {
	var description journal.Description
	var errs [5]error
	description.New, errs[0] = filepath.EvalSymlinks(d.ManifestPath)
	description.NewHash, errs[1] = hashOf(d.ManifestPath)
	if d.Previous != nil {
		description.Old, errs[2] = filepath.EvalSymlinks(d.PreviousPath)
		description.OldHash, errs[3] = hashOf(d.PreviousPath)
	}
	description.Options, errs[4] = json.Marshal(d.Options)
	return description, errors.Join(errs[:]...)
}

func (d *Deployment) newRun(direction journal.Direction) journal.Run {
	run := journal.Run{Direction: direction, PID: os.Getpid(), Purpose: d.Purpose, Began: time.Now().UTC(), Token: d.claim.Token}
	run.User = "user " + strconv.Itoa(os.Geteuid())
	if u, err := user.Current(); err == nil {
		run.User = u.Username
	}
	run.Host, _ = os.Hostname()
	return run
}

// hashOf returns the SHA-256 sum of a file in hexadecimal.
func hashOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Recorded is a deployment as its journal describes it.
type Recorded struct {
	Manifest, Previous         *models.Manifest
	ManifestPath, PreviousPath string
	Options                    Options
}

// ReadRecorded reads the configurations of an unfinished deployment, and the
// options that it was begun with.
func ReadRecorded(state *journal.State) (*Recorded, error) {
	r := &Recorded{ManifestPath: state.New, PreviousPath: state.Old}
	var errs [3]error
	r.Manifest, errs[0] = readRecorded("new", state.New, state.NewHash)
	if state.Old != "" {
		r.Previous, errs[1] = readRecorded("old", state.Old, state.OldHash)
	}
	errs[2] = json.Unmarshal(state.Options, &r.Options)
	return r, errors.Join(errs[:]...)
}

func readRecorded(what, path, hash string) (*models.Manifest, error) {
	found, err := hashOf(path)
	if err == nil && found != hash {
		err = fmt.Errorf("%s has been changed since the deployment was begun: restore it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s manifest of the unfinished deployment: %w", what, err)
	}
	return models.ReadManifestFile(path)
}

// CheckUnfinished fails if a deployment in that place is unfinished or in
// progress, and says what can be done about it.
func CheckUnfinished(place journal.Place, o Options) error {
	d := Deployment{Options: o}
	return d.explainUnfinished(journal.Check(place))
}

// explainUnfinished turns an [*journal.UnfinishedError] into advice.
func (d *Deployment) explainUnfinished(err error) error {
	var unfinished *journal.UnfinishedError
	if !errors.As(err, &unfinished) {
		return err
	}
	if unfinished.Running {
		return fmt.Errorf("profile %q: %w: wait until it has ended", d.profile(), err)
	}
	return fmt.Errorf("profile %q: %w\nIt was interrupted at %s, during %s.\n%s\n%s"+
		"If you have brought the system into order by other means, remove %s",
		d.profile(), err, unfinished.State.Latest.Local().Format("2006-01-02 15:04:05 MST"),
		cmp.Or(string(unfinished.State.Phase), "its preparation"), summary(unfinished.State),
		d.recoveryAdvice(!deletedState(unfinished.State), unfinished.State.LostLocks != ""), unfinished.Path)
}
