package evaluation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

const readyPackage = `a = { name = "a"; type = "process"; pkg = mine.say "a" ""; %};`

func readySystem(readiness string) map[string]string {
	return systemOf(strings.Replace(readyPackage, "%", readiness, 1), "a = [ node1 ];")
}

func TestReadiness(t *testing.T) {
	dir := newModels(t, readySystem(`readiness = { tcp = 8080; http = "8080/health"; exec = [ "${mine.say "probe" "x"}/share/probe" "-v" ]; timeout = 30; };`))
	_, m := dir.build()
	key, a := named(t, m, "a")
	program := a.Readiness.Exec[0]
	if want := (&models.Readiness{TCP: "8080", HTTP: "8080/health", Exec: []string{program, "-v"}, Timeout: 30}); !reflect.DeepEqual(a.Readiness, want) {
		t.Errorf("readiness: %+v, want %+v", a.Readiness, want)
	}
	t.Run("programs are built and kept by the profile", func(t *testing.T) {
		if _, err := os.Stat(program); err != nil {
			t.Error(err)
		}
		if got := read(t, filepath.Join(m.Profiles["node1"], "profilemanifest.xml")); !strings.Contains(got, program) {
			t.Errorf("the profile manifest is %s", got)
		}
	})
	t.Run("the service key does not change", func(t *testing.T) {
		dir.write("services.nix", readySystem("")["services.nix"])
		_, without := dir.build()
		if plain, _ := named(t, without, "a"); plain != key {
			t.Errorf("key %s, without readiness %s", key, plain)
		}
	})
	t.Run("it is not a property of a provided container", func(t *testing.T) {
		_, m := newModels(t, readySystem(`readiness.tcp = 1; providesContainer = "c"; port = 1;`)).build()
		_, a := named(t, m, "a")
		if _, ok := a.ProvidesContainers["c"]["readiness"]; ok || len(a.ProvidesContainers["c"]) != 1 {
			t.Errorf("properties: %v", a.ProvidesContainers["c"])
		}
	})
	t.Run("null is nothing", func(t *testing.T) {
		_, m := newModels(t, readySystem(`readiness = null;`)).build()
		if _, a := named(t, m, "a"); a.Readiness != nil {
			t.Errorf("readiness: %+v", a.Readiness)
		}
	})
	t.Run("it is in deployment models", func(t *testing.T) {
		const deployment = `{
		  infrastructure.node1.properties.hostname = "node1.lan";
		  services.k = { name = "a"; type = "process"; pkg = "/nix/store/some"; readiness = { tcp = "x:1"; timeout = 2; }; };
		  serviceMappings = [ { service = "k"; target = "node1"; container = "process"; } ];
		}`
		dir := newModels(t, map[string]string{"deployment.nix": deployment})
		if got, want := dir.evaluate().Manifest.Services["k"].Readiness, (&models.Readiness{TCP: "x:1", Timeout: 2}); !reflect.DeepEqual(got, want) {
			t.Errorf("readiness: %+v", got)
		}
		dir.write("deployment.nix", strings.Replace(deployment, `"x:1"`, `"x"`, 1))
		if _, err := Evaluate(context.Background(), dir.inputs()); err == nil || !strings.Contains(err.Error(), `service k: readiness: tcp has "x" as its port`) {
			t.Errorf("error: %v", err)
		}
	})
}

func TestReadinessProblems(t *testing.T) {
	for readiness, want := range map[string]string{
		`readiness = { udp = 53; };`:                  `service "a": readiness: there is no attribute udp: use tcp, http, exec and timeout`,
		`readiness = { tcp = 70000; };`:               `service "a": readiness: tcp has "70000" as its port`,
		`readiness = { http = "/health"; };`:          `service "a": readiness: http must be a URL`,
		`readiness = { exec = "true"; };`:             `service "a": readiness: exec must be a list of strings`,
		`readiness = { tcp = 1; timeout = "10"; };`:   `service "a": readiness: timeout must be a number of seconds`,
		`readiness = { };`:                            `service "a": readiness: it says nothing to wait for`,
		`readiness = 8080;`:                           `service "a": readiness must be an attribute set, not an integer`,
		`readiness = { tcp = x: x; };`:                `service "a": readiness.tcp is a function`,
		`type = "package"; readiness = { tcp = 1; };`: `service "a": it is of type package, which is installed and not activated: remove its attribute readiness`,
	} {
		files := readySystem(readiness)
		if strings.HasPrefix(readiness, "type") {
			files["services.nix"] = strings.Replace(files["services.nix"], `type = "process"; `, "", 1)
		}
		_, err := Evaluate(context.Background(), newModels(t, files).inputs())
		var problems models.Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(problems[0].Error(), want) {
			t.Errorf("%s: %v, want %s", readiness, err, want)
		}
	}
}
