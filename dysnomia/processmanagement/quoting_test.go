package processmanagement

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"howett.net/plist"
	"pgregory.net/rapid"
)

// reporter is a program that tells its arguments and variables, each ended by
// a NUL byte, and its PID.
const reporter = `#!/bin/sh
echo $$ > "$REPORT.pid"
{ printf '%s\0' "$#" "$@"; env -0; } > "$REPORT.part"
mv "$REPORT.part" "$REPORT"
[ "$LINGER" != 1 ] || exec sleep 600
`

// hostile draws text in which everything that some syntax treats specially is
// frequent.
func hostile(t *rapid.T, label string) string {
	return rapid.StringOf(rapid.SampledFrom([]rune("ab '\"\\$`%;#!*?~&|<>(){}[]=-\t\n\u00e4,:@+^"))).Draw(t, label)
}

type drawn struct {
	Args        []string
	Environment map[string]string
}

func draw(t *rapid.T) drawn {
	d := drawn{Environment: map[string]string{}}
	for i := range rapid.IntRange(0, 12).Draw(t, "arguments") {
		d.Args = append(d.Args, hostile(t, fmt.Sprintf("argument %d", i)))
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "variables") {
		d.Environment[[]string{"VARIABLE", "pid", "state", "job", "PATH", "stopping"}[i]] = hostile(t, fmt.Sprintf("variable %d", i))
	}
	if path, ok := d.Environment["PATH"]; ok {
		// Without any program for the script, but with those of the reporter.
		d.Environment["PATH"] = "/nonexistent " + strings.ReplaceAll(path, ":", "") + ":/usr/bin:/bin"
	}
	return d
}

