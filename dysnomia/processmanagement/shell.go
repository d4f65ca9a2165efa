package processmanagement

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// shellQuote returns a word that sh reads as the text.
func shellQuote(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// plainWord matches what means itself in sh, systemd, supervisord, execline
// and everywhere else.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_/.:,+@-][A-Za-z0-9_/.:,+@=-]*$`)

func isPlain(words ...string) bool {
	for _, word := range words {
		if !plainWord.MatchString(word) {
			return false
		}
	}
	return true
}

func shellWords(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellQuote(word)
	}
	return strings.Join(quoted, " ")
}

// surroundings is the beginning of a script: what the manager does not do by
// itself.
type surroundings struct {
	// inheritPath appends the PATH of the caller, unless the environment of
	// the process sets PATH.
	inheritPath bool
}

// preamble returns the shell code that makes the surroundings of the process
// and initializes it.
func (t *translation) preamble(s surroundings) string {
	var b strings.Builder
	for _, v := range t.environment() {
		value := shellQuote(v.value)
		if v.name == "PATH" && t.setsPath() {
			// The script itself needs programs of the machine.
			value = shellQuote(systemPath)
		} else if v.name == "PATH" && s.inheritPath {
			value += `"${PATH:+:$PATH}"`
		}
		fmt.Fprintf(&b, "export %s=%s\n", v.name, value)
	}
	if t.Umask != "" {
		fmt.Fprintf(&b, "umask %s\n", t.Umask)
	}
	if t.Initialize != "" {
		fmt.Fprintf(&b, "%s || exit\n", t.command(t.initializeScript(), nil))
	}
	if t.Directory != "" {
		fmt.Fprintf(&b, "cd %s || exit\n", shellQuote(t.Directory))
	}
	return b.String()
}

// setsPath reports whether the environment of the process says what PATH is.
func (t *translation) setsPath() bool {
	_, given := t.Environment["PATH"]
	return given
}

// command returns the shell words of a command in the environment of the
// process.
func (t *translation) command(program string, args []string) string {
	words := shellWords(append([]string{program}, args...)...)
	if t.setsPath() {
		return "env PATH=" + shellQuote(t.Environment["PATH"]) + " " + words
	}
	return words
}

// initializeScript adds the script that prepares the process. It is for bash
// because the code was written for that of Nixpkgs.
func (t *translation) initializeScript() string {
	return t.script("libexec/initialize", "#!/usr/bin/env bash\nset -e\n"+t.Initialize+"\n")
}

// asUser returns shell words to put before a command that is run with the
// niceness and as the user of the process. Both are changed by programs that
// are replaced by the command, so that signals reach it.
func (t *translation) asUser(changeUser bool) string {
	var b strings.Builder
	if t.Nice != "" {
		fmt.Fprintf(&b, "nice -n %s ", t.Nice)
	}
	switch user := shellQuote(t.User); {
	case !changeUser || t.User == "":
	case t.Manager == Launchd: // macOS has no setpriv
		fmt.Fprintf(&b, "chroot -u %s / ", user)
	default:
		fmt.Fprintf(&b, `setpriv --reuid=%s --regid="$(id -g %[1]s)" --init-groups -- `, user)
	}
	return b.String()
}

// foregroundScript returns a script that becomes the process, or that stands
// for the daemon as long as it runs (process management page, section 2.1).
func (t *translation) foregroundScript(s surroundings, changeUser bool) string {
	script := "#!/bin/sh\n# Runs " + t.Name + " in the foreground.\n" + t.preamble(s)
	if t.Foreground != "" {
		return script + "exec " + t.asUser(changeUser) + t.command(t.Foreground, t.ForegroundArgs) + "\n"
	}
	start := t.asUser(changeUser) + t.command(t.Daemon, t.DaemonArgs)
	return script + t.pidFunctions() + `
_stopping=
forward() {
    _stopping=$1
    if running; then kill -"$1" "$_pid"; fi
}
trap 'forward TERM' TERM
trap 'forward INT' INT
rm -f "$_pid_file"
` + start + ` || exit
await_start || exit
if [ -n "$_stopping" ]; then forward "$_stopping"; fi
while running; do
    sleep 1 &
    wait $!
done
`
}

