package dysnomia

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Accounts creates the users and groups that a component needs, and deletes
// them when nobody needs them any more (host page, section 7).
//
// The state directory remembers who needs an account, and whether it was
// created for that: others are never deleted. Existing accounts are never
// changed. Every operation may be repeated. They need the programs of the
// shadow suite, and the privileges to use them.
type Accounts struct {
	State *State
	// Owner is who needs the accounts. If it is empty, it is the path that
	// the operations are called with.
	Owner string
	// Environment is the environment of the caller, as key=value. Its PATH is
	// searched for programs, then the directories of system programs.
	Environment []string
	// Log receives messages about accounts that exist already or are kept.
	Log io.Writer
}

// NewAccounts returns the accounts that the component of a request needs in
// its container.
func NewAccounts(r *Request) *Accounts {
	return &Accounts{
		State:       r.State,
		Owner:       r.Container + ":" + r.Component,
		Environment: r.Environment,
		Log:         r.Stderr,
	}
}

// Add creates the groups and then the users of a component.
func (a *Accounts) Add(ctx context.Context, path string) error {
	if err := a.AddGroups(ctx, path); err != nil {
		return err
	}
	return a.AddUsers(ctx, path)
}

// Delete deletes the users and then the groups that were created for the
// component. If the component is gone, the state directory knows them.
func (a *Accounts) Delete(ctx context.Context, path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return a.deleteOwned(ctx, path)
	}
	if err := a.DeleteUsers(ctx, path); err != nil {
		return err
	}
	return a.DeleteGroups(ctx, path)
}

func (a *Accounts) deleteOwned(ctx context.Context, path string) error {
	for _, kind := range []accountKind{users, groups} {
		names, err := a.State.entries(isFileEntry, accountsDir, string(kind))
		if err != nil {
			return fmt.Errorf("list %s: %w", kind, err)
		}
		for _, name := range names {
			account := account{kind: kind, name: name}
			record, err := a.State.accountRecord(account)
			if err == nil && slices.Contains(record.Owners, a.owner(path)) {
				err = a.release(ctx, account, a.owner(path))
			}
			if err != nil {
				return fmt.Errorf("delete %s %q: %w", strings.ToLower(kind.title()), name, err)
			}
		}
	}
	return nil
}

// AddGroups creates the groups in dysnomia-support/groups of a component, or
// the one that a file describes; the name of a file is that of its group.
func (a *Accounts) AddGroups(ctx context.Context, path string) error {
	return a.add(ctx, groups, path)
}

// AddUsers creates the users in dysnomia-support/users of a component, in the
// manner of [Accounts.AddGroups]. Their groups must exist.
func (a *Accounts) AddUsers(ctx context.Context, path string) error {
	return a.add(ctx, users, path)
}

// DeleteUsers deletes the users that were created for the component. Home
// directories with files in them are kept.
func (a *Accounts) DeleteUsers(ctx context.Context, path string) error {
	return a.delete(ctx, users, path)
}

// DeleteGroups deletes the groups that were created for the component.
func (a *Accounts) DeleteGroups(ctx context.Context, path string) error {
	return a.delete(ctx, groups, path)
}

// accountKind is users or groups: the name of their directory in components.
type accountKind string

const (
	users  accountKind = "users"
	groups accountKind = "groups"
)

// database is the name service database that has the accounts.
func (k accountKind) database() string {
	if k == users {
		return "passwd"
	}
	return "group"
}

// title is what messages call one of them.
func (k accountKind) title() string {
	if k == users {
		return "User"
	}
	return "Group"
}

// account is what a component says about a user or group.
type account struct {
	kind     accountKind
	name     string
	settings map[string]string
}

func (a *Accounts) owner(path string) string {
	if a.Owner != "" {
		return a.Owner
	}
	return filepath.Clean(path)
}

