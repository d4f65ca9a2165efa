package dockercontainer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/dockercontainer/enginetest"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// TestParametersMeanWhatTheyMeanToDocker compares our requests with those that
// the docker program (28.2.2) has sent for the same parameters.
func TestParametersMeanWhatTheyMeanToDocker(t *testing.T) {
	content, err := os.ReadFile("testdata/docker-create.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]struct {
		Parameters []string
		Request    map[string]any
	}
	if err := json.Unmarshal(content, &recorded); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", "/home/recorded")
	for name, record := range recorded {
		t.Run(name, func(t *testing.T) {
			e, f := start(t, nil, record.Parameters...)
			f.Do(dysnomia.Activate)
			var request map[string]any
			if err := json.Unmarshal(e.Container("dysnomia-component").Request, &request); err != nil {
				t.Fatal(err)
			}
			delete(request["Labels"].(map[string]any), digestLabel)
			request["Image"] = record.Request["Image"]
			got, want := meaning(request), meaning(record.Request)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got:\n%s\nwant:\n%s", indented(t, got), indented(t, want))
			}
		})
	}
}

// meaning drops what is not set, and what the program sets only to say that it
// is not set.
func meaning(request map[string]any) any {
	delete(request, "AttachStdout")
	delete(request, "AttachStderr")
	delete(request, "AttachStdin")
	delete(request, "StdinOnce")
	delete(request, "NetworkingConfig")
	host := request["HostConfig"].(map[string]any)
	delete(host, "MemorySwappiness")
	if policy := host["RestartPolicy"].(map[string]any); policy["Name"] == "no" {
		delete(policy, "Name")
	}
	return prune(request)
}

func prune(value any) any {
	switch value := value.(type) {
	case map[string]any:
		pruned := map[string]any{}
		for key, member := range value {
			member = prune(member)
			// Members that are themselves a set count by their name.
			isSet := key == "Volumes" || strings.Contains(key, "/") || key == "lonely"
			if member != nil || isSet {
				pruned[key] = member
			}
		}
		if len(pruned) == 0 {
			return nil
		}
		return pruned
	case []any:
		if len(value) == 0 || !slices.ContainsFunc(value, func(v any) bool { return prune(v) != nil }) {
			return nil
		}
		pruned := make([]any, len(value))
		for i := range value {
			pruned[i] = prune(value[i])
		}
		return pruned
	case string:
		if value == "" {
			return nil
		}
	case float64:
		if value == 0 {
			return nil
		}
	case bool:
		if !value {
			return nil
		}
	}
	return value
}

func indented(t *testing.T, value any) string {
	t.Helper()
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOtherParametersAreLeftToTheProgram uses a stand-in for it.
func TestOtherParametersAreLeftToTheProgram(t *testing.T) {
	for _, parameters := range [][]string{
		{"--mount", "type=bind,src=/a,dst=/b"}, {"--memory", "1g"}, {"--ulimit=nofile=10"}, {"-it"},
		{"--volume", "./relative:/data"}, {"--network", "a", "--network", "b"}, {"--privileged=false"},
	} {
		bin := t.TempDir()
		script := "#!/bin/sh\nprintf '%s\\n' \"$@\" > " + bin + "/arguments\necho not today >&2\nexit 125\n"
		if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		e, f := start(t, nil, parameters...)
		err := f.Run(t.Context(), dysnomia.Activate)
		if err == nil || !strings.Contains(err.Error(), "not today") || !strings.Contains(err.Error(), "needs the docker program") {
			t.Errorf("error: %v", err)
		}
		arguments, err := os.ReadFile(filepath.Join(bin, "arguments"))
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Split(strings.TrimSpace(string(arguments)), "\n")
		i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, digestLabel) })
		if i < 0 {
			t.Fatalf("there is no label in %q", words)
		}
		words[i] = digestLabel
		want := slices.Concat([]string{"--host", e.Host(), "create"}, parameters, []string{"--label", digestLabel, "--name", "dysnomia-component", tag})
		if !slices.Equal(words, want) {
			t.Errorf("got %q, want %q", words, want)
		}
		f.Expect("")
		if images := e.Images(); len(images) != 0 {
			t.Errorf("images are left: %v", images)
		}
	}
}

func TestTheProgramCreatesTheContainer(t *testing.T) {
	bin := t.TempDir()
	e := enginetest.Start(t)
	// Like the program, it asks the engine.
	script := `#!/usr/bin/env perl
use IO::Socket::UNIX;
my ($socket) = $ARGV[1] =~ m{^unix://(.*)};
my $name; for (0 .. $#ARGV) { $name = $ARGV[$_ + 1] if $ARGV[$_] eq "--name" }
my $body = qq({"Image": "$ARGV[-1]"});
my $s = IO::Socket::UNIX->new(Peer => $socket) or die "connect: $!";
print $s "POST /v1.40/containers/create?name=$name HTTP/1.1\r\nHost: docker\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
my $status = <$s>;
exit($status =~ / 201 / ? 0 : 1);
`
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	f := plugintest.NewFixture(t, config(e), componentWith(t, e, nil, "--memory", "64m"))
	f.Do(dysnomia.Activate)
	f.Expect("active")
	f.Do(dysnomia.Deactivate)
	f.Expect("")
}

// FuzzTranslate checks that bad parameters are errors.
func FuzzTranslate(f *testing.F) {
	f.Add("--publish\n8080:80\n-e\nA=1")
	f.Add("--volume=/a:/b\n--restart\non-failure:3\n--dns\n::1")
	f.Add("-p\n[::1]:1-3:1-3/udp\n--tmpfs\n/a:b\n-t")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			t.Skip()
		}
		options, untranslated, err := translate(strings.Split(text, "\n"), []string{"A=1"})
		if (options == nil) != (err != nil || untranslated != "") {
			t.Errorf("options: %v, untranslated: %q, error: %v", options, untranslated, err)
		}
	})
}
