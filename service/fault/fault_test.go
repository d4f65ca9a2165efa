package fault_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/service/fault"
)

func TestPointsDoNothingByDefault(t *testing.T) {
	if fault.Enabled() || fault.Point("anything") != nil {
		t.Error("a point has an effect although no faults are injected")
	}
}

func TestFaultsOccurWhereAndWhenTheyShould(t *testing.T) {
	inject(t, "a:error,b#2:error,c:await=/")
	for _, c := range []struct {
		point string
		fails bool
	}{{"a", true}, {"a", true}, {"b", false}, {"b", true}, {"b", false}, {"c", false}, {"d", false}} {
		if err := fault.Point(c.point); errors.Is(err, fault.ErrInjected) != c.fails {
			t.Errorf("point %s: %v, want a failure: %t", c.point, err, c.fails)
		}
	}
}

func TestAwaitLastsUntilTheFileExists(t *testing.T) {
	file := filepath.Join(t.TempDir(), "go on")
	inject(t, "here:await="+file)
	passed := make(chan bool)
	go func() {
		_ = fault.Point("here")
		_, err := os.Stat(file)
		passed <- err == nil
	}()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !<-passed {
		t.Error("the point was passed before the file existed")
	}
}

func TestInjectionEnds(t *testing.T) {
	restore := fault.Inject(func(string) error { return fault.ErrInjected })
	if !fault.Enabled() || fault.Point("a") == nil {
		t.Error("no fault is injected")
	}
	restore()
	if fault.Enabled() || fault.Point("a") != nil {
		t.Error("faults are still injected")
	}
}

func TestSpecificationsThatAreRefused(t *testing.T) {
	for _, specification := range []string{"", "a", ":kill", "a:explode", "a#0:kill", "a#x:kill", "a:await=", "a:error,"} {
		if _, err := fault.Parse(specification); err == nil {
			t.Errorf("%q is accepted", specification)
		}
	}
}

func TestKillEndsTheProcessAtOnce(t *testing.T) {
	if os.Getenv("FAULT_TEST_VICTIM") != "" {
		inject(t, "here:kill")
		_ = fault.Point("here")
		return
	}
	victim := exec.Command(os.Args[0], "-test.run=^TestKillEndsTheProcessAtOnce$")
	victim.Env = append(os.Environ(), "FAULT_TEST_VICTIM=1")
	var exit *exec.ExitError
	if err := victim.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the process ended with %v", err)
	}
}

func inject(t *testing.T, specification string) {
	t.Helper()
	injector, err := fault.Parse(specification)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fault.Inject(injector))
}
