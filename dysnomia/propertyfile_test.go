package dysnomia

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mvdan.cc/sh/v3/syntax"
	"pgregory.net/rapid"
)

// refuse is an evaluator for files that may not execute anything.
func refuse(*syntax.Assign) (Property, error) {
	return Property{}, errors.New("an expansion is refused")
}

// show returns properties as NAME=value and lists as NAME=[a|b].
func show(properties Properties) string {
	var lines []string
	for _, p := range properties {
		if p.IsList() {
			lines = append(lines, fmt.Sprintf("%s=[%s]", p.Name, strings.Join(p.List, "|")))
		} else {
			lines = append(lines, p.Name+"="+p.Value)
		}
	}
	return strings.Join(lines, "\n")
}

func TestParseProperties(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":                        {"", ""},
		"plain":                          {"A=1\n", "A=1"},
		"double quotes":                  {"A=\"1\"\n", "A=1"},
		"single quotes":                  {"A='1'\n", "A=1"},
		"empty":                          {"A=\nB=\"\"\nC=''\n", "A=\nB=\nC="},
		"empty list":                     {"A=()\n", "A=[]"},
		"list":                           {"A=(\"x\" \"y z\" )\n", "A=[x|y z]"},
		"unquoted list":                  {"A=(x y)\n", "A=[x|y]"},
		"list of a brace and a glob":     {"A=({a,b} *)\n", "A=[{a,b}|*]"},
		"blanks in quotes are kept":      {"A=\"two   words \"\n", "A=two   words "},
		"quotes in quotes":               {"A='it\"s'\nB=\"it's\"\nC=\"a \\\"b\\\"\"\n", "A=it\"s\nB=it's\nC=a \"b\""},
		"dollar in single quotes":        {"A='$HOME $(date) `date`'\n", "A=$HOME $(date) `date`"},
		"escaped dollar":                 {"A=\"\\$HOME\"\nB=\\$HOME\n", "A=$HOME\nB=$HOME"},
		"ANSI quotes":                    {"A=$'a\\nb\\tc'\n", "A=a\nb\tc"},
		"backslash":                      {"A=a\\ b\nB=\"a\\b\"\nC='a\\'\n", "A=a b\nB=a\\b\nC=a\\"},
		"pieces":                         {"A=a\"b\"'c'\n", "A=abc"},
		"comment after the value":        {"A=1 # text\n", "A=1"},
		"hash in a value":                {"A=1#2\nB=\"# no\"\n", "A=1#2\nB=# no"},
		"blanks around the line":         {"  A=1  \n\tB=2\t\n", "A=1\nB=2"},
		"continued line":                 {"A=a\\\nb\nB=2\n", "A=ab\nB=2"},
		"even backslashes do not go on":  {"A='a\\\\'\nB=2\n", "A=a\\\\\nB=2"},
		"comments do not go on":          {"# text \\\nA=1\n", "A=1"},
		"CR LF":                          {"A=1\r\nB=\"2\"\r\nC=(x\\\r\ny)\r\n# no\r\n\r\ntype=x\r", "A=1\nB=2\nC=[xy]\ntype=x"},
		"last value counts":              {"A=1\nB=2\nA=3\n", "A=3\nB=2"},
		"several assignments of a line":  {"A=1 B=2;C=3\n", "A=1\nB=2\nC=3"},
		"equals sign in a value":         {"A=b=c==\n", "A=b=c=="},
		"UTF-8":                          {"A=\"Grüße\"\n", "A=Grüße"},
		"as made by the NixOS module":    {"mysqlPort=\"3306\"\n\nlist=(\"a\" \"b\" )\ntype=mysql-database", "mysqlPort=3306\nlist=[a|b]\ntype=mysql-database"},
		"tilde that is not at the start": {"A=a~\nB=\"~\"\n", "A=a~\nB=~"},
	} {
		t.Run(name, func(t *testing.T) {
			properties, err := parseProperties("file", test.text, refuse)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "properties", show(properties), test.want)
		})
	}
}

