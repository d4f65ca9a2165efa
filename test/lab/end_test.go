package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// endVariable tells the test program how it is to end while it has a lab.
const endVariable = "LAB_TEST_END"

// TestNothingIsLeft ends test programs that have a lab in every way and looks
// for what is left of it.
func TestNothingIsLeft(t *testing.T) {
	if end := os.Getenv(endVariable); end != "" {
		endWithLab(t, end)
		return
	}
	for _, end := range []string{"return", "fail", "panic", "exit", "kill"} {
		t.Run(end, func(t *testing.T) {
			temporary, before := t.TempDir(), traces(t)
			cmd := exec.Command(os.Args[0], "-test.run=^TestNothingIsLeft$")
			cmd.Env = append(os.Environ(), endVariable+"="+end, "TMPDIR="+temporary)
			goOn, errIn := cmd.StdinPipe()
			out, errOut := cmd.StdoutPipe()
			if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
				t.Fatal(err)
			}
			said, namespaces := readNamespaces(t, out)
			if end == "kill" {
				_ = cmd.Process.Kill()
			}
			_ = goOn.Close()
			rest, _ := io.ReadAll(out)
			if err := cmd.Wait(); (err == nil) != (end == "return") {
				t.Errorf("the test program ended with %v", err)
			}
			if len(namespaces) < 9 {
				t.Fatalf("the lab had only the namespaces %q: %s%s", namespaces, said, rest)
			}
			eventually(t, "nobody is in the lab's namespaces", func() bool { return len(inhabitants(t, namespaces)) == 0 })
			for _, trace := range traces(t) {
				if !slices.Contains(before, trace) {
					t.Errorf("left is %s", trace)
				}
			}
			if end == "return" || end == "fail" {
				requireEmpty(t, temporary)
			}
		})
	}
}

// endWithLab makes a lab, lists its namespaces, and ends when the input does.
func endWithLab(t *testing.T, end string) {
	l := New(t)
	a, b := l.Host("node1"), l.Host("node2")
	// One process that nobody waits for, and one that ignores all signals.
	a.Run(t, "sh", "-c", "sleep 600 > /dev/null 2>&1 &")
	b.Run(t, "sh", "-c", "(trap '' HUP INT TERM PIPE; exec setsid sleep 600) > /dev/null 2>&1 &")
	for _, pid := range []int{l.keeper.Process.Pid, a.init.Process.Pid, b.init.Process.Pid} {
		for _, kind := range namespaceKinds {
			fmt.Println("namespace", namespacePath(fmt.Sprint(pid), kind))
		}
	}
	fmt.Println("made")
	_, _ = io.Copy(io.Discard, os.Stdin)
	switch end {
	case "fail":
		t.Fatal("the test fails")
	case "panic":
		panic("the test panics")
	case "exit":
		os.Exit(3)
	case "kill":
		select {} // until the signal comes
	}
}

// readNamespaces reads which namespaces a lab has until it is made. They are
// held until the end of the test, because the kernel gives the number of a
// namespace that is gone to the next one, of any other lab.
func readNamespaces(t *testing.T, out io.Reader) (said string, namespaces []string) {
	t.Helper()
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "made" {
		path, ok := strings.CutPrefix(lines.Text(), "namespace ")
		if !ok {
			said += lines.Text() + "\n"
			continue
		}
		held, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = held.Close() })
		if namespace, err := os.Readlink(path); err != nil {
			t.Error(err)
		} else if !slices.Contains(namespacesOf("self"), namespace) {
			namespaces = append(namespaces, namespace)
		}
	}
	return said, namespaces
}

var namespaceKinds = []string{"mnt", "net", "pid", "uts", "ipc"}

func namespacePath(pid, kind string) string { return filepath.Join("/proc", pid, "ns", kind) }

func namespacesOf(pid string) []string {
	var namespaces []string
	for _, kind := range namespaceKinds {
		if namespace, err := os.Readlink(namespacePath(pid, kind)); err == nil {
			namespaces = append(namespaces, namespace)
		}
	}
	return namespaces
}

// inhabitants returns the processes that are in any of the namespaces.
func inhabitants(t *testing.T, namespaces []string) []string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(processes, func(process string) bool {
		return !slices.ContainsFunc(namespacesOf(filepath.Base(process)), func(namespace string) bool {
			return slices.Contains(namespaces, namespace)
		})
	})
}

// traces returns mounts and links on the machine that could be those of a lab.
func traces(t *testing.T) (found []string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, storage+"/disks") || strings.Contains(line, "- tmpfs lab ") {
			found = append(found, "the mount "+line)
		}
	}
	links, err := exec.Command("ip", "-oneline", "link").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(links)) {
		if strings.Contains(line, "switch") || strings.Contains(line, "port") || strings.Contains(line, "veth") {
			found = append(found, "the link "+strings.Fields(line)[1])
		}
	}
	return found
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("a file is left: %s", entry.Name())
	}
}

func TestSeveralLabs(t *testing.T) {
	first, second := New(t), New(t)
	a, b := first.Host("node1"), second.Host("node1")
	a.WriteFile(t, "/etc/motd", "first\n", 0o644)
	b.WriteFile(t, "/etc/motd", "second\n", 0o644)
	for h, want := range map[*Host]string{a: "first\n", b: "second\n"} {
		if got := h.Run(t, "ssh", "node1", "cat", "/etc/motd"); got != want {
			t.Errorf("found %q instead of %q", got, want)
		}
	}
}
