package processmanagement

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// bsdrc makes a script for rc.subr(8).
func (t *translation) bsdrc() {
	o := t.extra
	name := notIdentifier.ReplaceAllString(t.Name, "_")
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	if !o.boolean("commandIsDaemon", true) && t.Daemon != "" {
		if t.Foreground == "" {
			t.Foreground, t.ForegroundArgs = t.Daemon, t.DaemonArgs
		}
		t.Daemon, t.DaemonArgs = "", nil
	}
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	requires := strings.Fields(t.dependencyNames() + " " + strings.Join(o.list("requires"), " "))
	for _, line := range []struct {
		key   string
		words []string
	}{
		{"PROVIDE", o.listOr("provides", []string{t.Name})},
		{"REQUIRE", requires},
		{"KEYWORD", o.list("keywords")},
	} {
		if len(line.words) > 0 {
			fmt.Fprintf(&b, "# %s: %s\n", line.key, oneLine(strings.Join(line.words, " ")))
		}
	}
	fmt.Fprintf(&b, "\n. %s\n\nname=%s\nrcvar=%s_%s\n", shellQuote(o.textOr("rcSubr", "/etc/rc.subr")), name, name, o.textOr("rcvar", "enabled"))
	b.WriteString("load_rc_config $name\n")
	defaults := o.environment("rcvarsDefaults")
	for _, key := range slices.Sorted(maps.Keys(defaults)) {
		fmt.Fprintf(&b, "[ -n \"$%s_%s\" ] || %[1]s_%s=%s\n", name, key, key, shellQuote(defaults[key]))
	}
	for _, key := range []struct{ override, variable string }{
		{"requiredDirs", "required_dirs"}, {"requiredFiles", "required_files"},
		{"requiredVars", "required_vars"}, {"requiredModules", "required_modules"},
	} {
		if list := o.list(key.override); len(list) > 0 {
			fmt.Fprintf(&b, "%s=%s\n", key.variable, shellQuote(strings.Join(list, " ")))
		}
	}
	stop, reload := signalName(o, "stopSignal", "TERM"), signalName(o, "reloadSignal", "HUP")
	// The commands are functions, because rc.subr evaluates the text of
	// command_args again.
	b.WriteString("pidfile=" + shellQuote(t.pidFile()) + "\nextra_commands=\"reload status\"\n")
	for _, command := range []string{"start", "stop", "reload", "status"} {
		fmt.Fprintf(&b, "%s_cmd=%s_%[1]s\n", command, name)
	}
	b.WriteString(t.pidFunctions() + strings.Replace(stopFunction, "-TERM", "-"+stop, 1))
	fmt.Fprintf(&b, `
%[1]s_start() {
if running; then echo "%[1]s is already running (process $_pid)"; return 0; fi
%[2]s}
%[1]s_stop() { stop_process; }
%[1]s_reload() { running && kill -%[3]s "$_pid"; }
%[1]s_status() {
if running; then echo "%[1]s is running as pid $_pid."; else echo "%[1]s is not running."; return 1; fi
}

run_rc_command "$1"
`, name, t.preamble(surroundings{})+t.startBSDDaemon(), reload)
	t.script("etc/rc.d/"+t.Name, b.String())
	t.addCredentials()
}

var notIdentifier = regexp.MustCompile(`[^A-Za-z0-9_]`)

func signalName(o *object, key, fallback string) string {
	signal := strings.TrimPrefix(strings.TrimPrefix(o.textOr(key, fallback), "-"), "SIG")
	if !variable.MatchString(signal) {
		o.problem("%s%s %q is not a signal", o.path, key, signal)
	}
	return signal
}

// startBSDDaemon is startDaemon with the programs of BSD: daemon(8) makes
// daemons, su(1) changes users.
func (t *translation) startBSDDaemon() string {
	nice := ""
	if t.Nice != "" {
		nice = "nice -n " + t.Nice + " "
	}
	code := t.makeDirectory(filepath.Dir(t.pidFile())) + " || return\nrm -f \"$_pid_file\"\n"
	if t.Foreground != "" && t.Daemon == "" {
		log := t.logFile()
		code += t.makeDirectory(filepath.Dir(log)) + " || return\n" +
			nice + "daemon -p \"$_pid_file\" -o " + shellQuote(log) + " "
		if t.User != "" {
			code += "-u " + shellQuote(t.User) + " "
		}
		code += t.command(t.Foreground, t.ForegroundArgs)
	} else {
		command := t.command(t.Daemon, t.DaemonArgs)
		if t.User != "" {
			command = "su -m " + shellQuote(t.User) + " -c " + shellQuote("exec "+command)
		}
		code += nice + command
	}
	return code + " || return\nawait_start || return\n"
}
