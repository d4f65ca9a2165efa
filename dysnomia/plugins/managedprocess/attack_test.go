package managedprocess

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/process"
	"github.com/disnix-go/disnix/dysnomia/plugins/sysvinitscript"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// TestFilesOfOthers: in the directory for temporary files, where PID files of
// processes with a user are, everybody can prepare something.
func TestFilesOfOthers(t *testing.T) {
	const attacker = 1
	for manager, config := range map[string]plugintest.Config{
		"sysvinit": {Type: "managed-process", Plugin: Plugin{Plugins: map[string]dysnomia.Plugin{"sysvinit-script": sysvinitscript.Plugin{}}}},
		"disnix":   {Type: "managed-process", Plugin: Plugin{Plugins: map[string]dysnomia.Plugin{"process": process.Plugin{}}}},
	} {
		t.Run(manager, func(t *testing.T) {
			c := component(t, manager, `{"instanceName": "sleeper", "foregroundProcess": "/bin/sh", "foregroundProcessArgs": ["-c", "echo said; exec sleep 600"], "user": "nobody"}`)
			state, err := os.MkdirTemp("", "managed.")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(state) })
			c.Properties["stateDir"] = state
			tmp := filepath.Join(state, "tmp")
			secret := filepath.Join(state, "secret")
			victim := exec.Command("sleep", "600")
			if err := victim.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = victim.Process.Kill()
				_ = victim.Wait()
			})
			pidFile := filepath.Join(tmp, "sleeper.pid")
			plant := func() {
				t.Helper()
				for _, err := range []error{
					os.RemoveAll(tmp), os.Chmod(state, 0o755), os.Mkdir(tmp, 0o700), os.Chmod(tmp, os.ModeSticky|0o777),
					os.WriteFile(secret, nil, 0o600),
					os.WriteFile(pidFile, fmt.Appendln(nil, victim.Process.Pid), 0o666), os.Lchown(pidFile, attacker, attacker),
					os.Symlink(secret, filepath.Join(tmp, "nixproc-sleeper.log")), os.Lchown(filepath.Join(tmp, "nixproc-sleeper.log"), attacker, attacker),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			plant()
			f := plugintest.NewFixture(t, config, c)
			if err := f.Run(t.Context(), dysnomia.Activate); err == nil {
				pid, err := os.ReadFile(pidFile)
				if err != nil || strings.TrimSpace(string(pid)) == fmt.Sprint(victim.Process.Pid) {
					t.Errorf("the process of another is taken for that of the component: %s, %v", pid, err)
				}
				f.Do(dysnomia.Deactivate)
			}
			if content, err := os.ReadFile(secret); err != nil || len(content) > 0 {
				t.Errorf("the file of another was written to: %q, %v", content, err)
			}
			plant()
			_ = f.Run(t.Context(), dysnomia.Deactivate)
			var status syscall.WaitStatus
			if ended, err := syscall.Wait4(victim.Process.Pid, &status, syscall.WNOHANG, nil); err != nil || ended != 0 {
				t.Errorf("the process of another was stopped: %v, %v", status, err)
			}
		})
	}
}
