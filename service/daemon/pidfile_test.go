package daemon

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	file, err := CreatePIDFile(path, "disnix-service")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil || string(content) != strconv.Itoa(os.Getpid()) {
		t.Errorf("content %q, %v", content, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := CreatePIDFile(path, "disnix-service"); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("created twice: %v", err)
	}
	if err := file.Remove(); err != nil {
		t.Error(err)
	}
	if file, err = CreatePIDFile(path, "disnix-service"); err != nil {
		t.Fatalf("after it was removed: %v", err)
	}
	if err := file.Remove(); err != nil {
		t.Error(err)
	}
}

func TestProtocol11StalePIDFile(t *testing.T) {
	sleeper := exec.Command("sleep", "600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	running := strconv.Itoa(sleeper.Process.Pid)
	defer func() {
		_ = sleeper.Process.Kill()
		_ = sleeper.Wait()
	}()
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content, program string
		refused          bool
	}{
		"protocol 11: of a process that has crashed":          {strconv.Itoa(ended.Process.Pid), "true", false},
		"protocol 11: of a number that is another program's":  {running, "disnix-service", false},
		"protocol 11: of a running program without our lock":  {running, "sleep", true},
		"protocol 11: the machine crashed before it was full": {"", "disnix-service", false},
		"protocol 11: with garbage":                           {"no number\n", "disnix-service", false},
		"protocol 11: with a longer number than ours":         {"99999999999999", "disnix-service", false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pid")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			file, err := CreatePIDFile(path, test.program)
			content, _ := os.ReadFile(path)
			if test.refused {
				if err == nil || !strings.Contains(err.Error(), running) || string(content) != test.content {
					t.Errorf("error %v, content %q", err, content)
				}
				return
			}
			if err != nil || string(content) != strconv.Itoa(os.Getpid()) {
				t.Fatalf("error %v, content %q", err, content)
			}
			if err := file.Remove(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPIDFileThatCannotBeCreated(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, link, filepath.Join(dir, "missing/pid")} {
		if _, err := CreatePIDFile(path, "disnix-service"); err == nil || !strings.Contains(err.Error(), "pid file") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); err == nil {
		t.Error("a link was followed")
	}
}