func (a *Accounts) add(ctx context.Context, kind accountKind, path string) error {
	wanted, err := a.specified(ctx, kind, path)
	if err != nil {
		return err
	}
	for _, account := range wanted {
		var err error
		if account.isHomeOnly() {
			err = a.createHome(ctx, account)
		} else {
			err = a.create(ctx, account, a.owner(path))
		}
		if err != nil {
			return fmt.Errorf("create %s %q: %w", strings.ToLower(kind.title()), account.name, err)
		}
	}
	return nil
}

func (a *Accounts) delete(ctx context.Context, kind accountKind, path string) error {
	wanted, err := a.specified(ctx, kind, path)
	if err != nil {
		return err
	}
	var errs []error
	for _, account := range wanted {
		if account.isHomeOnly() {
			continue
		}
		if err := a.release(ctx, account, a.owner(path)); err != nil {
			errs = append(errs, fmt.Errorf("delete %s %q: %w", strings.ToLower(kind.title()), account.name, err))
		}
	}
	return errors.Join(errs...)
}

// specified reads the specifications of a component, sorted by name. All of
// them are checked before anything is done.
func (a *Accounts) specified(ctx context.Context, kind accountKind, path string) ([]account, error) {
	files, err := specificationFiles(kind, path)
	if err != nil {
		return nil, err
	}
	var list []account
	var errs []error
	for _, file := range files {
		settings, err := ReadSettings(ctx, file, a.Environment)
		account := account{kind: kind, name: filepath.Base(file), settings: settings}
		if err == nil {
			err = account.check()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read specification %s: %w", file, err))
		}
		list = append(list, account)
	}
	return list, errors.Join(errs...)
}

func specificationFiles(kind accountKind, path string) ([]string, error) {
	info, err := os.Stat(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ERROR: The path: %s is not valid!", path)
	}
	if err != nil {
		return nil, fmt.Errorf("find specifications: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	dir := filepath.Join(path, "dysnomia-support", string(kind))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find specifications: %w", err)
	}
	var files []string
	for _, entry := range entries {
		files = append(files, filepath.Join(dir, entry.Name()))
	}
	return files, nil
}

var accountName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?$`)

// check reports all mistakes of a specification that can be seen in it. The
// messages repeat no password.
func (a account) check() error {
	var errs []error
	if !accountName.MatchString(a.name) {
		errs = append(errs, fmt.Errorf("%q cannot be a name: use letters, digits, _ and -, and begin with a letter", a.name))
	}
	for _, key := range []string{"uid", "gid"} {
		if value := a.settings[key]; value != "" {
			if _, err := strconv.ParseUint(value, 10, 32); err != nil {
				errs = append(errs, fmt.Errorf("%s %q is not a number", key, value))
			}
		}
	}
	if home := a.settings["homeDir"]; home != "" && !filepath.IsAbs(home) {
		errs = append(errs, fmt.Errorf("homeDir %q is not an absolute path", home))
	}
	if a.settings["createHomeDir"] == "1" && a.settings["homeDir"] == "" {
		errs = append(errs, errors.New("createHomeDir is 1, but homeDir is not given"))
	}
	if !isHashed(a.settings["password"]) {
		errs = append(errs, errors.New("password is not a hash of crypt(3): make one with mkpasswd or openssl passwd -6"))
	}
	for _, key := range []string{"group", "description", "homeDir", "shell"} {
		if value := a.settings[key]; strings.ContainsAny(value, ":\n") {
			errs = append(errs, fmt.Errorf("%s %q contains a colon or a line break", key, value))
		}
	}
	return errors.Join(errs...)
}

var desHash = regexp.MustCompile(`^[./0-9A-Za-z]{13}$`)

// isHashed reports whether a password is a hash or nothing, and not readable
// by everybody who can read the hashes.
func isHashed(password string) bool {
	if strings.ContainsAny(password, ":\n") {
		return false
	}
	return password == "" || slices.Contains([]byte("$!*_"), password[0]) || desHash.MatchString(password)
}

func (a account) isHomeOnly() bool { return a.kind == users && a.settings["createHomeDirOnly"] == "1" }
