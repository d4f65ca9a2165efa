package sshclient

import (
	"os/user"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for text, want := range map[string]endpoint{
		"host":                {"", "host", ""},
		"host:2222":           {"", "host", "2222"},
		"me@host:2222":        {"me", "host", "2222"},
		"me@corp@host":        {"me@corp", "host", ""},
		"10.0.0.1:22":         {"", "10.0.0.1", "22"},
		"[::1]:2222":          {"", "::1", "2222"},
		"[::1]":               {"", "::1", ""},
		"::1":                 {"", "::1", ""},
		"me@[fe80::1%eth0]:7": {"me", "fe80::1%eth0", "7"},
	} {
		t.Run("protocol 5: "+text, func(t *testing.T) {
			if got, err := parseEndpoint(text); err != nil || got != want {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
		})
	}
	for _, text := range []string{"", ":22", "host:", "host:0", "host:65536", "host:ssh", "@host", "a:b:c", "[::1", "[::1]22", "[::1]:", "-oProxyCommand=x", "a b"} {
		if got, err := parseEndpoint(text); err == nil {
			t.Errorf("%q became %+v", text, got)
		}
	}
}

func FuzzParseEndpoint(f *testing.F) {
	f.Add("me@[::1]:22")
	f.Fuzz(func(t *testing.T, text string) {
		if e, err := parseEndpoint(text); err == nil && (e.host == "" || strings.HasPrefix(e.host, "-")) {
			t.Errorf("%q became %+v", text, e)
		}
	})
}

func TestOptions(t *testing.T) {
	o, err := parseOptions(" -i key1 -ikey2  -p 2222 -p 3333 -4 -qT -o User=me -oStrictHostKeyChecking=no -o ControlMaster=auto -o BatchMode=yes -F file -J jump -l other ")
	if err != nil {
		t.Fatal(err)
	}
	for keyword, want := range map[string]string{
		"identityfile": "key1 key2", "port": "2222 3333", "addressfamily": "inet", "user": "me other",
		"stricthostkeychecking": "no", "proxyjump": "jump",
	} {
		if got := strings.Join(o.values[keyword], " "); got != want {
			t.Errorf("%s: %q, want %q", keyword, got, want)
		}
	}
	if o.configFile != "file" {
		t.Errorf("file %q", o.configFile)
	}
}

func TestOptionsThatAreNotHonouredAreErrors(t *testing.T) {
	for text, want := range map[string]string{
		"-A":                         "-A",
		"-L 1:x:2":                   "-L",
		"-qC":                        "-C",
		"host":                       `"host"`,
		"-":                          `"-"`,
		"-p":                         "-p needs a value",
		"-p x":                       `"x"`,
		"-o Ciphers=none":            "Ciphers=none",
		"-o ForwardAgent=yes":        "ForwardAgent=yes",
		"-o PasswordAuthentication=": "Keyword=value",
		"-o Port":                    "Keyword=value",
	} {
		t.Run(text, func(t *testing.T) {
			if _, err := parseOptions(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "SSH_OPTS") && want != `"x"` {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
}

func FuzzParseOptions(f *testing.F) {
	f.Add("-i key -oPort=22 -4q")
	f.Fuzz(func(t *testing.T, text string) { _, _ = parseOptions(text) })
}

func FuzzBanner(f *testing.F) {
	f.Add([]byte("Welcome\nmark:12\noutput"), 3)
	f.Fuzz(func(t *testing.T, text []byte, at int) {
		var out strings.Builder
		u := &unmarked{mark: "mark:", next: &out, group: make(chan int, 1)}
		at = min(max(at, 0), len(text))
		if _, err := u.Write(text[:at]); err == nil {
			_, _ = u.Write(text[at:])
		}
		if u.begun && !strings.HasSuffix(string(text), out.String()) {
			t.Errorf("%q became %q", text, out.String())
		}
	})
}

func TestHomeDirectory(t *testing.T) {
	t.Setenv("HOME", "/somewhere")
	if home := homeDir(); home != "/somewhere" {
		t.Errorf("with HOME: %s", home)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", "")
	if home := homeDir(); home != me.HomeDir {
		t.Errorf("without HOME: %s", home)
	}
}
