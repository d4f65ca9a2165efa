package processmanagement

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	s6Services = "etc/s6/sv/"
	s6LogUser  = "s6-log"
)

// s6 makes the source definition of a service for s6-rc: a longrun with a
// logger in front, or a oneshot for a daemon.
func (t *translation) s6() {
	if t.Foreground == "" {
		t.s6Oneshot()
	} else {
		t.s6Longrun()
	}
	t.addCredentials()
}

// hasS6Log reports whether a process has a service of its own for its log.
func hasS6Log(p *Process) bool {
	o := &object{members: p.Extra}
	return p.Foreground != "" && o.boolean("autoGenerateLogService", true)
}

// s6Name returns the name of the service that is made for a process.
func s6Name(p *Process) string {
	if hasS6Log(p) {
		return p.Name + "-srv"
	}
	return p.Name
}

func (t *translation) s6Longrun() {
	name := s6Name(t.Process)
	t.component.Name = name
	dir := s6Services + name + "/"
	t.add(dir+"type", "longrun\n")
	t.s6Dependencies(dir)
	script := "#!/bin/sh\n# Runs " + t.Name + " under supervision.\nexec 2>&1\n" + t.preamble(surroundings{}) +
		"exec " + t.s6User() + t.command(t.Foreground, t.ForegroundArgs) + "\n"
	t.script(dir+"run", script)
	if t.extra.boolean("autoGenerateLogService", true) {
		t.add(dir+"producer-for", t.Name+"-log\n")
		t.s6Log(name)
	}
	t.s6Overrides(dir)
}

// s6User returns the words that change niceness and user.
func (t *translation) s6User() string {
	words := ""
	if t.Nice != "" {
		words = "nice -n " + t.Nice + " "
	}
	if t.User != "" {
		words += "s6-setuidgid " + shellQuote(t.User) + " "
	}
	return words
}

// s6Log makes the service that writes the log, and its user, which the
// original assumes to exist (process management page, rough edge 10).
func (t *translation) s6Log(producer string) {
	dir := s6Services + t.Name + "-log/"
	logs := shellQuote(t.Directories.Log + "/s6-log/" + t.Name)
	t.add(dir+"type", "longrun\n")
	t.add(dir+"consumer-for", producer+"\n")
	t.add(dir+"pipeline-name", t.Name+"\n")
	t.add(dir+"notification-fd", "3\n")
	script := "#!/bin/sh\n# Writes the log of " + t.Name + ".\nexport PATH=" + shellQuote(systemPath) + "\nmkdir -p " + logs + " || exit\n"
	if t.DisableUserChange {
		script += "exec s6-log -d3 T " + logs + "\n"
	} else {
		script += "chown " + s6LogUser + ":" + s6LogUser + " " + logs + " || exit\nexec s6-setuidgid " + s6LogUser + " s6-log -d3 T " + logs + "\n"
		t.Groups = withAccount(t.Groups, nil)
		t.Users = withAccount(t.Users, map[string]string{"group": s6LogUser, "description": "s6-log user"})
	}
	t.script(dir+"run", script)
}

// withAccount adds the logger's account unless it is described already.
func withAccount(accounts map[string]map[string]string, settings map[string]string) map[string]map[string]string {
	if _, given := accounts[s6LogUser]; given {
		return accounts
	}
	accounts = maps.Clone(accounts)
	accounts[s6LogUser] = settings
	return accounts
}

// s6Oneshot makes a service that starts and stops a daemon. Its up and down
// are command lines of execline, so they only name scripts.
func (t *translation) s6Oneshot() {
	t.extra.boolean("autoGenerateLogService", true)
	dir := s6Services + t.Name + "/"
	t.add(dir+"type", "oneshot\n")
	t.s6Dependencies(dir)
	begin := "#!/bin/sh\n" + t.pidFunctions() + stopFunction
	up := t.script("libexec/up", begin+"if running; then exit 0; fi\n"+t.preamble(surroundings{})+t.startDaemon())
	down := t.script("libexec/down", begin+"stop_process\n")
	t.add(dir+"up", execlineQuote(up)+"\n")
	t.add(dir+"down", execlineQuote(down)+"\n")
	t.s6Overrides(dir)
}

func (t *translation) s6Dependencies(dir string) {
	var names string
	for _, dependency := range t.dependencies {
		names += s6Name(dependency) + "\n"
	}
	if names != "" {
		t.add(dir+"dependencies", names)
	}
}

// s6Overrides makes a file of the service definition of each override: true
// is an empty one, false none.
func (t *translation) s6Overrides(dir string) {
	t.startTimeout()
	for _, key := range slices.Sorted(maps.Keys(t.extra.members)) {
		if t.extra.read[key] || !processName.MatchString(key) {
			continue
		}
		value, _ := t.extra.take(key)
		switch value {
		case nil, false:
			delete(t.component.Files, dir+key)
			continue
		case true:
			t.add(dir+key, "")
			continue
		}
		file := File{Executable: key == "run" || key == "finish"}
		if _, isList := value.([]any); isList {
			file.Content = fmt.Appendln(nil, strings.Join(t.extra.list(key), "\n"))
		} else {
			file.Content = fmt.Appendln(nil, strings.TrimSuffix(t.extra.text(key), "\n"))
		}
		t.component.Files[dir+key] = file
	}
}

// execlineQuote returns a word of execline.
func execlineQuote(word string) string {
	if isPlain(word) {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(word) + `"`
}