// pidFunctions returns shell functions about the process of the PID file. Their
// variables have names that the environment of a process hardly has.
//
// The file may be where everybody can write, and the script runs as root: so it
// has to be that of root, or of the user of the process that it names, and so
// has a link to it.
func (t *translation) pidFunctions() string {
	return fmt.Sprintf(`
_pid_file=%s
may_name() {
    _user=
    if [ -r "/proc/$_pid/status" ]; then
        { while read -r _key _user _rest && [ "$_key" != Uid: ]; do :; done < "/proc/$_pid/status"; } 2> /dev/null
    else
        read -r _user << END
$(ps -o uid= -p "$_pid")
END
    fi
    for _option in -ldn -ldnL; do
        set -- $(ls $_option "$_pid_file" 2> /dev/null)
        case "${3-}" in '') return 1 ;; 0 | "$_user" | "$(id -u)") ;; *) return 1 ;; esac
    done
}
running() {
    _pid=
    if [ -f "$_pid_file" ]; then read -r _pid < "$_pid_file" || [ -n "$_pid" ] || return 1; fi
    case "$_pid" in '' | *[!0-9]*) return 1 ;; esac
    kill -0 "$_pid" 2> /dev/null || return 1
    may_name || return 1
    _state=
    if [ -r "/proc/$_pid/stat" ]; then { read -r _state < "/proc/$_pid/stat"; } 2> /dev/null || return 1; fi
    case "$_state" in *") Z "*) return 1 ;; esac # it has ended, but nobody has asked how
}
_job=
await_start() {
    _tries=0
    until running; do
        _tries=$((_tries + 1))
        if [ $_tries -gt %d ]; then
            echo %s >&2
            return 1
        fi
        sleep 0.1
        if [ -n "$_job" ] && ! kill -0 "$_job" 2> /dev/null && ! running; then
            echo %s >&2
            return 1
        fi
    done
}
`, shellQuote(t.pidFile()), 10*t.startTimeout(), shellQuote(fmt.Sprintf("%s: no process has written its id to %s within %d s", t.Name, t.pidFile(), t.startTimeout())),
		shellQuote(fmt.Sprintf("%s: the process has ended at once: see %s", t.Name, t.logFile())))
}

// startTimeout is how many seconds a daemon may take to write its PID file.
// The original always waits for 10 (process management page, rough edge 5).
func (t *translation) startTimeout() int {
	return t.extra.seconds("pidFileTimeout", 10)
}

// startDaemon returns shell code that starts the process in the background and
// waits until it has written its PID file.
func (t *translation) startDaemon() string {
	code := t.makeDirectory(filepath.Dir(t.pidFile())) + " || exit\nrm -f \"$_pid_file\"\n"
	if t.Daemon != "" {
		return code + t.asUser(true) + t.command(t.Daemon, t.DaemonArgs) + " || exit\nawait_start || exit\n"
	}
	log := t.logFile()
	code += t.makeDirectory(filepath.Dir(log)) + " || exit\n"
	// The shell in between writes its own id, which is that of the process
	// that it becomes, to a new file (-C).
	return code + "setsid " + t.asUser(true) + `sh -C -c 'echo $$ > "$0" && exec "$@"' "$_pid_file" ` +
		t.command(t.Foreground, t.ForegroundArgs) +
		" < /dev/null >> " + shellQuote(log) + " 2>&1 &\n_job=$!\nawait_start || exit\n"
}

// makeDirectory returns shell code that creates a directory if it is missing;
// that for temporary files belongs to everybody.
func (t *translation) makeDirectory(dir string) string {
	mode := ""
	if dir == t.Directories.Tmp {
		mode = "-m 1777 "
	}
	return fmt.Sprintf("[ -d %s ] || mkdir -p %s%[1]s", shellQuote(dir), mode)
}
