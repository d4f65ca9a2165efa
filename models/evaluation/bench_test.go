package evaluation

import (
	"context"
	"fmt"
	"testing"

	"github.com/disnix-go/disnix/models/nix"
)

// infrastructureOf is a model of n targets.
const infrastructureOf = `builtins.listToAttrs (builtins.genList (i: {
  name = "target${toString i}";
  value = { properties.hostname = "target${toString i}.lan"; containers.process = { }; };
}) %d)`

// flat is a system of services without dependencies.
func flat(services, targets int) map[string]string {
	return map[string]string{
		"infrastructure.nix": fmt.Sprintf(infrastructureOf, targets),
		"services.nix": fmt.Sprintf(`{ system, ... }: builtins.listToAttrs (builtins.genList (i: let name = "service${toString i}"; in {
		  inherit name;
		  value = { inherit name; type = "process"; pkg = derivation { inherit name system; builder = "/bin/sh"; args = [ "-c" "echo ${name} > $out" ]; }; };
		}) %d)`, services),
		"distribution.nix": fmt.Sprintf(`{ infrastructure }: builtins.listToAttrs (builtins.genList (i: {
		  name = "service${toString i}";
		  value = [ infrastructure."target${toString (i - (i / %d) * %d)}" ];
		}) %d)`, targets, targets, services),
	}
}

// diamond is a system in layers of two services, each of which depends on
// both services of the layer below and is built with all that is below.
func diamond(layers int) map[string]string {
	return map[string]string{
		"infrastructure.nix": fmt.Sprintf(infrastructureOf, 2),
		"services.nix": fmt.Sprintf(`{ system, ... }:
		let
		  service = layer: side: let name = "s${toString layer}${side}"; in {
		    inherit name;
		    value = {
		      inherit name; type = "process";
		      pkg = if layer == 0 then package name "" else parameters: package name (describe parameters);
		      dependsOn = if layer == 0 then { } else {
		        left = services."s${toString (layer - 1)}a";
		        right = services."s${toString (layer - 1)}b";
		      };
		    };
		  };
		  describe = parameters: builtins.toJSON (builtins.mapAttrs (_: p: [ p.name p.target.properties.hostname p.pkgs.${system} ]) parameters);
		  package = name: text: derivation { inherit name text; system = if system == null then "none" else system; builder = "/bin/sh"; args = [ "-c" "echo $text > $out" ]; };
		  services = builtins.listToAttrs (builtins.concatLists (builtins.genList (layer: [ (service layer "a") (service layer "b") ]) %d));
		in services`, layers),
		"distribution.nix": fmt.Sprintf(`{ infrastructure }: builtins.listToAttrs (builtins.concatLists (builtins.genList (layer: [
		  { name = "s${toString layer}a"; value = [ infrastructure.target0 ]; }
		  { name = "s${toString layer}b"; value = [ infrastructure.target1 ]; }
		]) %d))`, layers),
	}
}

// benchmarkEvaluate measures the evaluation of models whose derivations are in
// the store already.
func benchmarkEvaluate(b *testing.B, files map[string]string, services int) {
	in := newModels(b, files).inputs()
	evaluateServices(b, in, services)
	for b.Loop() {
		evaluateServices(b, in, services)
	}
}

func evaluateServices(b *testing.B, in Inputs, services int) {
	b.Helper()
	system, err := Evaluate(context.Background(), in)
	if err != nil {
		b.Fatal(err)
	}
	if got := len(system.Manifest.Services); got != services {
		b.Fatalf("the manifest has %d services, want %d", got, services)
	}
}

// BenchmarkInstantiateFlat1000 includes what Nix takes to write a thousand
// derivations to an empty store.
func BenchmarkInstantiateFlat1000(b *testing.B) {
	files := flat(1000, 100)
	for b.Loop() {
		b.StopTimer()
		in := newModels(b, files).inputs()
		if _, err := nix.Output(context.Background(), "nix-store", "--init"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		evaluateServices(b, in, 1000)
	}
}

func BenchmarkEvaluateFlat1000(b *testing.B) { benchmarkEvaluate(b, flat(1000, 100), 1000) }

func BenchmarkEvaluateFlat28(b *testing.B) { benchmarkEvaluate(b, flat(28, 2), 28) }

func BenchmarkEvaluateDiamond28(b *testing.B) { benchmarkEvaluate(b, diamond(14), 28) }

func BenchmarkEvaluateDiamond1000(b *testing.B) { benchmarkEvaluate(b, diamond(500), 1000) }
