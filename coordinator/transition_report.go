package coordinator

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/disnix-go/disnix/coordinator/plan"
)

// announce reports what kind of transition it is.
func (t *transition) announce() {
	t.Reporter.Progress("", "Executing the transition to the new deployment state")
	switch {
	case t.Options.NoUpgrade:
		t.Reporter.Progress("", "Forced to do no upgrade! Ignoring the previous manifest file!")
	case t.plan.Upgrade:
		t.Reporter.Progress("", "Doing an upgrade from previous manifest file")
	default:
		t.Reporter.Progress("", "Doing an installation from scratch")
	}
}

// rehearse reports the steps of a plan in their order, and executes none.
func (d *Deployment) rehearse(p *plan.Plan) {
	newTransition(d, p).announce()
	d.Reporter.Progress("", "Executing deactivation of services:")
	for _, s := range p.Deactivations() {
		d.Reporter.Progress(s.Mapping.Target, describeActivity(s, true))
	}
	d.Reporter.Progress("", "Executing activation of services:")
	for _, s := range p.Activations() {
		d.Reporter.Progress(s.Mapping.Target, describeActivity(s, true))
	}
}

// describeActivity says what a step does, in the original's words (transition,
// 5.6). Of the arguments only the names are told, since the values may be
// passwords.
func describeActivity(s *plan.Step, dryRun bool) string {
	verb := "Activating"
	if s.Kind == plan.Deactivate {
		verb = "Deactivating"
	}
	if dryRun {
		verb = "Dry-run " + strings.ToLower(verb)
	}
	return fmt.Sprintf("%s service with key: %s and package: %s with module: %s in container: %s, arguments: %s",
		verb, s.Mapping.Service, s.Service.Package, s.Type, s.Mapping.Container, strings.Join(s.ArgumentNames(), " "))
}

func nounOf(kind plan.Kind) string {
	if kind == plan.Deactivate {
		return "Deactivation"
	}
	return "Activation"
}

// advise says what is where after a failure, if it is not as before, and what
// the user can do about it.
func (t *transition) advise(err error) {
	var failure *TransitionError
	if !errors.As(err, &failure) {
		return
	}
	if failure.Result == TransitionFailed {
		if len(failure.Displaced) > 0 && !failure.NotUndone {
			t.Reporter.Notice("\nThe rollback has succeeded, except that the state of these services is unknown:\n" +
				list(failure.Displaced))
		}
		return
	}
	if t.journal != nil { // the way out is to complete or undo the deployment
		t.Reporter.Notice("\nThe rollback is incomplete, so that the system is in an inconsistent state now:\n" +
			list(failure.Displaced))
		return
	}
	t.Reporter.Notice(fmt.Sprintf(`
The rollback is incomplete, so that the system is in an inconsistent state now:
%s
When the problem is solved, %s with:

$ %s
`, list(failure.Displaced), t.wayOut(failure.Result), t.wayOutCommand(failure.Result)))
}

// wayOut says what wayOutCommand does.
func (t *transition) wayOut(result TransitionResult) string {
	switch {
	case t.upgradedFrom() == nil:
		return "complete the activation of the new configuration"
	case result == NewNotRemoved:
		return "deactivate the new services and activate the old ones"
	default:
		return "activate the services of the old configuration"
	}
}

// wayOutCommand returns the command that brings the system into a consistent
// state after an incomplete rollback (transition, 5.8).
func (t *transition) wayOutCommand(result TransitionResult) string {
	profile := []string{"-p", t.profile()}
	if t.Options.CoordinatorProfileDir != "" {
		profile = append(profile, "--coordinator-profile-path", t.Options.CoordinatorProfileDir)
	}
	if t.upgradedFrom() != nil && result == NewNotRemoved {
		return shellCommand("disnix-activate", []string{"--no-rollback"}, profile,
			[]string{"-o", t.ManifestPath, t.PreviousPath})
	}
	manifest := t.ManifestPath
	if t.upgradedFrom() != nil {
		manifest = cmp.Or(t.PreviousPath, manifest)
	}
	return shellCommand("disnix-activate", []string{"--no-upgrade", "--no-rollback"}, profile, []string{manifest})
}

// mostListed is how many services a message lists.
const mostListed = 20

// list lists services, one per line.
func list(displaced []Displacement) string {
	var b strings.Builder
	for i, d := range displaced {
		if i == mostListed {
			fmt.Fprintf(&b, "  and %d more\n", len(displaced)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", d)
	}
	return b.String()
}
