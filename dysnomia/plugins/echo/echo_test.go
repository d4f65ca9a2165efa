package echo

import (
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

var config = plugintest.Config{
	Type:   "echo",
	Plugin: Plugin{},
	New: func(t *testing.T) plugintest.Component {
		return plugintest.NewComponent(t, "echo", map[string]string{"greeting": "hello world", "dbPassword": "hunter2"}, nil)
	},
}

func TestConformance(t *testing.T) { plugintest.Run(t, config) }

func TestOutput(t *testing.T) {
	f := plugintest.NewFixture(t, config, config.New(t))
	for op, says := range map[dysnomia.Operation]string{
		"activate": "Activate service", "deactivate": "Deactivate service", "lock": "Lock service", "unlock": "Unlock service",
		"snapshot": "Snapshot state of service", "restore": "Restore state of service", "collect-garbage": "Collect garbage of service",
	} {
		f.Do(op)
		want := "Echo module: " + says + ": " + f.Path + "\nEnvironment variables:\n"
		if !strings.HasPrefix(f.Stdout, want) || !strings.Contains(f.Stdout, "\ngreeting=hello world\n") {
			t.Errorf("%s: %s", op, f.Stdout)
		}
	}
	f.Do("unheard-of")
	if !strings.HasPrefix(f.Stdout, "Environment variables:\n") {
		t.Errorf("unknown operation: %s", f.Stdout)
	}
}

func TestRoughEdge_modules1(t *testing.T) {
	t.Run("modules 1: only the environment is printed, sorted, and not what a shell adds", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, config.New(t))
		f.Properties["quoted"] = `it's "so"`
		f.Do(dysnomia.Activate)
		_, rest, _ := strings.Cut(f.Stdout, "Environment variables:\n")
		lines := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
		if !slices.IsSorted(lines) || !slices.Contains(lines, `quoted=it's "so"`) {
			t.Errorf("%q", lines)
		}
		for _, line := range lines {
			if strings.HasPrefix(line, "BASH_VERSION=") || strings.HasPrefix(line, "IFS=") {
				t.Errorf("%q", line)
			}
		}
	})
}

func TestRoughEdge_modules29_8_secretsAreNotPrinted(t *testing.T) {
	f := plugintest.NewFixture(t, config, config.New(t))
	f.Do(dysnomia.Activate)
	if strings.Contains(f.Stdout+f.Stderr, "hunter2") || !strings.Contains(f.Stdout, "dbPassword=(hidden)") {
		t.Errorf("output: %s", f.Stdout)
	}
	if !strings.Contains(f.Stdout, "\nPATH=") {
		t.Errorf("output: %s", f.Stdout)
	}
}

func TestRoughEdge_observed22_activationIsRecorded(t *testing.T) {
	f := plugintest.NewFixture(t, config, config.New(t))
	f.Do(dysnomia.Activate)
	f.Expect("active")
}
