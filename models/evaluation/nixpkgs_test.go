package evaluation

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

// fakeNixpkgs puts a package collection in the place of nixpkgs.
func fakeNixpkgs(t *testing.T, dir *modelDir) {
	t.Helper()
	path := dir.write("nixpkgs/default.nix", `{ system ? "coordinator" }: {
	  inherit system;
	  hello = (import ../pkgs.nix { inherit system; }).say "hello-${system}" system;
	}`)
	t.Setenv("NIX_PATH", "nixpkgs="+filepath.Dir(path))
}

// severalSystems is a service on targets of three systems, one of them twice.
var severalSystems = map[string]string{
	"infrastructure.nix": `{
	  arm1 = { properties.hostname = "arm1"; system = "armv7l-linux"; };
	  arm2 = { properties.hostname = "arm2"; system = "armv7l-linux"; };
	  here = { properties.hostname = "here"; };
	  mips = { properties.hostname = "mips"; system = "mips64el-linux"; };
	}`,
	"services.nix": `{ system, pkgs, ... }: rec {
	  lib = { name = "lib"; type = "process"; pkg = assert pkgs.system == system; pkgs.hello; structure = pkgs.system; };
	  app = { name = "app"; type = "process"; dependsOn = { inherit lib; };
	    pkg = { lib }: derivation { name = "app-${lib.structure}"; inherit system; builder = "/bin/sh"; libs = builtins.attrNames lib.pkgs; lib = lib.pkgs.${system}; }; };
	}`,
	"distribution.nix": `{ infrastructure }: with infrastructure; { lib = [ mips arm1 here arm2 ]; app = [ arm2 mips ]; }`,
}

func TestPackagesOfEachSystem(t *testing.T) {
	dir := newModels(t, severalSystems)
	fakeNixpkgs(t, dir)
	m := dir.evaluate().Manifest
	keys := make(map[string]string) // by target
	for _, mapping := range m.ServiceMappings {
		s := m.Services[mapping.Service]
		keys[s.Name+" "+mapping.Target] = mapping.Service
		system := m.Infrastructure[mapping.Target].System
		if s.Name == "lib" && !strings.HasSuffix(s.Package, "-hello-"+system) {
			t.Errorf("lib on %s, which is %s, is %s", mapping.Target, system, s.Package)
		}
		if s.Name == "app" && !strings.HasSuffix(s.Package, "-app-coordinator") {
			t.Errorf("app on %s is %s: the structure of its provider is that of the coordinator", mapping.Target, s.Package)
		}
	}
	if len(m.Services) != 5 || keys["lib arm1"] != keys["lib arm2"] || keys["lib arm1"] == keys["lib here"] || keys["app arm2"] == keys["app mips"] {
		t.Errorf("there is one service for each system, got %v", keys)
	}
	for _, target := range []string{"arm2", "mips"} {
		app := m.Services[keys["app "+target]]
		for i, provider := range []string{"mips", "arm1", "here", "arm2"} {
			want := models.Dependency{Service: keys["lib "+provider], Container: "process", Target: provider}
			if app.DependsOn[i] != want {
				t.Errorf("dependency %d of app on %s is %v, want %v", i, target, app.DependsOn[i], want)
			}
		}
	}
}

func TestNixpkgsIsOnlyReadIfAModelUsesIt(t *testing.T) {
	dir := newModels(t, shop)
	path := dir.write("broken/default.nix", `throw "nixpkgs was read"`)
	t.Setenv("NIX_PATH", "nixpkgs="+filepath.Dir(path))
	dir.evaluate()
}

func TestNixpkgsOfTheCoordinatorAndTheTargets(t *testing.T) {
	dir := newModels(t, map[string]string{
		"architecture.nix": `{ system, pkgs }: {
		  infrastructure.node1 = { properties.hostname = if system == null then pkgs.system else throw "structure of a system"; system = "mips64el-linux"; };
		  services = { };
		  targetPackages.node1 = [ pkgs.hello ];
		}`,
	})
	fakeNixpkgs(t, dir)
	_, document, err := BuildDistributedDerivation(context.Background(), dir.inputs())
	if err != nil {
		t.Fatal(err)
	}
	if got := document.Mappings[0].Derivation; !strings.HasSuffix(got, "-hello-mips64el-linux.drv") {
		t.Errorf("the package of node1 is %s", got)
	}
	if got := document.Interfaces["node1"].TargetAddress; got != "coordinator" {
		t.Errorf("the address of node1 is %s", got)
	}
}
