package dysnomia

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// LookupOwner returns the numbers of a user and a group given as for chown(1):
// user, user:group or :group, each by name or number. What is not given is -1.
// Names are looked up by getent, which knows every source of accounts.
func LookupOwner(ctx context.Context, environment []string, owner string) (uid, gid int, err error) {
	name, group, _ := strings.Cut(owner, ":")
	lookup := &Accounts{Environment: environment, Log: io.Discard}
	if uid, err = lookup.number(ctx, users, name); err == nil {
		gid, err = lookup.number(ctx, groups, group)
	}
	if err != nil {
		return -1, -1, fmt.Errorf("find owner %q: %w", owner, err)
	}
	return uid, gid, nil
}

func (a *Accounts) number(ctx context.Context, kind accountKind, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	id, exists, err := a.lookup(ctx, kind, name)
	if err != nil {
		return -1, err
	}
	if !exists {
		id = name
	}
	number, err := strconv.ParseUint(id, 10, 31)
	if err != nil {
		return -1, fmt.Errorf("there is no %s %q", strings.ToLower(kind.title()), name)
	}
	return int(number), nil
}
