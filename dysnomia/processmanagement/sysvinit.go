package processmanagement

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	firstSequence = 0
	lastSequence  = 99
	runlevels     = 7
)

// sysvinit makes an init script and its links for the runlevels.
func (t *translation) sysvinit() {
	o := t.extra
	start, stop := t.runlevels()
	path := "etc/rc.d/init.d/" + t.Name
	number := firstSequence + t.level
	if number > lastSequence {
		t.problem("there are %d processes to be started before it, which are more than the %d that the names of init scripts can order", t.level, lastSequence)
	}
	for _, level := range start {
		t.link(fmt.Sprintf("etc/rc.d/rc%d.d/S%02d%s", level, number, t.Name), "../init.d/"+t.Name)
	}
	for _, level := range stop {
		t.link(fmt.Sprintf("etc/rc.d/rc%d.d/K%02d%s", level, lastSequence-number+firstSequence, t.Name), "../init.d/"+t.Name)
	}
	t.processIsDaemon(o)
	activities := t.activities(o)
	var b strings.Builder
	b.WriteString("#!/bin/sh\n### BEGIN INIT INFO\n# Provides:      " + t.Name + "\n")
	for _, line := range []struct{ key, value string }{
		{"# Default-Start: ", joinNumbers(start)},
		{"# Default-Stop:  ", joinNumbers(stop)},
		{"# Should-Start:  ", t.dependencyNames()},
		{"# Should-Stop:   ", t.dependencyNames()},
		{"# Description:   ", oneLine(t.Process.Description)},
	} {
		if line.value != "" {
			b.WriteString(line.key + line.value + "\n")
		}
	}
	b.WriteString("### END INIT INFO\n")
	b.WriteString(t.pidFunctions())
	b.WriteString(stopFunction)
	if code := o.text("globalInstructions"); code != "" {
		b.WriteString(code + "\n")
	}
	b.WriteString("\ncase \"$1\" in\n")
	names := slices.SortedFunc(maps.Keys(activities), compareActivities)
	for _, name := range names {
		fmt.Fprintf(&b, "%s)\n%s\n;;\n", name, strings.TrimRight(activities[name], "\n"))
	}
	if _, given := activities["*"]; !given {
		fmt.Fprintf(&b, "*)\necho \"Usage: $0 {%s}\" >&2\nexit 2\n;;\n", strings.Join(names, "|"))
	}
	b.WriteString("esac\n")
	t.script(path, b.String())
	t.addCredentials()
}

// processIsDaemon applies the override that says how the executable runs.
func (t *translation) processIsDaemon(o *object) {
	if !o.boolean("processIsDaemon", true) && t.Daemon != "" {
		if t.Foreground == "" {
			t.Foreground, t.ForegroundArgs = t.Daemon, t.DaemonArgs
		}
		t.Daemon, t.DaemonArgs = "", nil
	}
}

// runlevels returns in which runlevels the process runs, and in which it does
// not. Without any it would never be started, which nobody wants: then it is
// in all for several users.
func (t *translation) runlevels() (start, stop []int) {
	given := t.extra.numbers("runlevels")
	start, stop = t.extra.numbers("defaultStart"), t.extra.numbers("defaultStop")
	if given == nil && start == nil && stop == nil {
		given = []int{2, 3, 4, 5}
	}
	if given == nil {
		return start, stop
	}
	start, stop = nil, nil
	for level := range runlevels {
		if slices.Contains(given, level) {
			start = append(start, level)
		} else {
			stop = append(stop, level)
		}
	}
	return start, stop
}

func (o *object) numbers(key string) []int {
	list := o.list(key)
	if list == nil {
		return nil
	}
	numbers := []int{}
	for _, text := range list {
		number, err := strconv.Atoi(text)
		if err != nil || number < 0 || number >= runlevels {
			o.problem("%s%s: %q is not a runlevel: these are 0 to %d", o.path, key, text, runlevels-1)
			continue
		}
		numbers = append(numbers, number)
	}
	return numbers
}

// activities returns the shell code of each activity of the script.
func (t *translation) activities(o *object) map[string]string {
	signal := strings.TrimPrefix(strings.TrimPrefix(o.textOr("reloadSignal", "HUP"), "-"), "SIG")
	if !variable.MatchString(signal) {
		t.problem("%sreloadSignal %q is not a signal", o.path, signal)
	}
	name := shellQuote(oneLine(t.Process.Description))
	activities := map[string]string{
		"start": "if running; then echo " + name + "\" is already running (process $_pid)\"; exit 0; fi\n" +
			"echo \"Starting \"" + name + "\n" + t.preamble(surroundings{inheritPath: true}) + t.startDaemon(),
		"stop":    "echo \"Stopping \"" + name + "\nstop_process || exit",
		"reload":  "running || { echo " + name + "\" is not running\" >&2; exit 7; }\nkill -" + signal + " \"$_pid\"",
		"restart": "\"$0\" stop && \"$0\" start",
		"status": "if running; then echo " + name + "\" is running (process $_pid)\"; exit 0; fi\n" +
			"echo " + name + "\" is not running\"\nif [ -e \"$_pid_file\" ]; then exit 1; else exit 3; fi",
	}
	instructions := o.object("instructions")
	for key := range instructions {
		inner := &object{path: o.path + "instructions." + key + ".", members: nested(o, instructions, o.path+"instructions", key)}
		activities[key] = "echo " + shellQuote(inner.text("activity")) + "\" \"" + name + "\n" + inner.text("instruction")
		inner.refuseOthers()
		o.problems = append(o.problems, inner.problems...)
	}
	for key, code := range o.environment("activities") {
		activities[key] = code
	}
	for _, key := range o.list("removeActivities") {
		delete(activities, key)
	}
	for key := range activities {
		if !processName.MatchString(key) && key != "*" {
			t.problem("%q cannot be the name of an activity", key)
		}
	}
	return activities
}

// stopFunction ends the process with SIGTERM and, if that does not help
// within ten seconds, SIGKILL.
const stopFunction = `stop_process() {
    _tries=0
    while running; do
        case $_tries in
        0) kill -TERM "$_pid" ;;
        100) kill -KILL "$_pid" ;;
        150) echo "Process $_pid has not ended." >&2; return 1 ;;
        esac
        _tries=$((_tries + 1))
        sleep 0.1
    done
    rm -f "$_pid_file"
}
`

// compareActivities orders the usual ones first.
func compareActivities(a, b string) int {
	rank := func(name string) string {
		usual := []string{"start", "stop", "reload", "restart", "status"}
		if i := slices.Index(usual, name); i >= 0 {
			return strconv.Itoa(i)
		}
		if name == "*" {
			return "~" // matches everything, so it is last
		}
		return "9" + name
	}
	return strings.Compare(rank(a), rank(b))
}

func (t *translation) dependencyNames() string {
	var names []string
	for _, dependency := range t.dependencies {
		names = append(names, dependency.Name)
	}
	return strings.Join(names, " ")
}

func joinNumbers(numbers []int) string {
	return strings.Trim(fmt.Sprint(numbers), "[]")
}

// oneLine makes text that can be a comment.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
