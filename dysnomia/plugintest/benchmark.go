package plugintest

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
)

// Benchmark measures activations of a component through a host, each followed
// by a deactivation that is not measured. To see the overhead of the plugin,
// the server that it asks should be a stand-in that answers at once.
//
// Besides the time of an activation it reports the processor time of this
// process (own-ms/op), which is that of the plugin and the host, and of
// stand-ins that are goroutines; and that of all programs that were run and
// have ended (programs-ms/op), which are stand-ins or tools of the server. With
// TMPDIR in memory, the share of the disk is left out.
func Benchmark(b *testing.B, config Config, c Component) {
	environment := append(os.Environ(), "DYSNOMIA_STATEDIR="+b.TempDir())
	host, err := dysnomia.NewHost(environment, map[string]dysnomia.Plugin{config.Type: config.Plugin})
	if err != nil {
		b.Fatal(err)
	}
	do := func(op dysnomia.Operation) {
		invocation := dysnomia.Invocation{Operation: op, Component: c.Path, Container: c.Container, Type: config.Type, Environment: true}
		for name, value := range c.Properties {
			invocation.Arguments = append(invocation.Arguments, name+"="+value)
		}
		if err := host.Run(b.Context(), invocation); err != nil {
			b.Fatalf("%s: %v", op, err)
		}
	}
	var own, programs time.Duration
	for b.Loop() {
		own -= processorTime(b, syscall.RUSAGE_SELF)
		programs -= processorTime(b, syscall.RUSAGE_CHILDREN)
		do(dysnomia.Activate)
		own += processorTime(b, syscall.RUSAGE_SELF)
		programs += processorTime(b, syscall.RUSAGE_CHILDREN)
		b.StopTimer()
		do(dysnomia.Deactivate)
		b.StartTimer()
	}
	b.ReportMetric(own.Seconds()*1000/float64(b.N), "own-ms/op")
	b.ReportMetric(programs.Seconds()*1000/float64(b.N), "programs-ms/op")
}

func processorTime(b *testing.B, who int) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(who, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
