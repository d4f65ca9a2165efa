package coordinator_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
)

// deployedTarget is a target in memory with profiles, on which the coordinator
// is logged in as a user.
type deployedTarget struct {
	*servicetest.Fake
	closures map[string][]string // by profile and by store path
	user     string
}

func (t *deployedTarget) User() string { return t.user }

func (t *deployedTarget) QueryRequisites(ctx context.Context, paths []string) ([]string, error) {
	if _, err := t.Fake.QueryRequisites(ctx, paths); err != nil {
		return nil, err
	}
	closure, ok := t.closures[paths[0]]
	if !ok {
		return nil, fmt.Errorf("query the requisites of %s: no such path", paths[0])
	}
	return closure, nil
}

// deployedSite is a site on whose targets a configuration is deployed. Files of
// the targets' stores are here only after the coordinator has imported them.
type deployedSite struct {
	*site
	targets  map[string]*deployedTarget
	manifest *models.Manifest
	capture  *coordinator.ManifestCapture
	// arriving puts the files here.
	arriving []func() error
}

func newDeployedSite(t *testing.T, m *models.Manifest) *deployedSite {
	t.Helper()
	t.Setenv("NIX_STATE_DIR", t.TempDir())
	s := &deployedSite{site: newSite(t), manifest: m, targets: make(map[string]*deployedTarget)}
	for target, document := range m.ProfileManifests() {
		s.targets[target] = &deployedTarget{Fake: s.target(target), closures: make(map[string][]string), user: "root"}
		var text bytes.Buffer
		if err := document.WriteXML(&text, target); err != nil {
			t.Fatal(err)
		}
		s.targets[target].AddInstalled("default", text.Bytes())
		m.Profiles[target] = s.install(target, "profiles/disnix/default", text.String())
	}
	targets := coordinator.NewTargets(m.Infrastructure, func(_ context.Context, target *models.Target) (service.Service, error) {
		return s.targets[target.Name], nil
	})
	t.Cleanup(func() { _ = targets.Close() })
	s.here.Hook = func(_ context.Context, call servicetest.Call) error {
		if call.Operation != "import" {
			return nil
		}
		for _, arrive := range s.arriving {
			if err := arrive(); err != nil {
				return err
			}
		}
		return nil
	}
	s.capture = &coordinator.ManifestCapture{
		Targets: targets, Infrastructure: m.Infrastructure, Store: s.here, Reporter: s.report, Transfers: 1,
	}
	return s
}

// install makes a profile of a target lead to a new store path with this
// profile manifest, and with the packages of all services in its closure.
func (s *deployedSite) install(target, profile, document string) string {
	path := filepath.Join(s.t.TempDir(), target)
	var closure []string
	for _, service := range s.manifest.Services {
		closure = append(closure, service.Package)
	}
	closure = append(closure, path)
	t := s.targets[target]
	t.AddValid(closure...)
	t.closures[filepath.Join(os.Getenv("NIX_STATE_DIR"), profile)] = closure
	t.closures[path] = closure
	s.arriving = append(s.arriving, func() error {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(path, "profilemanifest.xml"), []byte(document), 0o644)
	})
	return path
}

func twoTiers() *models.Manifest {
	return configuration("node1 node2",
		part{name: "db", on: "node1", stateful: true},
		part{name: "web", on: "node2", dependsOn: []string{"db"}})
}

// TestRoughEdge_commands11: the closures are copied before the profile manifests
// are read, so that the first run succeeds on a coordinator that has none.
func TestRoughEdge_commands11(t *testing.T) {
	s := newDeployedSite(t, twoTiers())
	got, err := s.capture.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(s.manifest) {
		t.Errorf("captured %+v, want %+v", got, s.manifest)
	}
	var text strings.Builder
	if err := got.WriteNix(&text); err != nil {
		t.Fatal(err)
	}
	equal(t, "problems", len(s.report.problems), 0)
	equal(t, "progress", s.report.progress,
		[]string{"Resolving target profile paths...", "Retrieving intra-dependency closures of the profiles..."})
}

func TestCaptureProfileOfUser(t *testing.T) {
	s := newDeployedSite(t, twoTiers())
	node1 := s.targets["node1"]
	node1.user = "operator"
	document, _ := node1.QueryInstalled(t.Context(), "default")
	own := s.install("node1", "profiles/per-user/operator/disnix/default", string(document))
	// What root has deployed there is something else.
	s.install("node1", "profiles/disnix/default", "<profilemanifest version='2'/>")
	got, err := s.capture.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "profile", got.Profiles["node1"], own)
	equal(t, "profile of root", got.Profiles["node2"], s.manifest.Profiles["node2"])
}

func TestCaptureManifestProblems(t *testing.T) {
	type example struct {
		name    string
		prepare func(s *deployedSite)
		want    []string
		problem string
	}
	for _, test := range []example{
		{"target that cannot be asked", func(s *deployedSite) { s.failOn("node1 query-installed") },
			[]string{`target "node1"`, errInjected.Error()}, "node1: Cannot query the requisites of the profile!"},
		{"corrupt profile manifest", func(s *deployedSite) { s.targets["node2"].AddInstalled("default", []byte("<profile")) },
			[]string{`target "node2"`, `read the manifest of profile "default"`}, "node2: Cannot query the requisites of the profile!"},
		{"profile that cannot be found", func(s *deployedSite) { clear(s.targets["node1"].closures) },
			[]string{`target "node1": find the store path of profile "default"`, "profiles/disnix/default"}, "node1: Cannot query the requisites of the profile!"},
		{"closure without a package", func(s *deployedSite) {
			for key, closure := range s.targets["node1"].closures {
				s.targets["node1"].closures[key] = closure[len(closure)-1:]
			}
		}, []string{"is not the one that is installed"}, "node1: Cannot query the requisites of the profile!"},
		{"closure that cannot be copied", func(s *deployedSite) { s.failOn("node1 export") },
			[]string{`target "node1": copy the closure of `, errInjected.Error()}, "node1: Cannot retrieve intra-dependency closure of profile!"},
		{"profile that changes", func(s *deployedSite) { s.install("node1", "profiles/disnix/default", "<profilemanifest version='2'/>") },
			[]string{`target "node1": profile `, "it was changed meanwhile"}, "node1: Cannot retrieve intra-dependency closure of profile!"},
		{"target that is missing", func(s *deployedSite) { delete(s.capture.Infrastructure, "node1") },
			[]string{"do not fit together", `target "node1" is not in the infrastructure`}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newDeployedSite(t, twoTiers())
			test.prepare(s)
			got, err := s.capture.Run(t.Context())
			errorContains(t, err, test.want...)
			if got != nil {
				t.Errorf("there is a manifest: %+v", got)
			}
			if test.problem != "" {
				contains(t, s.report.problems, test.problem)
			}
		})
	}
	t.Run("nothing deployed", func(t *testing.T) {
		s := newDeployedSite(t, configuration("node1 node2"))
		s.targets["node1"].AddInstalled("default", nil)
		got, err := s.capture.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, has := got.Profiles["node1"]; has || len(got.Profiles) != 1 || len(got.Infrastructure) != 2 {
			t.Errorf("profiles %v", got.Profiles)
		}
		equal(t, "closures copied from node1", slices.Contains(s.operations(), "node1 export"), false)
	})
}
