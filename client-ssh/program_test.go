package sshclient_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/test/nixtest"
)

// runProgram runs one of the programs of this version.
func runProgram(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "disnix"), args...)
	var out, diagnostics strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), diagnostics.String(), cmd.ProcessState.ExitCode()
}

func TestProgram(t *testing.T) {
	inBothModes(t, func(t *testing.T, path string) {
		root := module(t, "echo output; exit 7\n")
		h := newHost(t, path)
		sshClient := func(args ...string) (string, string, int) {
			t.Helper()
			return runProgram(t, append([]string{"ssh-client", "--target", h.address}, args...)...)
		}
		out, err := exec.Command("nix-store", "--add", h.home).Output()
		if err != nil {
			t.Fatal(err)
		}
		path = strings.TrimSpace(string(out))
		t.Run("a failing module", func(t *testing.T) {
			out, diagnostics, status := sshClient("--activate", "--type", "recorder", "--arguments", "a=$x", root)
			if status != 7 || out != "output\n" {
				t.Errorf("status %d, %q, %q", status, out, diagnostics)
			}
		})
		t.Run("a closure goes there and back", func(t *testing.T) {
			out, diagnostics, status := sshClient("--export", "--remotefile", path)
			file := strings.TrimSpace(out)
			if status != 0 || filepath.Dir(file) != os.TempDir() {
				t.Fatalf("status %d, %q, %q", status, out, diagnostics)
			}
			if _, diagnostics, status = sshClient("--import", "--localfile", file); status != 0 {
				t.Errorf("status %d, %q", status, diagnostics)
			}
			if _, diagnostics, status = sshClient("--import", "--remotefile", file); status != 0 {
				t.Errorf("status %d, %q", status, diagnostics)
			}
			if _, _, status = sshClient("--import", "--remotefile", file+"x"); status != 255 {
				t.Errorf("a missing file: status %d", status)
			}
		})
		t.Run("protocol 8: export --localfile prints the name of the file", func(t *testing.T) {
			out, diagnostics, status := sshClient("--export", "--localfile", path)
			if file := strings.TrimSpace(out); status != 0 || os.Remove(file) != nil {
				t.Errorf("status %d, %q, %q", status, out, diagnostics)
			}
		})
		t.Run("observed 3: export of an invalid path fails", func(t *testing.T) {
			if out, _, status := sshClient("--export", "--remotefile", path+"x"); status == 0 || out != "" {
				t.Errorf("status %d, %q", status, out)
			}
		})
		t.Run("observed 12: the configuration is an expression", func(t *testing.T) {
			if out, diagnostics, status := sshClient("--capture-config"); status != 0 || !strings.Contains(out, "{") {
				t.Errorf("status %d, %q, %q", status, out, diagnostics)
			}
		})
		if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "disnix.*")); len(left) != 1 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestProgramWithoutATarget(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for name, test := range map[string]struct {
		args   string
		want   string
		status int
	}{
		"no target":                {"--lock", "ERROR: A target address must be specified!", 1},
		"observed 3: no operation": {"--target h", "ERROR: No operation specified!", 1},
		"import from nowhere":      {"--target h --import f", "ERROR: Either a remote or a localfile must be specified!", 1},

		"protocol 7: -t is an option":  {"-t h.invalid --lock", "h.invalid", 1},
		"observed 13: -h shows help":   {"-h", "", 0},
		"protocol 7: -v shows version": {"-v", "", 0},
		"a malformed address":          {"--target a:b:c --lock", `invalid address "a:b:c"`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, diagnostics, status := runProgram(t, append([]string{"ssh-client"}, strings.Fields(test.args)...)...)
			if status != test.status || !strings.Contains(diagnostics, test.want) {
				t.Errorf("status %d, %q, want %q", status, diagnostics, test.want)
			}
		})
	}
}

// TestDeploymentTakesOneConnection deploys, upgrades and undeploys.
func TestDeploymentTakesOneConnection(t *testing.T) {
	root := nixtest.Store(t)
	h := newHost(t, ours())
	t.Chdir(root)
	files := map[string]string{
		"services.nix": `{ version ? "1", ... }:
builtins.listToAttrs (map (name: { inherit name; value = {
  inherit name;
  type = "echo";
  pkg = derivation { inherit name version; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo $version > $out" ]; };
}; }) [ "a" "b" "c" ])`,
		"infrastructure.nix": `{ node.properties.hostname = "` + h.address + `"; node.containers.echo = { }; }`,
		"distribution.nix":   `{ infrastructure }: builtins.listToAttrs (map (name: { inherit name; value = [ infrastructure.node ]; }) [ "a" "b" "c" ])`,
	}
	for name, content := range files {
		h.must(os.WriteFile(name, []byte(content), 0o644))
	}
	for i, version := range []string{"1", "1", "2"} {
		out, diagnostics, status := runProgram(t, "env", "-s", "services.nix", "-i", "infrastructure.nix", "-d", "distribution.nix",
			"--coordinator-profile-path", filepath.Join(root, "coordinator"), "--extra-params", `{ version = "`+version+`"; }`)
		if status != 0 {
			t.Fatalf("status %d\n%s\n%s", status, out, diagnostics)
		}
		if n := h.connections(); n != i+1 {
			t.Errorf("%d connections for %d deployments", n, i+1)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "disnix*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestShellWithATerminal(t *testing.T) {
	inBothModes(t, func(t *testing.T, path string) {
		root := module(t, "")
		client := dial(t, newHost(t, path))
		t.Setenv("TERM", "vt100")
		master, terminal := openTerminal(t)
		defer master.Close()
		if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 17, Col: 71}); err != nil {
			t.Fatal(err)
		}
		const end = "(the session has ended)"
		screen := make(chan string, 1)
		go func() {
			var shown []byte
			buffer := make([]byte, 4096)
			for !bytes.Contains(shown, []byte(end)) {
				n, err := master.Read(buffer)
				shown = append(shown, buffer[:n]...)
				if err != nil {
					break
				}
			}
			screen <- string(shown)
		}()
		if _, err := io.WriteString(master, "stty size; echo $TERM $greeting; exit 5\n"); err != nil {
			t.Fatal(err)
		}
		err := client.Shell(t.Context(), service.Activity{Component: root, Type: "recorder", Arguments: []string{"greeting=good day"}},
			service.ShellSession{Stdin: terminal, Stdout: terminal, Stderr: terminal})
		if _, err := io.WriteString(terminal, end); err != nil {
			t.Fatal(err)
		}
		shown := <-screen
		for _, part := range []string{"17 71", "vt100 good day"} {
			if !strings.Contains(shown, part) {
				t.Errorf("the screen does not show %q:\n%s", part, shown)
			}
		}
		var status interface{ ExitStatus() int }
		if !errors.As(err, &status) || status.ExitStatus() != 5 {
			t.Errorf("error %v", err)
		}
	})
}

// openTerminal returns the two ends of a terminal.
func openTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, terminal
}
