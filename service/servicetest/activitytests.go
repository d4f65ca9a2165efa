package servicetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/service"
)

// operations are the activities that run a module, with what it is asked.
var operations = []struct {
	word string
	run  func(service.Activities, context.Context, service.Activity) error
}{
	{"activate", service.Activities.Activate},
	{"deactivate", service.Activities.Deactivate},
	{"snapshot", service.Activities.Snapshot},
	{"restore", service.Activities.Restore},
	{"collect-garbage", service.Activities.DeleteState},
}

// hostile are values that a shell, an environment or a list of lines could
// spoil on the way.
var hostile = []string{
	"", " ", "two  words", "tab\there", `"double" 'single' \back`, "$HOME `id` $(id) ${x}", "* ? [a-z] ~ #", "; rm -rf / & | <", "a=b=c", "a,b, c", " around ", "ünïcödé", "--help", "-x",
}

var activityTests = []conformanceTest{
	{"every activity reaches the module", func(m *machine) {
		component := m.add("a", "")
		for _, operation := range operations {
			var output lockedBuffer
			err := operation.run(m, m.Context(), service.Activity{
				Component: component, Container: "box", Type: "recorder",
				Arguments: []string{"other=x", "greeting=hello"}, Output: &output,
			})
			m.must(err)
			m.wantCalls(operation.word + " a in box greeting hello")
			if got := output.String(); !strings.Contains(got, "output of "+operation.word+"\n") {
				m.Errorf("%s: output %q", operation.word, got)
			}
		}
	}},
	{"the container is the type by default", func(m *machine) {
		m.must(m.Activate(m.Context(), service.Activity{Component: m.add("a", ""), Type: "recorder"}))
		m.wantCalls("activate a in recorder")
	}},
	{"properties arrive as they are", func(m *machine) {
		component := m.add("a", "")
		for _, value := range hostile {
			m.must(m.Activate(m.Context(), service.Activity{
				Component: component, Container: "box", Type: "recorder", Arguments: []string{"greeting=" + value},
			}))
			m.wantCalls("activate a in box greeting " + value)
		}
		m.must(m.Activate(m.Context(), service.Activity{
			Component: component, Container: "box", Type: "recorder", Arguments: []string{"greeting=two\nlines"},
		}))
		m.wantCalls("activate a in box greeting two", "lines")
	}},
	{"a module that is provided by a package", func(m *machine) {
		module := m.file("provider/libexec/dysnomia/provided", "#!/bin/sh\necho \"$1 by the package in $3\" >> "+m.root+"/calls\n")
		m.must(os.Chmod(module, 0o755))
		m.must(m.Activate(m.Context(), service.Activity{Component: m.add("a", ""), Container: "own", Type: m.addTree(filepath.Join(m.root, "provider"))}))
		m.wantCalls("activate by the package in own")
	}},
	{"a failing module is an error", func(m *machine) {
		component := m.add("a", "")
		for _, operation := range operations {
			m.file("refuse", operation.word+" a\n")
			var output lockedBuffer
			err := operation.run(m, m.Context(), service.Activity{
				Component: component, Container: "box", Type: "recorder", Arguments: []string{"greeting=secret"}, Output: &output,
			})
			m.wantError(operation.word, err)
			if err != nil && strings.Contains(err.Error(), "secret") {
				m.Errorf("%s: the error tells a property: %v", operation.word, err)
			}
			if got := output.String(); !strings.Contains(got, "diagnostics of "+operation.word+"\n") {
				m.Errorf("%s: output %q", operation.word, got)
			}
		}
	}},
	{"a process that a module leaves behind goes on", func(m *machine) {
		module := m.file("modules/daemon", fmt.Sprintf("#!/bin/sh\nroot='%s'\n"+`
echo started
( while ! [ -e "$root/go" ]; do sleep 0.05; done; echo late; echo late >&2; : > "$root/survived" ) &
`, m.root))
		m.must(os.Chmod(module, 0o755))
		var output lockedBuffer
		m.must(m.Activate(m.Context(), service.Activity{Component: m.add("a", ""), Type: "daemon", Output: &output}))
		if got := output.String(); got != "started\n" {
			m.Errorf("output %q", got)
		}
		m.file("go", "")
		awaitFile(filepath.Join(m.root, "survived"), m.Context().Done())
	}},
	{"an unknown module is an error", func(m *machine) {
		err := m.Activate(m.Context(), service.Activity{Component: m.add("a", ""), Container: "box", Type: "no-such-module"})
		m.wantError("activate", err, "no-such-module")
	}},
	{"a malformed property is an error", func(m *machine) {
		err := m.Activate(m.Context(), service.Activity{Component: m.add("a", ""), Type: "recorder", Arguments: []string{"no-value"}})
		m.wantError("activate", err)
		m.wantCalls()
	}},
	{"an activation waits until the component is ready", func(m *machine) {
		flag := filepath.Join(m.root, "ready now")
		activity := service.Activity{Component: m.add("a", ""), Container: "box", Type: "recorder"}
		within := func(seconds int) service.Activity {
			ready := &models.Readiness{Exec: []string{"test", "-e", flag}, Timeout: seconds}
			activity.Arguments = []string{"greeting=hello", ready.Argument()}
			return activity
		}
		m.wantError("activate", m.Activate(m.Context(), within(1)))
		m.wantCalls("activate a in box greeting hello")
		m.file("ready now", "")
		m.must(m.Activate(m.Context(), within(300)))
		m.wantCalls("activate a in box greeting hello")
	}},
	{"activities run at the same time", func(m *machine) {
		const n = 8
		var group sync.WaitGroup
		var want []string
		for i := range n {
			name := fmt.Sprintf("c%d", i)
			component := m.add(name, "")
			want = append(want, "activate "+name+" in box")
			group.Go(func() {
				if err := m.Activate(m.Context(), service.Activity{Component: component, Container: "box", Type: "recorder"}); err != nil {
					m.Error(err)
				}
				if invalid, err := m.PrintInvalid(m.Context(), []string{component}); err != nil || len(invalid) != 0 {
					m.Errorf("invalid %v, %v", invalid, err)
				}
			})
		}
		group.Wait()
		calls := m.calls()
		slices.Sort(calls)
		m.want("calls", calls, nil, want...)
	}},
	{"a cancelled activity returns, and its module is stopped", func(m *machine) {
		component := m.add("a", "")
		waiting := filepath.Join(m.root, "waiting")
		m.file("wait", "activate a\n")
		ctx, cancel := context.WithCancel(m.Context())
		defer cancel()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			awaitFile(waiting, stop)
			cancel()
		}()
		err := m.Activate(ctx, service.Activity{Component: component, Container: "box", Type: "recorder"})
		m.wantError("activate", err)
		if ctx.Err() == nil {
			m.Fatal("it returned before it was cancelled")
		}
		m.wantCalls("activate a in box", "stopped")
	}},
	{"a cancelled context starts nothing", func(m *machine) {
		ctx, cancel := context.WithCancel(m.Context())
		cancel()
		m.wantError("activate", m.Activate(ctx, service.Activity{Component: m.add("a", ""), Type: "recorder"}))
		_, err := m.QueryRequisites(ctx, []string{m.missing("x")})
		m.wantError("query requisites", err)
		m.wantCalls()
	}},
	{"a shell runs a command with the properties", func(m *machine) {
		component := m.add("a", "")
		var out, diagnostics bytes.Buffer
		session := service.ShellSession{
			Command: `read -r line; echo "$line for ${this_component##*-} in $this_container with $greeting"; echo to stderr >&2`,
			Stdin:   strings.NewReader("input\n"), Stdout: &out, Stderr: &diagnostics,
		}
		activity := service.Activity{Component: component, Container: "box", Type: "recorder", Arguments: []string{"greeting=two  words"}}
		if m.noShell {
			if err := m.Shell(m.Context(), activity, session); !errors.Is(err, errors.ErrUnsupported) {
				m.Errorf("shell: %v, want that it is unsupported", err)
			}
			return
		}
		m.must(m.Shell(m.Context(), activity, session))
		if !strings.Contains(out.String(), "input for a in box with two  words\n") {
			m.Errorf("output %q, diagnostics %q", &out, &diagnostics)
		}
		if !strings.Contains(diagnostics.String(), "to stderr\n") {
			m.Errorf("diagnostics %q", &diagnostics)
		}
		session.Command = "exit 3"
		m.wantError("shell", m.Shell(m.Context(), activity, session))
	}},
	{"the configuration is a Nix expression", func(m *machine) {
		expression, err := m.CaptureConfig(m.Context())
		m.must(err)
		file := m.file("captured.nix", expression)
		out, err := nix.Output(m.Context(), "nix-instantiate", "--eval", "--strict", "--json", file)
		m.must(err)
		for _, part := range []string{`"hostname":"here"`, `"box":`, `"port":`} {
			if !strings.Contains(string(out), part) {
				m.Errorf("%s lacks %s", out, part)
			}
		}
	}},
	{"protocol 1: a configuration that cannot be captured is an error", func(m *machine) {
		m.file("containers/broken", "x=$(exit 3)\n")
		_, err := m.CaptureConfig(m.Context())
		m.wantError("capture the configuration", err, "broken")
	}},
}

// lockedBuffer is a buffer that complains if it is not written to by one
// goroutine at a time.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	if !b.mu.TryLock() {
		panic("the output of an activity is written to by two goroutines at a time")
	}
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
