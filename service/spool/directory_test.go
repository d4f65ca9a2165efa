package spool_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/disnix-go/disnix/service/spool"
)

func TestDirectory(t *testing.T) {
	temporary(t)
	d, err := spool.NewDirectory("program")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(d.Path())
	if err != nil || info.Mode().Perm() != 0o700 || filepath.Dir(d.Path()) != os.TempDir() {
		t.Errorf("%s: %v, %v", d.Path(), info.Mode(), err)
	}
	if err := os.MkdirAll(filepath.Join(d.Path(), "a/b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(d.Path()); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestMain makes a directory, if it is told so, and waits to be killed.
func TestMain(m *testing.M) {
	if program := os.Getenv("SPOOL_TEST_PROGRAM"); program != "" {
		d, err := spool.NewDirectory(program)
		if err != nil {
			panic(err)
		}
		if err := os.WriteFile(filepath.Join(d.Path(), "file"), []byte("x"), 0o600); err != nil {
			panic(err)
		}
		fmt.Println(d.Path())
		select {}
	}
	os.Exit(m.Run())
}

// killedProgram returns the directory of another process that runs until it is
// killed.
func killedProgram(t *testing.T, program string) (path string, kill func()) {
	t.Helper()
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "SPOOL_TEST_PROGRAM="+program)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = other.Process.Kill()
		_ = other.Wait() // it was killed
	})
	t.Cleanup(kill)
	path, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(path), kill
}

// TestDirectoriesOfKilledPrograms kills a program: the next one of its name
// removes what was left behind, and nothing else.
func TestDirectoriesOfKilledPrograms(t *testing.T) {
	temporary(t)
	running, endRunning := killedProgram(t, "program")
	killed, kill := killedProgram(t, "program")
	kill()
	others, err := os.MkdirTemp("", "another.")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(os.TempDir(), "program.link")
	if err := os.Symlink(others, link); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(os.TempDir(), "program.foreign")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(foreign, 12345, -1); err != nil {
		t.Fatal(err)
	}
	d, err := spool.NewDirectory("program")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(killed); !os.IsNotExist(err) {
		t.Errorf("%s was left behind: %v", killed, err)
	}
	for _, path := range []string{filepath.Join(running, "file"), others, link, foreign} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	endRunning()
	for _, path := range []string{running, others, link, foreign} {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestDirectoriesAtTheSameTime makes many: none is removed by another.
func TestDirectoriesAtTheSameTime(t *testing.T) {
	temporary(t)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			d, err := spool.NewDirectory("program")
			if err != nil {
				t.Error(err)
				return
			}
			if err := os.WriteFile(filepath.Join(d.Path(), "file"), nil, 0o600); err != nil {
				t.Error(err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestDirectoryCannotBeMade(t *testing.T) {
	t.Setenv("TMPDIR", "/nonexistent")
	if _, err := spool.NewDirectory("program"); err == nil || !strings.Contains(err.Error(), "/nonexistent") {
		t.Error(err)
	}
}