func TestParsePropertiesRefuses(t *testing.T) {
	const form = "not of the form NAME=value"
	for name, test := range map[string]struct{ text, want string }{
		"blanks around the equals sign": {"A = 1\n", form},
		"bad name":                      {"a-b=1\n", form},
		"digit":                         {"0=1\n", form},
		"words":                         {"some words\n", form},
		"command after an assignment":   {"A=x rm\n", form},
		"export":                        {"export A=1\n", form},
		"declare":                       {"declare -x A=1\n", form},
		"redirection":                   {"A=1 >/tmp/x\n", form},
		"background":                    {"A=1 &\n", form},
		"negation":                      {"! A=1\n", form},
		"pipe":                          {"A=1 | cat\n", form},
		"function":                      {"A() { :; }\n", form},
		"append":                        {"A+=1\n", "A+= is not supported"},
		"element":                       {"A[0]=1\n", "A[…] is not supported"},
		"indexed elements":              {"A=([1]=x)\n", "read the value of A: the elements of a list have no index"},
		"open quote":                    {"A=\"x\n", "the value of A does not end with its line"},
		"open list":                     {"A=(x\n", "the value of A does not end with its line"},
		"stray bracket":                 {"A=x)\n", "the value of A cannot be read"},
		"Latin-1":                       {"A='\xe9'\n", "it is not encoded in UTF-8"},
		"NUL":                           {"A='a\x00b'\n", "NUL byte"},
		"variable":                      {"A=$HOME\n", "read the value of A: an expansion is refused"},
		"command":                       {"A=$(date)\n", "read the value of A: an expansion is refused"},
		"backquotes":                    {"A=`date`\n", "read the value of A: an expansion is refused"},
		"arithmetic":                    {"A=$((1+1))\n", "read the value of A: an expansion is refused"},
		"expansion in quotes":           {"A=\"x${HOME:-y}\"\n", "read the value of A: an expansion is refused"},
		"expansion in a list":           {"A=(x \"$HOME\")\n", "read the value of A: an expansion is refused"},
		"process substitution":          {"A=<(date)\n", "read the value of A: an expansion is refused"},
		"tilde":                         {"A=~/x\n", "read the value of A: an expansion is refused"},
		"tilde in a list":               {"A=(x ~root)\n", "read the value of A: an expansion is refused"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseProperties("file", "OK=1\n"+test.text, refuse)
			wantError(t, err, "file:2: ", test.want)
		})
	}
}

func TestParsePropertiesReportsAllLinesAndNoValue(t *testing.T) {
	text := "A=ok\nB = hidden\nC=hid'den\n\nD=(hidden\nE=hidden hidden\nF=hidden)hidden\nG=[hidden]|$((hidden+\n"
	_, err := parseProperties("/etc/box", text, refuse)
	wantError(t, err, "/etc/box:2: ", "/etc/box:3: ", "/etc/box:5: ", "/etc/box:6: ", "/etc/box:7: ", "/etc/box:8: ")
	if strings.Contains(err.Error(), "hid") {
		t.Errorf("the error shows a value: %v", err)
	}
}

// Any text survives quoting.
func TestParsePropertiesIsExact(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		return rapid.StringOf(rapid.RuneFrom([]rune("aZ0 \t\"'\\$`~#=(){}[]*?;&|<>!-,:äß語\x01\x7f"))).Draw(t, "text")
	})
	rapid.Check(t, func(t *rapid.T) {
		value, elements := text.Draw(t, "value"), rapid.SliceOf(text).Draw(t, "elements")
		source := "VALUE=" + ShellQuote(value) + "\nLIST=("
		for _, element := range elements {
			source += ShellQuote(element) + " "
		}
		properties, err := parseProperties("file", source+")", refuse)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := properties.Get("VALUE")
		if got.Value != value {
			t.Fatalf("value %q becomes %q", value, got.Value)
		}
		list, _ := properties.Get("LIST")
		if !list.IsList() || strings.Join(list.List, "\n") != strings.Join(elements, "\n") || list.Value != strings.Join(elements, " ") {
			t.Fatalf("list %q becomes %q", elements, list.List)
		}
	})
}

func FuzzParseProperties(f *testing.F) {
	for _, seed := range []string{
		"A=1\nB=\"two\"\nC=('x' \"y\" )\ntype=box\n", "A=$(date)\nB=~\nC=`x`\n", "A=1 # c\r\n", "A=\\\n\\\\\nB=(\n",
		"A=$'\\x41\\0'\n", "A=\"$\n", "export A=1", "A={1..9}\n", "A=[[ x ]]", "A=<<E\nx\nE\n", "A=((1", "A=$\"x\"\n", "A=@(a|b)\n", "A=$[1+1]\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		properties, err := parseProperties("file", text, refuse)
		if err != nil {
			return
		}
		// What was read can be written and read again.
		var again strings.Builder
		for _, p := range properties {
			if !syntax.ValidName(p.Name) || strings.ContainsRune(p.Value, 0) {
				t.Fatalf("property %q = %q", p.Name, p.Value)
			}
			if strings.ContainsAny(p.Value, "\n\r") {
				return
			}
			if !p.IsList() {
				fmt.Fprintf(&again, "%s=%s\n", p.Name, ShellQuote(p.Value))
				continue
			}
			fmt.Fprintf(&again, "%s=(", p.Name)
			for _, element := range p.List {
				fmt.Fprintf(&again, "%s ", ShellQuote(element))
			}
			again.WriteString(")\n")
		}
		second, err := parseProperties("file", again.String(), refuse)
		if err != nil {
			t.Fatalf("%v in %q", err, again.String())
		}
		if show(properties) != show(second) {
			t.Fatalf("%q becomes %q", show(properties), show(second))
		}
	})
}

