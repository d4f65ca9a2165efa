package dysnomia

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// userExit is how long the processes of a user that is to be deleted may take
// to end.
const userExit = 10 * time.Second

// create makes an account, unless it exists, and remembers its owner. That it
// is made by us is recorded before it is made: if this process dies in
// between, the next call completes it.
func (a *Accounts) create(ctx context.Context, account account, owner string) error {
	unlock, err := a.State.lock()
	if err != nil {
		return err
	}
	defer unlock()
	before, err := a.State.accountRecord(account)
	if err != nil {
		return err
	}
	id, exists, err := a.lookup(ctx, account.kind, account.name)
	if err != nil {
		return err
	}
	after := before.with(owner)
	if exists && (!before.Created || before.Complete) {
		a.logExisting(account, id)
		return a.State.recordAccount(account, after)
	}
	after.Created, after.Complete = true, false
	if account.settings["createHomeDir"] == "1" {
		after.Home = account.settings["homeDir"]
	}
	if err := a.State.recordAccount(account, after); err != nil {
		return err
	}
	if !exists {
		err = a.run(ctx, "", account.creation()...)
	}
	if password := account.settings["password"]; err == nil && password != "" {
		// On standard input, because everybody can read arguments.
		err = a.run(ctx, account.name+":"+password+"\n", "chpasswd", "-e")
		if err != nil {
			err = errors.Join(err, a.run(context.WithoutCancel(ctx), "", "userdel", "--", account.name))
		}
	}
	if err != nil {
		return errors.Join(err, a.State.recordAccount(account, before))
	}
	after.Complete = true
	return a.State.recordAccount(account, after)
}

// creation is the command that makes the account.
func (a account) creation() []string {
	if a.kind == groups {
		command := []string{"groupadd"}
		if gid := a.settings["gid"]; gid != "" {
			command = append(command, "-g", gid)
		}
		return append(command, "--", a.name)
	}
	command := []string{"useradd"}
	for _, option := range []struct{ flag, key string }{
		{"-u", "uid"}, {"-g", "group"}, {"-c", "description"}, {"-s", "shell"},
	} {
		if value := a.settings[option.key]; value != "" {
			command = append(command, option.flag, value)
		}
	}
	command = append(command, "-d", orDefault(a.settings["homeDir"], "/dev/null"))
	if a.settings["createHomeDir"] == "1" {
		command = append(command, "-m")
	} else {
		command = append(command, "-M")
	}
	return append(command, "--", a.name)
}

// logExisting says that an account is used as it is.
func (a *Accounts) logExisting(account account, id string) {
	fmt.Fprintf(a.Log, "%s: %s already exists!\n", account.kind.title(), account.name)
	key := "uid"
	if account.kind == groups {
		key = "gid"
	}
	if wanted := account.settings[key]; wanted != "" && wanted != id {
		fmt.Fprintf(a.Log, "%s already has %s: %s, while: %s was requested! Old %s will be retained!\n", account.name, key, id, wanted, key)
	}
}

// createHome makes only the home directory of a user, who owns it if he
// exists.
func (a *Accounts) createHome(ctx context.Context, account account) error {
	home := account.settings["homeDir"]
	if account.settings["createHomeDir"] != "1" {
		return nil
	}
	if _, err := os.Lstat(home); err == nil {
		return nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	id, exists, err := a.lookup(ctx, users, account.name)
	if err != nil || !exists {
		return err
	}
	uid, err := strconv.Atoi(id)
	if err != nil {
		return err
	}
	return os.Chown(home, uid, -1)
}

// release forgets an owner, and deletes the account if it was created for
// owners who are all gone.
func (a *Accounts) release(ctx context.Context, account account, owner string) error {
	unlock, err := a.State.lock()
	if err != nil {
		return err
	}
	defer unlock()
	record, err := a.State.accountRecord(account)
	if err != nil {
		return err
	}
	id, exists, err := a.lookup(ctx, account.kind, account.name)
	if err != nil {
		return err
	}
	rest := record.without(owner)
	switch {
	case len(rest.Owners) == len(record.Owners):
		if exists && len(record.Owners) == 0 {
			fmt.Fprintf(a.Log, "%s: %s is kept: it was not created for a component.\n", account.kind.title(), account.name)
		}
		return nil
	case len(rest.Owners) > 0:
		fmt.Fprintf(a.Log, "%s: %s is kept: another component needs it.\n", account.kind.title(), account.name)
	case exists && !record.Created:
		fmt.Fprintf(a.Log, "%s: %s is kept: it existed before it was needed.\n", account.kind.title(), account.name)
	case exists:
		if err := a.remove(ctx, account, id); err != nil {
			return err
		}
		a.removeHome(record.Home)
	}
	return a.State.recordAccount(account, rest)
}

func (a *Accounts) remove(ctx context.Context, account account, id string) error {
	if account.kind == groups {
		return a.run(ctx, "", "groupdel", "--", account.name)
	}
	running, err := awaitProcesses(ctx, id, userExit)
	if err != nil {
		return err
	}
	if len(running) > 0 {
		return fmt.Errorf("its processes %s still run after %s: stop them and try again", strings.Join(running, ", "), userExit)
	}
	return a.run(ctx, "", "userdel", "--", account.name)
}

// removeHome removes a home directory that is empty; files are kept for
// whoever needs them.
func (a *Accounts) removeHome(home string) {
	if home == "" {
		return
	}
	if err := os.Remove(home); err != nil && !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(a.Log, "The home directory %s is kept because it has files in it.\n", home)
	}
}

// awaitProcesses waits until no process runs as the user, at most for the
// time, and returns those that still do.
func awaitProcesses(ctx context.Context, uid string, most time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		running, err := processesOf(uid)
		if err != nil || len(running) == 0 {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return running, nil
		}
	}
}

// processesOf returns the process ids of a user.
func processesOf(uid string) ([]string, error) {
	statuses, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, path := range statuses {
		status, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(status), "\nUid:")
		line, _, _ := strings.Cut(rest, "\n")
		zombie := strings.Contains(string(status), "\nState:\tZ")
		if !zombie && slices.Contains(strings.Fields(line), uid) {
			ids = append(ids, filepath.Base(filepath.Dir(path)))
		}
	}
	return ids, nil
}

// lookup asks the name service for an account and returns its number.
func (a *Accounts) lookup(ctx context.Context, kind accountKind, name string) (id string, exists bool, err error) {
	cmd, err := a.command(ctx, "getent", kind.database(), name)
	if err != nil {
		return "", false, err
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 2 {
		return "", false, nil // getent(1): the key could not be found
	}
	if err != nil {
		return "", false, fmt.Errorf("look up %q in the %s database: %w", name, kind.database(), err)
	}
	fields := strings.Split(strings.TrimSpace(string(out)), ":")
	if len(fields) < 3 {
		return "", false, fmt.Errorf("look up %q in the %s database: the answer %q is unknown", name, kind.database(), out)
	}
	return fields[2], true, nil
}

// run runs a program; what it prints becomes part of the error.
func (a *Accounts) run(ctx context.Context, stdin string, command ...string) error {
	cmd, err := a.command(ctx, command[0], command[1:]...)
	if err != nil {
		return err
	}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command[0], err, bytes.TrimSpace(out))
	}
	return nil
}

func (a *Accounts) command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	path, err := FindProgram(a.Environment, name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = programEnvironment(a.Environment)
	return cmd, nil
}
