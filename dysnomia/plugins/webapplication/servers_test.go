package webapplication

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/porttest"
)

const nginxConfiguration = `daemon off; master_process off; user root; pid %[1]s/pid; error_log %[1]s/log;
events {}
http { access_log off; server { listen 127.0.0.1:%[2]d; root %[1]s/root; } }
`

const apacheConfiguration = `ServerRoot %[1]s
ServerName localhost
Listen 127.0.0.1:%[2]d
PidFile %[1]s/pid
ErrorLog %[1]s/log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
Mutex file:%[1]s
User www-data
Group www-data
DocumentRoot %[1]s/root
`

// TestRealServers serves applications with the servers that they are for.
func TestRealServers(t *testing.T) {
	for module, server := range map[string]struct {
		configuration string
		command       func(config string) []string
	}{
		"nginx-webapplication": {nginxConfiguration, func(config string) []string {
			return []string{"/usr/sbin/nginx", "-p", filepath.Dir(config), "-c", config}
		}},
		"apache-webapplication": {apacheConfiguration, func(config string) []string {
			return []string{"/usr/sbin/apache2", "-D", "FOREGROUND", "-f", config}
		}},
	} {
		t.Run(module, func(t *testing.T) {
			dir := t.TempDir()
			readable(t, dir)
			port := porttest.Port(t)
			config := filepath.Join(dir, "server.conf")
			plugintest.WriteFile(t, config, fmt.Sprintf(server.configuration, dir, port))
			plugintest.WriteFile(t, filepath.Join(dir, "root", "other.html"), "other")
			start(t, server.command(config))
			url := fmt.Sprintf("http://127.0.0.1:%d", port)
			await(t, url+"/other.html")

			c := component(t, map[string]string{"webapps/shop/index.html": "hello"})
			readable(t, c.Path)
			c.Properties["documentRoot"] = filepath.Join(dir, "root")
			f := plugintest.NewFixture(t, filesetConfig(module), c)
			f.Do(dysnomia.Activate)
			expect(t, url+"/shop/", "200 hello")
			f.Do(dysnomia.Deactivate)
			expectStatus(t, url+"/shop/", 404)
			expect(t, url+"/other.html", "200 other")

			plugintest.WriteFile(t, filepath.Join(f.Path, ".dysnomia-fileset"), "mkdir uploads\nsymlink "+f.Path+"/webapps/shop\ntarget .\n")
			f.Do(dysnomia.Activate)
			plugintest.WriteFile(t, upload(f.Component), "uploaded")
			expect(t, url+"/shop/", "200 hello")
			expect(t, url+"/uploads/file", "200 uploaded")
			f.Do(dysnomia.Snapshot, dysnomia.Deactivate, dysnomia.CollectGarbage)
			expectStatus(t, url+"/uploads/file", 404)
			f.Do(dysnomia.Activate, dysnomia.Restore)
			expect(t, url+"/uploads/file", "200 uploaded")
			f.Do(dysnomia.Deactivate)
		})
	}
}

// readable lets the user of a server into the directories of a test.
func readable(t *testing.T, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func start(t *testing.T, command []string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // ends its children, too
		_ = cmd.Wait()
	})
}

func await(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		response, err := http.Get(url)
		if err == nil {
			response.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func expect(t *testing.T, url, want string) {
	t.Helper()
	if status, text := get(t, url); fmt.Sprintf("%d %s", status, text) != want {
		t.Errorf("%s: %d %s, want %s", url, status, text, want)
	}
}

func expectStatus(t *testing.T, url string, want int) {
	t.Helper()
	if status, _ := get(t, url); status != want {
		t.Errorf("%s: %d, want %d", url, status, want)
	}
}