func TestReadPropertiesEvaluates(t *testing.T) {
	m := newMachine(t)
	m.Environment = append(m.Environment, "USER=joe", "LIST=a b")
	secret := m.file("secret", "pass word\n", 0o600)
	file := m.container("box", strings.Join([]string{
		`A="$(cat ` + secret + `)"`, `B=~/x`, `C=$USER-${NONE:-none}`, `D=$((6*7))`, "E=`echo \"$USER\"`",
		`F=$(<` + secret + `)`, `G=($LIST "$LIST" $(echo c d))`, `H="$(echo 'a b' | tr a-z A-Z)"`, `I=$A`,
		`J="a $(echo b)"`,
	}, "\n"))
	properties, err := m.readProperties(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "properties", show(properties), strings.Join([]string{
		"A=pass word", "B=" + m.root + "/x", "C=joe-none", "D=42", "E=joe", "F=pass word",
		"G=[a|b|a b|c|d]", "H=A B", "I=", "J=a b",
	}, "\n"))
}

func TestReadPropertiesEvaluationFails(t *testing.T) {
	m := newMachine(t)
	file := m.container("box", "A=hidden\nB=$(echo a complaint >&2; exit 3)\nC=$(no-such-command)\nD=${NONE:?is needed}\n")
	_, err := m.readProperties(context.Background(), file)
	wantError(t, err, file+":2: read the value of B: its command ended with status 3: a complaint",
		file+":3: read the value of C: its command ended with status 127", "no-such-command",
		file+":4: read the value of D: ", "is needed")
	if strings.Contains(err.Error(), "hidden") {
		t.Errorf("the error shows another value: %v", err)
	}
}

func TestReadPropertiesStopsWithTheContext(t *testing.T) {
	m := newMachine(t)
	file := m.container("box", "A=$(read line <"+m.fifo("never")+")\n")
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("interrupted")
	cancel(reason)
	_, err := m.readProperties(ctx, file)
	if !errors.Is(err, reason) {
		t.Errorf("error: %v", err)
	}
}

func TestReadPropertiesOfUntrustedFiles(t *testing.T) {
	const text = "A=literal\nB=$(touch %s)\n"
	for name, distrust := range map[string]func(m *machine, file string) error{
		"file for the group":     func(_ *machine, file string) error { return os.Chmod(file, 0o664) },
		"file for everybody":     func(_ *machine, file string) error { return os.Chmod(file, 0o646) },
		"directory for everyone": func(m *machine, _ string) error { return os.Chmod(m.containers, 0o777) },
		"directory above":        func(m *machine, _ string) error { return os.Chmod(m.root, 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			trace := m.root + "/trace"
			file := m.container("box", fmt.Sprintf(text, trace))
			if err := distrust(m, file); err != nil {
				t.Fatal(err)
			}
			_, err := m.readProperties(context.Background(), file)
			wantError(t, err, file+":2: read the value of B: it needs an expansion, but ", "put it in single quotes")
			if _, err := os.Stat(trace); err == nil {
				t.Error("the command was executed")
			}
			m.container("box", "A=literal\n")
			if _, err := m.readProperties(context.Background(), file); err != nil {
				t.Errorf("a literal value is refused: %v", err)
			}
		})
	}
	t.Run("a sticky directory is no danger", func(t *testing.T) {
		m := newMachine(t)
		file := m.container("box", "A=$((1))\n")
		if err := os.Chmod(m.containers, 0o777|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
		if _, err := m.readProperties(context.Background(), file); err != nil {
			t.Error(err)
		}
	})
	t.Run("links are followed to the file", func(t *testing.T) {
		m := newMachine(t)
		file := m.file("loose/box", "A=$((1))\n", 0o644)
		if err := os.Chmod(m.root+"/loose", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(m.containers, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, m.containers+"/box"); err != nil {
			t.Fatal(err)
		}
		_, err := m.readProperties(context.Background(), m.containers+"/box")
		wantError(t, err, m.root+"/loose can be written by others")
	})
}

func TestCheckOwner(t *testing.T) {
	me := uint32(os.Geteuid())
	for _, test := range []struct {
		owner uint32
		mode  fs.FileMode
		want  string
	}{
		{0, 0o755, ""},
		{me, 0o600, ""},
		{me + 12345, 0o600, "/x belongs to neither root nor the calling user"},
		{me + 12345, fs.ModeDir | fs.ModeSticky | 0o755, "/x belongs to neither root nor the calling user"},
		{0, 0o664, "/x can be written by others than its owner"},
		{0, 0o646, "/x can be written by others than its owner"},
		{0, fs.ModeDir | 0o777, "/x can be written by others than its owner"},
		{0, fs.ModeDir | fs.ModeSticky | 0o777, ""},
		{0, fs.ModeSticky | 0o666, "/x can be written by others than its owner"},
	} {
		got := ""
		if err := checkOwner("/x", owned{test.owner, test.mode}); err != nil {
			got = err.Error()
		}
		equal(t, fmt.Sprintf("owner %d, mode %s", test.owner, test.mode), got, test.want)
	}
}

// owned is a file of which only owner and mode are known.
type owned struct {
	uid  uint32
	mode fs.FileMode
}

func (o owned) Name() string       { return "x" }
func (o owned) Size() int64        { return 0 }
func (o owned) Mode() fs.FileMode  { return o.mode }
func (o owned) ModTime() time.Time { return time.Time{} }
func (o owned) IsDir() bool        { return o.mode.IsDir() }
func (o owned) Sys() any           { return &syscall.Stat_t{Uid: o.uid} }
