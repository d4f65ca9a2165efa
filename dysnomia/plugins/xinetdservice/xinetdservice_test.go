package xinetdservice

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/porttest"
)

// server is a real xinetd.
// insideVariable says that the tests run in a namespace of their own.
const insideVariable = "DYSNOMIA_XINETD_TEST_INSIDE"

// TestMain runs the tests where nobody else's processes are: the plugin finds
// every xinetd there is, and others find ours.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 || os.Getenv(insideVariable) != "" {
		os.Exit(m.Run())
	}
	own, err := os.Executable()
	if err != nil {
		panic(err)
	}
	// The shell is the first process, which all that have lost their parent get.
	cmd := exec.Command("unshare", append([]string{"--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", `"$0" "$@"; exit $?`, own}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), insideVariable+"=yes")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		panic(err)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}

type server struct {
	dir string
	cmd *exec.Cmd
}

func (s *server) pidFile() string   { return filepath.Join(s.dir, "pid") }
func (s *server) targetDir() string { return filepath.Join(s.dir, "xinetd.d") }

func startServer(t testing.TB) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	if err := os.Mkdir(s.targetDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	plugintest.WriteFile(t, filepath.Join(s.dir, "conf"), "defaults\n{\n\tbind = 127.0.0.1\n}\nincludedir "+s.targetDir()+"\n")
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

func (s *server) start(t testing.TB) {
	t.Helper()
	// Without any service, xinetd would end at once.
	s.cmd = exec.Command("xinetd", "-dontfork", "-stayalive", "-f", filepath.Join(s.dir, "conf"), "-pidfile", s.pidFile(), "-filelog", filepath.Join(s.dir, "log"))
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("%v: run `make setup-process-managers`", err)
	}
	err := await.Until(t.Context(), "xinetd to start", time.Minute, func(context.Context) (bool, string, error) {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return strings.Contains(string(log), "Started working"), string(log), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	_ = os.Remove(s.pidFile())
}

const greeter = `service greeter
{
	type        = UNLISTED
	socket_type = stream
	wait        = no
	user        = root
	port        = PORT
	server      = /bin/echo
	server_args = hello
}
`

func component(t testing.TB, s *server, conf string) plugintest.Component {
	t.Helper()
	path, port := filepath.Join(t.TempDir(), "component"), fmt.Sprint(porttest.Port(t))
	plugintest.WriteFile(t, filepath.Join(path, "etc/xinetd.d", "greeter-"+port), strings.ReplaceAll(conf, "PORT", port))
	return plugintest.Component{Path: path, Container: "xinetd-service", Properties: map[string]string{
		"xinetdTargetDir": s.targetDir(), "xinetdPidFile": s.pidFile(), "port": port, "timeout": "600",
	}}
}

// greeting is what the service says to a client, nothing if there is none.
func greeting(c plugintest.Component) string {
	conn, err := net.Dial("tcp", "127.0.0.1:"+c.Properties["port"])
	if err != nil {
		return ""
	}
	defer conn.Close()
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

func config(s *server) plugintest.Config {
	return plugintest.Config{
		Type:    "xinetd-service",
		Plugin:  Plugin{},
		New:     func(t *testing.T) plugintest.Component { return component(t, s, greeter) },
		Broken:  func(t *testing.T) plugintest.Component { return broken(t, s) },
		Running: func(_ *testing.T, c plugintest.Component) bool { return greeting(c) == "hello" },
	}
}

// broken has a server that does not exist: xinetd refuses the service.
func broken(t testing.TB, s *server) plugintest.Component {
	c := component(t, s, strings.Replace(greeter, "/bin/echo", "/nonexistent/server", 1))
	c.Properties["timeout"] = "1"
	return c
}

func fails(t *testing.T, f *plugintest.Fixture, texts ...string) {
	t.Helper()
	err := f.Run(t.Context(), dysnomia.Activate)
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error: %v, want %q in it", err, text)
		}
	}
	if active, _ := f.State.IsActive(f.Container, f.Name()); active {
		t.Error("it is marked as active")
	}
	entries, err := linkdir.Entries(filepath.Join(f.Path, "etc/xinetd.d"), f.Properties["xinetdTargetDir"])
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if target, _ := os.Readlink(entry.Path); target == entry.Source {
			t.Errorf("the link %s is left", entry.Path)
		}
	}
}

