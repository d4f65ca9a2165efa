package plugintest

import (
	"os"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

// Benchmark measures activations of a component through a host, each followed
// by a deactivation that is not measured. To see the overhead of the plugin,
// the server that it asks should be a stand-in that answers at once.
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
	for b.Loop() {
		do(dysnomia.Activate)
		b.StopTimer()
		do(dysnomia.Deactivate)
		b.StartTimer()
	}
}
