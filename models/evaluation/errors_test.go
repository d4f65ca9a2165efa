package evaluation

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models/nix"
)

func TestNixErrorsNameTheModel(t *testing.T) {
	service := `a = { name = "a"; type = "process"; pkg = mine.say "a" ""; };`
	for _, test := range []struct {
		name    string
		change  map[string]string
		extra   string
		what    string
		message []string
	}{
		{"syntax of services", map[string]string{"services.nix": "{ system, ... }: {\n a = ; }"}, "",
			"the services model", []string{"syntax error", "services.nix:2:6"}},
		{"syntax of infrastructure", map[string]string{"infrastructure.nix": "{"}, "",
			"the infrastructure model", []string{"syntax error", "infrastructure.nix"}},
		{"throw in distribution", map[string]string{"distribution.nix": `{ infrastructure }: throw "no plan"`}, "",
			"the distribution model", []string{"no plan"}},
		{"target that does not exist", map[string]string{"distribution.nix": "{ infrastructure }: {\n a = [ infrastructure.node9 ]; }"}, "",
			`the targets of service a`, []string{"attribute 'node9' missing", "distribution.nix:2:"}},
		{"services model is not a function", map[string]string{"services.nix": "{ }"}, "",
			"the services model", []string{"the services model must be a function, not an attribute set"}},
		{"services model gives a list", map[string]string{"services.nix": "{ ... }: [ ]"}, "",
			"the services model", []string{"the services model must return an attribute set, not a list"}},
		{"services model lacks an argument", map[string]string{"services.nix": "{ system, pkgs }: { }"}, "",
			"the services model", []string{"distribution"}},
		{"service is not a set", map[string]string{"services.nix": "{ ... }: { a = 5; }"}, "",
			"the services model", []string{"service a must be an attribute set, not an integer"}},
		{"infrastructure is a function", map[string]string{"infrastructure.nix": "{ }: { }"}, "",
			"the infrastructure model", []string{"the infrastructure model must be an attribute set, not a function"}},
		{"target is not a set", map[string]string{"infrastructure.nix": `{ node1 = "host"; node2.properties.hostname = "x"; }`}, "",
			"target node1 of the infrastructure", []string{"target node1 of the infrastructure must be an attribute set, not a string"}},
		{"package", map[string]string{"services.nix": `{ ... }: { a = { name = "a"; type = "process"; pkg = throw "no source"; }; }`}, "",
			"the package of service a for system x86_64-linux", []string{"no source"}},
		{"pkg missing", map[string]string{"services.nix": `{ ... }: { a = { name = "a"; type = "process"; }; }`}, "",
			"the package of service a", []string{"service a has no attribute pkg"}},
		{"pkg is not a function of the inter-dependencies", map[string]string{"services.nix": `{ system, ... }: rec {
		    b = { name = "b"; type = "process"; pkg = (import ./pkgs.nix { inherit system; }).say "b" ""; };
		    a = b // { name = "a"; dependsOn = { inherit b; }; }; }`, "distribution.nix": `{ infrastructure }: { a = [ infrastructure.node1 ]; b = [ infrastructure.node1 ]; }`}, "",
			"the package of service a", []string{"service a has inter-dependencies (b), so its pkg must be a function of them, not a derivation"}},
		{"services depend on the system", map[string]string{"services.nix": `{ system, ... }: if system == null then { a = { name = "a"; type = "process"; }; } else { }`}, "",
			"the package of service a", []string{"service a does not exist when the services are evaluated for system x86_64-linux"}},
		{"packages of a target", map[string]string{"packages.nix": `{ pkgs, system }: { node1 = [ (throw "no tool") ]; }`}, "",
			"the packages of target node1", []string{"no tool"}},
		{"nixpkgs that is not there", map[string]string{"services.nix": `{ pkgs, ... }: { a = { name = "a"; type = "process"; pkg = pkgs.hello; }; }`}, "",
			"the package of service a", []string{"nixpkgs"}},
		{"syntax of extra parameters", nil, "{ a = ; }", `the extra parameters "{ a = ; }"`, []string{"syntax error"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := systemOf(service, `a = [ node1 ];`)
			maps.Copy(files, test.change)
			in := newModels(t, files).inputs()
			in.ExtraParams = test.extra
			_, err := Evaluate(context.Background(), in)
			var failure *Error
			if !errors.As(err, &failure) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(failure.What, test.what) {
				t.Errorf("the error is in %q, want %q", failure.What, test.what)
			}
			for _, part := range test.message {
				if !strings.Contains(failure.Message, part) {
					t.Errorf("the message does not say %q: %s", part, failure.Message)
				}
			}
			var program *nix.Error
			if !errors.As(err, &program) {
				t.Errorf("the error of the Nix program is lost: %v", err)
			}
		})
	}
}

func TestShowTrace(t *testing.T) {
	files := systemOf(`a = { name = "a"; type = "process"; pkg = throw "no source"; };`, `a = [ node1 ];`)
	in := newModels(t, files).inputs()
	for _, show := range []bool{false, true} {
		in.ShowTrace = show
		_, err := Evaluate(context.Background(), in)
		var failure *Error
		if !errors.As(err, &failure) {
			t.Fatalf("got %v, want an *Error", err)
		}
		if got := strings.Contains(failure.Message, "while disnix evaluates"); got != show {
			t.Errorf("show trace is %v, but the trace shown is %v: %s", show, got, failure.Message)
		}
		if want := "the package of service a for system x86_64-linux"; failure.What != want {
			t.Errorf("the error is in %q, want %q", failure.What, want)
		}
	}
}

// TestEvaluatedPart has traces of several versions of Nix.
func TestEvaluatedPart(t *testing.T) {
	for name, test := range map[string]struct{ trace, want string }{
		"2.8":  {"error: no source\n\n       at /x/services.nix:1:2:\n\n       … while disnix evaluates the inner part\n\n       … while disnix evaluates the outer part\n", "the inner part"},
		"2.20": {"error:\n       … while disnix evaluates the outer part\n\n       … while calling the 'throw' builtin\n\n       … while disnix evaluates the inner part\n\n       error: no source\n", "the inner part"},
		"none": {"error: out of memory", ""},
	} {
		if got := evaluatedPart(test.trace); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestNixIsNotInstalled(t *testing.T) {
	in := newModels(t, shop).inputs()
	t.Setenv("PATH", t.TempDir())
	if _, err := Evaluate(context.Background(), in); err == nil || !strings.Contains(err.Error(), "nix-instantiate is not installed") {
		t.Errorf("got %v", err)
	}
}

func TestEvaluationIsCancelled(t *testing.T) {
	in := newModels(t, shop).inputs()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Evaluate(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context was cancelled", err)
	}
}

func TestDiagnosticsOfASuccessfulEvaluation(t *testing.T) {
	files := systemOf(`a = { name = "a"; type = builtins.trace "look here" "process"; pkg = mine.say "a" ""; };`, `a = [ node1 ];`)
	in := newModels(t, files).inputs()
	var log bytes.Buffer
	in.Log = &log
	if _, err := Evaluate(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "trace: look here") {
		t.Errorf("the log is %q, want the trace of the model", &log)
	}
}