func TestConformance(t *testing.T) { plugintest.Run(t, config(startServer(t))) }

func TestRoughEdge_modules25(t *testing.T) {
	s := startServer(t)
	t.Run("modules 25: a service that xinetd refuses is a failure and leaves no link", func(t *testing.T) {
		fails(t, plugintest.NewFixture(t, config(s), broken(t, s)), "wait for xinetd to listen", "service greeter at tcp port")
	})
	t.Run("modules 25: a port that is taken is a failure", func(t *testing.T) {
		f := plugintest.NewFixture(t, config(s), component(t, s, greeter))
		listener, err := net.Listen("tcp", "127.0.0.1:"+f.Properties["port"])
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		f.Properties["timeout"] = "1"
		fails(t, f, "is used by another process")
	})
	t.Run("modules 25: several processes are not taken for one", func(t *testing.T) {
		startServer(t)
		f := plugintest.NewFixture(t, config(s), component(t, s, greeter))
		f.Properties["xinetdPidFile"] = ""
		fails(t, f, "all are xinetd: set xinetdPidFile")
	})
	t.Run("modules 25: the process is found without a file", func(t *testing.T) {
		f := plugintest.NewFixture(t, config(s), component(t, s, greeter))
		f.Properties["xinetdPidFile"] = ""
		f.Do(dysnomia.Activate)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
	t.Run("modules 25: a wrong process id is not signalled", func(t *testing.T) {
		f := plugintest.NewFixture(t, config(s), component(t, s, greeter))
		f.Properties["xinetdPidFile"] = filepath.Join(t.TempDir(), "pid")
		fails(t, f, "no such file")
		plugintest.WriteFile(t, f.Properties["xinetdPidFile"], fmt.Sprint(os.Getpid()))
		fails(t, f, "is not a running xinetd")
		plugintest.WriteFile(t, f.Properties["xinetdPidFile"], "-1")
		fails(t, f, "has no process id")
	})
	t.Run("modules 25: a file that xinetd ignores is a failure", func(t *testing.T) {
		f := plugintest.NewFixture(t, config(s), component(t, s, greeter))
		plugintest.WriteFile(t, filepath.Join(f.Path, "etc/xinetd.d/greeter.conf"), "")
		fails(t, f, "ignores files with a dot")
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	s := startServer(t)
	t.Run("modules 29, item 3: the rollback knows the component", func(t *testing.T) {
		fails(t, plugintest.NewFixture(t, config(s), broken(t, s)), "wait for xinetd to listen")
	})
	t.Run("modules 29, item 14: a service of another component is not touched", func(t *testing.T) {
		f := plugintest.NewFixture(t, config(s), component(t, s, greeter))
		f.Do(dysnomia.Activate)
		other := plugintest.NewFixture(t, config(s), component(t, s, greeter))
		own := filepath.Join(other.Path, "etc/xinetd.d")
		if err := os.Rename(filepath.Join(own, "greeter-"+other.Properties["port"]), filepath.Join(own, "greeter-"+f.Properties["port"])); err != nil {
			t.Fatal(err)
		}
		renamed := filepath.Join(filepath.Dir(other.Path), "another")
		if err := os.Rename(other.Path, renamed); err != nil {
			t.Fatal(err)
		}
		other.Path, other.State = renamed, f.State
		fails(t, other, "another component needs")
		other.Do(dysnomia.Deactivate)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
	})
	t.Run("modules 29, item 14: a service is stopped although the component has changed", func(t *testing.T) {
		f := plugintest.NewFixture(t, config(s), component(t, s, greeter))
		f.Do(dysnomia.Activate)
		file := filepath.Join(f.Path, "etc/xinetd.d/greeter-"+f.Properties["port"])
		if err := os.Rename(file, file+"-renamed"); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Deactivate)
		if links, err := os.ReadDir(s.targetDir()); err != nil || len(links) > 0 {
			t.Errorf("left: %v, %v", links, err)
		}
		err := await.Until(t.Context(), "the service to end", time.Minute, func(context.Context) (bool, string, error) {
			return greeting(f.Component) == "", "", nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestIDThatIsUsedAgain: only xinetd is told to read its configuration. Others
// would end.
func TestIDThatIsUsedAgain(t *testing.T) {
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = other.Process.Kill(), other.Wait() }()
	if err := reload(other.Process.Pid); err == nil || !strings.Contains(err.Error(), "not a running xinetd") {
		t.Errorf("error: %v", err)
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other process: %v", err)
	}
}

func TestServerIsNotRunning(t *testing.T) {
	s := startServer(t)
	f := plugintest.NewFixture(t, config(s), component(t, s, greeter))
	f.Do(dysnomia.Activate)
	s.stop()
	f.Do(dysnomia.Deactivate)
	f.Expect("")
	if !strings.Contains(f.Stderr, "assuming that the services were stopped already") {
		t.Errorf("output: %s", f.Stderr)
	}
	f.Properties["xinetdPidFile"] = ""
	fails(t, f, "xinetd")
}

func TestDatagramsAndDisabledServices(t *testing.T) {
	s := startServer(t)
	f := plugintest.NewFixture(t, config(s), component(t, s, strings.NewReplacer("stream", "dgram", "wait        = no", "wait        = yes").Replace(greeter)+
		strings.NewReplacer("greeter", "other", "PORT", "1", "type ", "disable = yes\n\ttype ").Replace(greeter)))
	f.Do(dysnomia.Activate, dysnomia.Deactivate)
}

func TestCancellation(t *testing.T) {
	s := startServer(t)
	f := plugintest.NewFixture(t, config(s), broken(t, s))
	f.Properties["timeout"] = "600"
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	go func() {
		for ctx.Err() == nil {
			if links, _ := os.ReadDir(s.targetDir()); len(links) > 0 {
				cancel(stop)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if err := f.Run(ctx, dysnomia.Activate); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	if links, err := os.ReadDir(s.targetDir()); err != nil || len(links) > 0 {
		t.Errorf("left: %v, %v", links, err)
	}
}

func TestParseServices(t *testing.T) {
	got, err := parseServices("# text\nservice http {\n}\nservice x\n{\n\tport = 99\n\tsocket_type=dgram\n\tlog_on_failure += HOST\n}\n")
	want := "[service http at tcp port 80 service x at udp port 99]"
	if err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	for _, bad := range []string{"defaults\n{\n}\n", "service x\n{\n", "}\n", "service no-such-name-at-all\n{\n}\n", "service x\n{\nport=0\n}\n", "service x\n{\nprotocol=sctp\n}\n"} {
		if got, err := parseServices(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func FuzzParseServices(f *testing.F) {
	f.Add(greeter)
	f.Fuzz(func(_ *testing.T, content string) { _, _ = parseServices(content) })
}

func TestShellHelp(t *testing.T) {
	s := &server{dir: t.TempDir()}
	f := plugintest.NewFixture(t, config(s), component(t, s, greeter))
	f.Do(dysnomia.Shell)
	if !strings.Contains(f.Stderr, "service greeter at tcp port "+f.Properties["port"]) {
		t.Errorf("help: %s", f.Stderr)
	}
}

// BenchmarkActivate measures an activation that ends when a real xinetd
// listens.
func BenchmarkActivate(b *testing.B) {
	s := startServer(b)
	plugintest.Benchmark(b, config(s), component(b, s, greeter))
}
