package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/disnix-go/disnix/test/tomcattest"
)

// TestContainers deploys several servers of one kind and what runs in them.
func TestContainers(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/containers",
		Setup: func(env *testscript.Env) error { return setupServers(t, env) },
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"get": scriptGet},
	})
}

// setupServers prepares two Tomcat servers and the web applications for them.
// PRIMARY and SECONDARY are their directories, the same with _PORT their ports,
// and bin/primary and bin/secondary start them in the background.
func setupServers(t *testing.T, env *testscript.Env) error {
	if err := setupScript(env); err != nil {
		return err
	}
	for _, name := range []string{"primary", "secondary"} {
		s, err := tomcattest.Prepare(filepath.Join(env.WorkDir, "servers", name))
		if err != nil {
			return err
		}
		variable := strings.ToUpper(name)
		env.Setenv(variable, s.Base)
		env.Setenv(variable+"_PORT", strconv.Itoa(s.Port))
		start := "#!/bin/sh\n" + `"` + strings.Join(s.Command(), `" "`) + `" > ` + s.Base + "/temp/output 2>&1 &\n" +
			"echo $! > \"$runtimeDir/" + name + ".pid\"\n"
		if err := put(env, "bin/"+name, start); err != nil {
			return err
		}
		env.Defer(func() { killServer(filepath.Join(env.WorkDir, "run", name+".pid"), s.Base) })
	}
	for _, name := range []string{"shop", "front"} {
		if err := put(env, name+"/webapps/"+name+".war", tomcattest.WAR(t, map[string]string{"index.html": "this is the " + name})); err != nil {
			return err
		}
	}
	env.Setenv("WORKDIR", env.WorkDir)
	env.Setenv("PATH", os.Getenv("PATH")+":"+env.Getenv("PATH"))
	return nil
}

// killServer ends a server that a script which has failed has left behind.
func killServer(pidFile, base string) {
	content, err := os.ReadFile(pidFile)
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return
	}
	if command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.Contains(string(command), base) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func put(env *testscript.Env, name, content string) error {
	path := filepath.Join(env.WorkDir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o755)
}

// scriptGet checks the status of a page: get STATUS URL. With !, the server
// must not answer at all.
func scriptGet(ts *testscript.TestScript, negated bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: get STATUS URL")
	}
	response, err := http.Get(args[1])
	if negated {
		if err == nil {
			ts.Fatalf("%s answers %s", args[1], response.Status)
		}
		return
	}
	ts.Check(err)
	response.Body.Close()
	if got := fmt.Sprint(response.StatusCode); got != args[0] {
		ts.Fatalf("%s answers %s, want %s", args[1], got, args[0])
	}
}
