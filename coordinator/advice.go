package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/service"
)

// The commands that are recommended to the user after a failure name the
// manifests as the user did, and repeat the options that matter.

func (d *Deployment) unlockCommand() string {
	return shellCommand("disnix-lock", d.profileWords(), []string{"--unlock", d.ManifestPath})
}

func (d *Deployment) setCommand() string {
	words := d.profileWords()
	if d.Options.NoCoordinatorProfile {
		words = append(words, "--no-coordinator-profile")
	}
	if d.Options.NoTargetProfiles {
		words = append(words, "--no-target-profiles")
	}
	return shellCommand("disnix-set", words, []string{d.ManifestPath})
}

func (d *Deployment) deleteStateCommand() string {
	return shellCommand("disnix-delete-state", d.profileWords(), d.selectionWords(), []string{d.PreviousPath})
}

// selectionWords are the options that select some of the state.
func (d *Deployment) selectionWords() []string {
	var words []string
	if container := d.Options.Migration.Container; container != "" {
		words = append(words, "--container", container)
	}
	if component := d.Options.Migration.Component; component != "" {
		words = append(words, "--component", component)
	}
	return words
}

func (d *Deployment) migrateCommand() string {
	words := append(d.profileWords(), d.selectionWords()...)
	m := d.Options.Migration
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"--no-upgrade", d.Options.NoUpgrade},
		{"--delete-state", m.DeleteState},
		{"--transfer-only", m.TransferOnly},
		{"--depth-first", m.DepthFirst},
		{"--all", m.All},
	} {
		if option.set {
			words = append(words, option.name)
		}
	}
	if m.DepthFirst && m.Keep != 1 {
		words = append(words, "--keep", fmt.Sprint(m.Keep))
	}
	if d.PreviousPath != "" {
		words = append(words, "-o", d.PreviousPath)
	}
	return shellCommand("disnix-migrate", words, []string{d.ManifestPath})
}

// profileWords are the options that select the profiles, without those that
// have their standard value.
func (d *Deployment) profileWords() []string {
	var words []string
	if d.profile() != DefaultProfile {
		words = append(words, "-p", d.profile())
	}
	if d.Options.CoordinatorProfileDir != "" {
		words = append(words, "--coordinator-profile-path", d.Options.CoordinatorProfileDir)
	}
	return words
}

// adviseAfterFailure says what the user can do now (commands, section 6).
func (d *Deployment) adviseAfterFailure(err error) {
	var failed *DeployError
	if d.Journal != nil && errors.As(err, &failed) && failed.Outcome != OldStands {
		var deletion *MigrationError
		begun := errors.As(err, &deletion) && deletion.Step == DeleteStateStep
		d.Reporter.Notice("\nThe deployment is unfinished: " + string(failed.Outcome) + ".\nWhen the problem is solved, end it. " +
			d.recoveryAdvice(!begun, errors.As(err, new(*service.LostLockError))) + d.lostLockAdvice(err))
		return
	}
	var migration *MigrationError
	if !errors.As(err, &migration) {
		d.Reporter.Notice("The deployment failed! Please inspect the output to diagnose any problems!")
		return
	}
	what, command := "migrate the state that is still where it was", d.migrateCommand()
	// Without a journal, nobody knows what was restored already.
	warning := "\nThis replaces what the new services have written since: keep users away until then.\n"
	if migration.Step == DeleteStateStep {
		// Taking snapshots again would capture what is partly deleted.
		what, command, warning = "delete the obsolete state", d.deleteStateCommand(), ""
	}
	d.Reporter.Notice(fmt.Sprintf(`
The new services are active, but the migration of state has failed. When the
problem is solved, %s with:

$ %s
%s
Then set the profiles, which are still those of the previous configuration:

$ %s
`, what, command, warning, d.setCommand()))
}

// MigrationAdvice says how to complete a migration that was asked for by itself
// and has failed, as the end of a message. It is empty for other errors.
func (d *Deployment) MigrationAdvice(err error) string {
	var failed *MigrationError
	if !errors.As(err, &failed) {
		return ""
	}
	if failed.Step != DeleteStateStep {
		return fmt.Sprintf("\nWhen the problem is solved, run this, which replaces what the services have written at their new places\nmeanwhile:\n\n$ %s\n", d.migrateCommand())
	}
	return fmt.Sprintf("\nDo not migrate again, which would replace what the services have written at their new places meanwhile.\nWhen the problem is solved, run:\n\n$ %s\n", d.deleteStateCommand())
}

// unlockAdvice says how to release the locks that are left; not if locks were
// lost, since the command would release those of whoever has them.
func (d *Deployment) unlockAdvice(err error) string {
	var lost *service.LostLockError
	if errors.As(err, &lost) {
		return ""
	}
	return "\nTo release the locks that are left, run: " + d.unlockCommand()
}

// lostLockAdvice warns of ending a deployment whose locks others have taken.
func (d *Deployment) lostLockAdvice(err error) string {
	var lost *service.LostLockError
	if !errors.As(err, &lost) || d.Journal == nil {
		return ""
	}
	return fmt.Sprintf("Somebody else has taken the locks of this deployment away, and may have deployed another configuration\n"+
		"since, which these commands replace. If theirs is to stay, run none of them, and remove\n%s\n", d.Journal.Path())
}

// adviseToDeleteState reminds the user of state that has been moved.
func (d *Deployment) adviseToDeleteState() {
	d.Reporter.Notice(fmt.Sprintf(`
NOTE: The state of the services that were moved has been copied, but it was not
deleted at its former places. If it is not needed there any more, delete it
with:

$ %s
`, d.deleteStateCommand()))
}

// shellCommand returns a command that can be pasted into a shell.
func shellCommand(program string, arguments ...[]string) string {
	words := []string{program}
	for _, word := range slices.Concat(arguments...) {
		words = append(words, shellQuote(word))
	}
	return strings.Join(words, " ")
}

// shellQuote quotes a word, if a shell would not take it literally.
func shellQuote(word string) string {
	const literal = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:=@%,"
	if word != "" && strings.Trim(word, literal) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
