package coordinator

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/session"
)

// scaleVariable lets the test program be a coordinator, and nothing else.
const scaleVariable = "DISNIX_TEST_SCALE"

// BenchmarkScale deploys 10,000 services to 1,000 targets and upgrades all of
// them, in a process of its own: it must take less than 300 MB. Each target is
// at the other end of a session, in the same process, so that the coordinator
// alone takes less than that.
func BenchmarkScale(b *testing.B) {
	if os.Getenv(scaleVariable) != "" {
		deployMuch(b)
		return
	}
	var memory int64
	var took time.Duration
	for b.Loop() {
		child := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkScale$", "-test.benchtime=1x")
		child.Env = append(os.Environ(), scaleVariable+"=1")
		start := time.Now()
		if out, err := child.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		took += time.Since(start)
		memory = max(memory, child.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	}
	b.ReportMetric(float64(memory)/1024, "MB-memory")
	b.ReportMetric(took.Seconds()/float64(b.N), "s/deployments")
	b.ReportMetric(0, "ns/op")
	if memory > 300<<10 {
		b.Errorf("the coordinator takes %d MB", memory>>10)
	}
}

func deployMuch(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	here := new(servicetest.Fake)
	targets := make(map[string]*servicetest.Fake)
	var previous *models.Manifest
	var previousPath string
	for version := 1; version <= 2; version++ {
		m := modelstest.Random(1, 10_000, 3, 1000, version)
		for name, profile := range m.Profiles {
			here.AddValid(profile)
			if targets[name] == nil {
				targets[name] = new(servicetest.Fake)
			}
		}
		connect := func(ctx2 context.Context, t *models.Target) (service.Service, error) {
			near, far := net.Pipe()
			go func() { _ = session.Serve(ctx, far, targets[t.Name]) }()
			return session.Connect(ctx2, near, session.Config{})
		}
		path := filepath.Join(b.TempDir(), fmt.Sprintf("%d.xml", version))
		if err := os.WriteFile(path, []byte("a manifest"), 0o644); err != nil {
			b.Fatal(err)
		}
		d := &Deployment{
			Manifest: m, Previous: previous, ManifestPath: path, PreviousPath: previousPath,
			Store: here, Snapshots: here, Reporter: silent{},
			Targets: NewTargets(ReachableInfrastructure(m, previous), connect),
			Journal: &journal.Place{Dir: b.TempDir(), Profile: "default"},
			Options: Options{NoCoordinatorProfile: true, Transfers: 10},
		}
		if err := d.Deploy(ctx); err != nil {
			b.Fatal(err)
		}
		if err := d.Targets.Close(); err != nil {
			b.Fatal(err)
		}
		previous, previousPath = m, path
	}
	active := 0
	for _, target := range targets {
		active += len(target.Active())
	}
	if active != 10_000 {
		b.Fatalf("%d services are active", active)
	}
}