// description returns a process that runs the reporter.
func (d drawn) description(t testing.TB, dir string, daemon, lingers bool) string {
	t.Helper()
	program := filepath.Join(dir, "program")
	content := reporter
	if daemon {
		content = strings.Replace(content, "#!/bin/sh\n", "#!/bin/sh\n[ \"$DETACHED\" = 1 ] || { DETACHED=1 setsid \"$0\" \"$@\" > /dev/null 2>&1 & exit; }\n", 1)
	}
	if err := os.WriteFile(program, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	key := "foregroundProcess"
	if daemon {
		key = "daemon"
	}
	environment := maps.Clone(d.Environment)
	environment["REPORT"] = filepath.Join(dir, "report")
	if lingers {
		environment["LINGER"] = "1"
	}
	data, err := json.Marshal(map[string]any{
		"name": "reporter", key: program, "args": d.Args, "environment": environment,
		"initialize": "echo \"$REPORT\" > \"$REPORT.initialized\"", "pidFile": filepath.Join(dir, "report.pid"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// check compares what the reporter tells with what was drawn.
func (d drawn) check(t *testing.T, report string) {
	t.Helper()
	content, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(strings.TrimSuffix(string(content), "\x00"), "\x00")
	if words[0] != fmt.Sprint(len(d.Args)) || !slices.Equal(words[1:1+len(d.Args)], d.Args) {
		t.Fatalf("the program got %q instead of %q", words[:1+len(d.Args)], d.Args)
	}
	for name, value := range d.Environment {
		if !slices.Contains(words[1+len(d.Args):], name+"="+value) {
			t.Fatalf("the program did not get %s=%q but %q", name, value, words[1+len(d.Args):])
		}
	}
	if _, err := os.Stat(report + ".initialized"); err != nil {
		t.Fatal(err)
	}
}

// install writes a component as its plugin would find it.
func install(t testing.TB, c *Component, dir string) {
	t.Helper()
	for path, file := range c.Files {
		path = filepath.Join(dir, c.Name, path)
		mode := os.FileMode(0o644)
		if file.Executable {
			mode = 0o755
		}
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case err != nil || file.Directory:
		case file.Link != "":
			err = os.Symlink(file.Link, path)
		default:
			err = os.WriteFile(path, file.Content, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestValuesReachTheProcess runs what is generated for the managers that run
// scripts, with real shells: every value must arrive as it is.
func TestValuesReachTheProcess(t *testing.T) {
	for _, test := range []struct {
		manager Manager
		daemon  bool
		command []string
	}{
		{Disnix, true, []string{"bin/reporter"}},
		{Disnix, false, []string{"bin/reporter"}},
		{SysVInit, true, []string{"etc/rc.d/init.d/reporter", "start"}},
		{SysVInit, false, []string{"etc/rc.d/init.d/reporter", "start"}},
		{Supervisord, false, []string{"libexec/reporter"}},
		{Supervisord, true, []string{"libexec/reporter"}},
		{S6RC, false, []string{"etc/s6/sv/reporter-srv/run"}},
		{S6RC, true, []string{"libexec/up"}},
		{Launchd, false, []string{"libexec/reporter"}},
		{Cygrunsrv, false, []string{"libexec/reporter"}},
		{Docker, false, []string{"libexec/reporter"}},
	} {
		t.Run(fmt.Sprintf("%s, daemon %t", test.manager, test.daemon), func(t *testing.T) {
			const examples = 2
			first := int(time.Now().UnixNano() & 0xffffff)
			for seed := range examples {
				t.Logf("seed %d", first+seed)
				runReporter(t, test.manager, test.daemon, test.command, rapid.Custom(draw).Example(first+seed))
			}
		})
	}
}

func runReporter(t *testing.T, manager Manager, daemon bool, command []string, d drawn) {
	t.Helper()
	dir := t.TempDir()
	c := translate(t, d.description(t, dir, daemon, daemon || manager == Disnix || manager == SysVInit), Settings{Manager: manager, Dir: dir, Directories: Directories{State: dir}})
	install(t, c, dir)
	cmd := exec.Command(filepath.Join(dir, c.Name, command[0]), command[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer endReporter(t, dir)
	if manager != Supervisord || !daemon { // there, the script lasts as long as the daemon
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, &out)
		}
	}
	awaitFile(t, filepath.Join(dir, "report"))
	d.check(t, filepath.Join(dir, "report"))
	if cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// endReporter ends a reporter that lingers.
func endReporter(t *testing.T, dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "report.pid"))
	if err != nil {
		t.Error(err)
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL) // fails if it has ended
	}
}

// TestValuesOfUnits reads units by the rules of systemd.syntax(7).
func TestValuesOfUnits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt)
		c := translate(t, d.description(t, t.TempDir(), false, false), Settings{Manager: Systemd, Dir: "/generated"})
		unit := string(c.Files["etc/systemd/system/nix-process-reporter.service"].Content)
		environment := map[string]string{}
		for _, line := range strings.Split(unit, "\n") {
			key, value, _ := strings.Cut(line, "=")
			switch key {
			case "ExecStart":
				words := unquote(rt, value)
				for i, word := range words[1:] {
					words[i+1] = strings.ReplaceAll(word, "$$", "$")
				}
				if !slices.Equal(words[1:], d.Args) {
					rt.Fatalf("%s: read as %q, not %q", line, words[1:], d.Args)
				}
			case "Environment":
				name, value, _ := strings.Cut(unquote(rt, value)[0], "=")
				environment[name] = value
			}
		}
		for name, value := range d.Environment {
			if environment[name] != value {
				rt.Fatalf("%s is read as %q, not %q:\n%s", name, environment[name], value, unit)
			}
		}
	})
}

// unquote splits a line of a unit into words.
func unquote(t *rapid.T, line string) []string {
	var words []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		var word strings.Builder
		quoted := line[0] == '"'
		if quoted {
			line = line[1:]
		}
		for {
			if line == "" {
				if quoted {
					t.Fatal("a quote is not closed")
				}
				break
			}
			c := line[0]
			if quoted && c == '"' || !quoted && c == ' ' {
				line = line[1:]
				break
			}
			switch {
			case c == '%' && !strings.HasPrefix(line, "%%"):
				t.Fatalf("there is a specifier in %q", line)
			case c == '%':
				line = line[1:]
			case c == '\\':
				c = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '\\': '\\', '"': '"'}[line[1]]
				line = line[1:]
			case !quoted && strings.IndexByte(`'"`, c) >= 0:
				t.Fatalf("there is a quote inside of a word: %q", line)
			}
			word.WriteByte(c)
			line = line[1:]
		}
		words = append(words, word.String())
	}
	return words
}

// TestValuesOfPropertyLists reads property lists back.
func TestValuesOfPropertyLists(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt)
		data, err := json.Marshal(map[string]any{"name": "p", "foregroundProcess": "/bin/p", "args": d.Args, "environment": d.Environment})
		if err != nil {
			rt.Fatal(err)
		}
		c := translate(t, string(data), Settings{Manager: Launchd, Dir: "/generated"})
		var read struct {
			ProgramArguments     []string
			EnvironmentVariables map[string]string
		}
		if _, err := plist.Unmarshal(c.Files["Library/LaunchDaemons/org.nixos.p.plist"].Content, &read); err != nil {
			rt.Fatal(err)
		}
		if _, drawn := d.Environment["PATH"]; !drawn {
			delete(read.EnvironmentVariables, "PATH")
		}
		if !slices.Equal(read.ProgramArguments[1:], d.Args) || !maps.Equal(read.EnvironmentVariables, d.Environment) {
			rt.Fatalf("read as %q, not %q", read, d)
		}
	})
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `i=0; until [ -e "$0" ]; do i=$((i+1)); [ $i -lt 6000 ] || exit 1; sleep 0.02; done`, path)
	if err := cmd.Run(); err != nil {
		t.Fatalf("there is no %s", path)
	}
}
