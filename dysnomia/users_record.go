package dysnomia

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// accountRecord is what the state directory remembers about an account.
type accountRecord struct {
	// Created says that the account was made for a component.
	Created bool `json:"created"`
	// Complete is false while it is being made.
	Complete bool `json:"complete"`
	// Home is the home directory that was made with it.
	Home string `json:"home,omitempty"`
	// Owners need the account.
	Owners []string `json:"owners"`
}

func (s *State) accountPath(a account) string {
	return s.path(accountsDir, string(a.kind), a.name)
}

// accountRecord returns what is remembered, which is nothing for an account
// that no component ever asked for.
func (s *State) accountRecord(a account) (accountRecord, error) {
	var record accountRecord
	content, err := os.ReadFile(s.accountPath(a))
	if errors.Is(err, fs.ErrNotExist) {
		return record, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &record)
	}
	if err != nil {
		return record, fmt.Errorf("read the record %s: %w", s.accountPath(a), err)
	}
	return record, nil
}

// recordAccount remembers; an account without owners is forgotten.
func (s *State) recordAccount(a account, record accountRecord) error {
	if len(record.Owners) == 0 {
		return removeIfPresent(s.accountPath(a))
	}
	content, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return s.writeFile(s.accountPath(a), append(content, '\n'), 0o644)
}

func (r accountRecord) with(owner string) accountRecord {
	if !slices.Contains(r.Owners, owner) {
		r.Owners = append(slices.Clone(r.Owners), owner)
	}
	return r
}

func (r accountRecord) without(owner string) accountRecord {
	r.Owners = slices.DeleteFunc(slices.Clone(r.Owners), func(o string) bool { return o == owner })
	return r
}
