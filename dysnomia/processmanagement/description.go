package processmanagement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
)

// Description is the content of a JSON file that describes a process.
type Description struct {
	properties map[string]any
	// overrides are properties by manager.
	overrides map[Manager]map[string]any
}

// Read reads a description. Everything in it is checked, also what concerns
// other managers than the one it will be translated for; the error has all
// mistakes.
func Read(data []byte) (*Description, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var properties map[string]any
	if err := decoder.Decode(&properties); err != nil {
		return nil, fmt.Errorf("it is not a JSON object: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the JSON object")
	}
	if properties == nil {
		return nil, errors.New("it is not a JSON object: null")
	}
	o := &object{members: properties}
	d := &Description{properties: properties, overrides: map[Manager]map[string]any{}}
	overrides := o.object("overrides")
	for name := range overrides {
		d.overrides[Manager(name)] = nested(o, overrides, "overrides", name)
	}
	delete(properties, "overrides")
	if err := o.err(); err != nil {
		return nil, err
	}
	if _, err := d.process(""); err != nil {
		return nil, err
	}
	return d, nil
}

// nested returns a member of a member, which must be an object.
func nested(o *object, members map[string]any, path, name string) map[string]any {
	inner := &object{path: path + ".", members: members}
	found := inner.object(name)
	o.problems = append(o.problems, inner.problems...)
	return found
}

// Process is a description with the overrides and defaults for one manager
// (process management page, section 4).
type Process struct {
	Name, InstanceName, Description string
	// Initialize is shell code that is run as root before each start.
	Initialize string
	// Daemon and Foreground are the executables for the two ways of running,
	// either of which may be empty.
	Daemon, Foreground         string
	DaemonArgs, ForegroundArgs []string
	PIDFile                    string
	Path                       []string // packages whose bin is in PATH
	Environment                map[string]string
	Directory, Umask, Nice     string
	User                       string
	Dependencies               []string
	Groups, Users              map[string]map[string]string
	PostInstall                string
	// Extra are the overrides that are no properties of processes, but of the
	// manager's own.
	Extra map[string]any
}

// process applies the overrides for the manager, if any.
func (d *Description) process(manager Manager) (*Process, error) {
	members := maps.Clone(d.properties)
	extra := map[string]any{}
	for key, value := range d.overrides[manager] {
		if isProcessProperty(key) {
			members[key] = merge(members[key], value)
		} else {
			extra[key] = value
		}
	}
	o := &object{members: members}
	p := &Process{
		InstanceName: o.text("instanceName"),
		Initialize:   o.text("initialize"),
		PIDFile:      o.text("pidFile"),
		Path:         o.list("path"),
		Environment:  o.environment("environment"),
		Directory:    o.text("directory"),
		Umask:        o.text("umask"),
		Nice:         o.text("nice"),
		User:         o.text("user"),
		Dependencies: o.list("dependencies"),
		PostInstall:  o.text("postInstall"),
		Extra:        extra,
	}
	p.Name = o.textOr("name", p.InstanceName)
	p.Description = o.textOr("description", p.Name)
	executable := o.text("process")
	args := o.list("args")
	p.Daemon = o.textOr("daemon", executable)
	p.DaemonArgs = o.listOr("daemonArgs", append(args[:len(args):len(args)], o.list("daemonExtraArgs")...))
	p.Foreground = o.textOr("foregroundProcess", executable)
	p.ForegroundArgs = o.listOr("foregroundProcessArgs", append(args[:len(args):len(args)], o.list("foregroundProcessExtraArgs")...))
	p.readCredentials(o)
	o.refuseOthers()
	p.check(o)
	return p, o.err()
}

// isProcessProperty tells the properties of processes from those of managers.
func isProcessProperty(key string) bool {
	switch key {
	case "name", "instanceName", "description", "initialize", "process", "args", "daemon", "daemonExtraArgs",
		"daemonArgs", "foregroundProcess", "foregroundProcessExtraArgs", "foregroundProcessArgs", "pidFile",
		"path", "environment", "directory", "umask", "nice", "user", "dependencies", "credentials", "postInstall":
		return true
	}
	return false
}

// merge replaces a value, or the members of an object one by one.
func merge(old, new any) any {
	before, wasObject := old.(map[string]any)
	after, isObject := new.(map[string]any)
	if !wasObject || !isObject {
		return new
	}
	merged := maps.Clone(before)
	for key, value := range after {
		merged[key] = merge(merged[key], value)
	}
	return merged
}

// processName is what names of files, units and programs are made of.
var processName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+@-]*$`)

var (
	octal    = regexp.MustCompile(`^0?[0-7]{1,4}$`)
	integer  = regexp.MustCompile(`^[+-]?[0-9]{1,3}$`)
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	userName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$`)
)

// check reports values that no manager can do anything with.
func (p *Process) check(o *object) {
	switch {
	case p.Name == "":
		o.problem("neither name nor instanceName is given: one of them is needed")
	case !processName.MatchString(p.Name):
		o.problem("name %q has other characters than letters, digits and _.+@-", p.Name)
	}
	if p.InstanceName != "" && !processName.MatchString(p.InstanceName) {
		o.problem("instanceName %q has other characters than letters, digits and _.+@-", p.InstanceName)
	}
	if p.Daemon == "" && p.Foreground == "" {
		o.problem("none of process, daemon and foregroundProcess is given")
	}
	for _, path := range []struct{ key, value string }{
		{"daemon", p.Daemon}, {"foregroundProcess", p.Foreground}, {"pidFile", p.PIDFile}, {"directory", p.Directory},
	} {
		if path.value != "" && path.value[0] != '/' {
			o.problem("%s %q is not an absolute path", path.key, path.value)
		}
	}
	if p.Umask != "" && !octal.MatchString(p.Umask) {
		o.problem("umask %q is not an octal number", p.Umask)
	}
	if p.Nice != "" && !integer.MatchString(p.Nice) {
		o.problem("nice %q is not a whole number", p.Nice)
	}
	if p.User != "" && !userName.MatchString(p.User) {
		o.problem("user %q cannot be the name of a user", p.User)
	}
	for name := range p.Environment {
		if !variable.MatchString(name) {
			o.problem("environment: %q cannot be the name of a variable", name)
		}
	}
}
