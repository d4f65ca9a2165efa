package dbusclient_test

import (
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/dbustest"
)

// The interface as the specification of the original has it, with cancel and claim.
const wantInterface = `
  interface org.nixos.disnix.Disnix {
    methods:
      get_job_id(out i pid);
      get_logdir(out s path);
      cancel(in  i pid);
      claim(in  i pid, in  s claim);
      import(in  i pid, in  s closure);
      export(in  i pid, in  as derivation);
      print_invalid(in  i pid, in  as derivation);
      realise(in  i pid, in  as derivation);
      set(in  i pid, in  s profile, in  s derivation);
      query_installed(in  i pid, in  s profile);
      query_requisites(in  i pid, in  as derivation);
      collect_garbage(in  i pid, in  b delete_old);
      activate(in  i pid, in  s derivation, in  s container, in  s type, in  as arguments);
      deactivate(in  i pid, in  s derivation, in  s container, in  s type, in  as arguments);
      delete_state(in  i pid, in  s derivation, in  s container, in  s type, in  as arguments);
      snapshot(in  i pid, in  s derivation, in  s container, in  s type, in  as arguments);
      restore(in  i pid, in  s derivation, in  s container, in  s type, in  as arguments);
      lock(in  i pid, in  s profile);
      unlock(in  i pid, in  s profile);
      query_all_snapshots(in  i pid, in  s container, in  s component);
      query_latest_snapshot(in  i pid, in  s container, in  s component);
      print_missing_snapshots(in  i pid, in  as component);
      import_snapshots(in  i pid, in  s container, in  s component, in  as snapshots);
      resolve_snapshots(in  i pid, in  as snapshots);
      clean_snapshots(in  i pid, in  i keep, in  s container, in  s component);
      capture_config(in  i pid);
    signals:
      finish(i pid);
      success(i pid, as derivation);
      failure(i pid);
    properties:
  };
`

// TestOtherPrograms talks to the service with programs of other D-Bus
// libraries.
func TestOtherPrograms(t *testing.T) {
	dbustest.SystemBus(t)
	logDir := filepath.Join(t.TempDir(), "log")
	serve(t, dbusservice.Config{LogDir: logDir, NewService: func(io.Writer) service.Service { return new(servicetest.Fake) }})
	const name, path = "org.nixos.disnix.Disnix", "/org/nixos/disnix/Disnix"
	gdbus := func(method string, args ...string) []string {
		return append([]string{"gdbus", "call", "--system", "--dest", name, "--object-path", path, "--method", method}, args...)
	}
	send := func(method string, args ...string) []string {
		return append([]string{"dbus-send", "--system", "--print-reply=literal", "--dest=" + name, path, name + "." + method}, args...)
	}
	for what, test := range map[string]struct {
		command []string
		want    string // a regular expression
	}{
		"gdbus: log directory":           {gdbus(name + ".get_logdir"), `^\('` + logDir + `',\)\n$`},
		"gdbus: id":                      {gdbus(name + ".get_job_id"), `^\([0-9]+,\)\n$`},
		"gdbus: properties":              {gdbus("org.freedesktop.DBus.Properties.GetAll", name), `^\(@a\{sv\} \{\},\)\n$`},
		"gdbus: a property":              {gdbus("org.freedesktop.DBus.Properties.Get", name, "x"), `Error`},
		"gdbus: peer":                    {gdbus("org.freedesktop.DBus.Peer.Ping"), `^\(\)\n$`},
		"gdbus: unknown method":          {gdbus(name + ".shell"), `UnknownMethod`},
		"gdbus: foreign id":              {gdbus(name+".lock", "77", "p"), `AccessDenied.*job id 77 was not given to this connection`},
		"gdbus: wrong types":             {gdbus(name+".lock", "'77'", "1"), `.`},
		"gdbus: the root":                {[]string{"gdbus", "introspect", "--system", "--dest", name, "--object-path", "/", "--recurse"}, `activate\(`},
		"dbus-send: log directory":       {send("get_logdir"), `^\s*` + logDir + `\s*$`},
		"dbus-send: id":                  {send("get_job_id"), `^\s*int32 [0-9]+\s*$`},
		"dbus-send: wrong types":         {send("activate", "int32:0", "string:x"), `InvalidArgs|Invalid type`},
		"dbus-send: foreign id":          {send("unlock", "int32:0", "string:x"), `AccessDenied|was not given to this connection`},
		"dbus-send: the name's owner":    {[]string{"dbus-send", "--system", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.GetNameOwner", "string:" + name}, `:1\.`},
		"dbus-send: unknown object path": {[]string{"dbus-send", "--system", "--print-reply", "--dest=" + name, "/elsewhere", name + ".get_job_id"}, `Error`},
	} {
		t.Run(what, func(t *testing.T) {
			out, err := exec.Command(test.command[0], test.command[1:]...).CombinedOutput()
			if !regexp.MustCompile(test.want).Match(out) {
				t.Errorf("%s: %v\n%s", strings.Join(test.command, " "), err, out)
			}
		})
	}
	t.Run("gdbus: the whole interface", func(t *testing.T) {
		out, err := exec.Command("gdbus", "introspect", "--system", "--dest", name, "--object-path", path).CombinedOutput()
		if err != nil || !strings.Contains(oneLine(string(out)), oneLine(wantInterface)) {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// oneLine replaces all white space by single spaces.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
