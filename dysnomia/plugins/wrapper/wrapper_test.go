package wrapper

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

const script = `#!/bin/sh -e
echo "$1 $2 $greeting"
case "$1" in
activate) touch "$dir/running" ;;
deactivate) rm -f "$dir/running" ;;
exit) exit 42 ;;
esac
`

var config = plugintest.Config{
	Type:   "wrapper",
	Plugin: Plugin{},
	New: func(t *testing.T) plugintest.Component {
		return plugintest.NewComponent(t, "wrap", map[string]string{"dir": t.TempDir(), "greeting": "hello  \"world\""},
			map[string]string{"bin/wrapper": script})
	},
	Broken: func(t *testing.T) plugintest.Component {
		return plugintest.NewComponent(t, "wrap", nil, map[string]string{"bin/wrapper": "#!/bin/sh\nexit 3\n"})
	},
	Running: func(_ *testing.T, c plugintest.Component) bool {
		_, err := os.Stat(filepath.Join(c.Properties["dir"], "running"))
		return c.Properties["dir"] != "" && err == nil
	},
}

func TestConformance(t *testing.T) { plugintest.Run(t, config) }

func TestEveryOperationIsPassedOn(t *testing.T) {
	f := plugintest.NewFixture(t, config, config.New(t))
	for _, op := range []dysnomia.Operation{"activate", "lock", "snapshot", "unheard-of", "deactivate"} {
		f.Do(op)
		if want := string(op) + " wrap hello  \"world\"\n"; f.Stdout != want {
			t.Errorf("%s: %q, want %q", op, f.Stdout, want)
		}
	}
}

func TestRoughEdge_observed20_exitStatusIsThePrograms(t *testing.T) {
	f := plugintest.NewFixture(t, config, config.New(t))
	err := f.Run(t.Context(), "exit")
	var failed *dysnomia.ModuleError
	if !errors.As(err, &failed) || failed.ExitCode != 42 {
		t.Errorf("error: %v", err)
	}
}

func TestRoughEdge_modules2(t *testing.T) {
	for _, op := range []dysnomia.Operation{dysnomia.Activate, dysnomia.Deactivate, dysnomia.Lock, dysnomia.Snapshot} {
		t.Run("modules 2: a missing program is a failure of "+string(op), func(t *testing.T) {
			f := plugintest.NewFixture(t, config, plugintest.NewComponent(t, "wrap", nil, nil))
			if err := f.Run(t.Context(), op); err == nil || !strings.Contains(err.Error(), "bin/wrapper") {
				t.Errorf("error: %v", err)
			}
			f.Expect("")
		})
	}
}

func TestRoughEdge_observed22_activationIsRecorded(t *testing.T) {
	f := plugintest.NewFixture(t, config, config.New(t))
	f.Do(dysnomia.Activate)
	f.Expect("active")
}

func TestDaemonOfAWrapperDoesNotHoldTheOperation(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	c := plugintest.NewComponent(t, "wrap", nil, map[string]string{
		"bin/wrapper": "#!/bin/sh\n[ $1 = activate ] || exec kill $(cat " + pid + ")\nsleep 600 & echo $! >" + pid + "\necho started\n"})
	f := plugintest.NewFixture(t, config, c)
	f.Do(dysnomia.Activate)
	if f.Stdout != "started\n" {
		t.Errorf("output: %q", f.Stdout)
	}
	f.Do(dysnomia.Deactivate)
}
