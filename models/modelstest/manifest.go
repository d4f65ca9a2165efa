// Package modelstest makes synthetic documents for tests and benchmarks: valid
// manifests of any size and shape. The same arguments always give the same
// document.
package modelstest

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// Graph returns a manifest in which service i depends on the services
// dependsOn(i), all of which must be smaller than i. Service i is mapped to
// the container "process" of target i modulo targets, and its state is not
// managed.
//
// Two manifests that differ in the version only have the same services with
// other packages, and hence other keys, everywhere.
func Graph(services, targets, version int, dependsOn func(service int) []int) *models.Manifest {
	versions := make([]int, services)
	for i := range versions {
		versions[i] = version
	}
	return VersionedGraph(targets, versions, dependsOn)
}

// VersionedGraph is [Graph] with a version for each service, so that an
// upgrade of single services can be described: they and everything that
// depends on them get other keys.
func VersionedGraph(targets int, versions []int, dependsOn func(service int) []int) *models.Manifest {
	m := &models.Manifest{
		Profiles:       make(map[string]string, targets),
		Services:       make(map[string]*models.Service, len(versions)),
		Infrastructure: Infrastructure(targets),
	}
	contents := make([]int, targets)
	for i, version := range versions {
		contents[i%targets] += version
	}
	names := make([]string, targets)
	for i := range names {
		names[i] = TargetName(i)
		m.Profiles[names[i]] = StorePath(names[i], contents[i])
	}
	keys := make([]string, len(versions))
	for i, version := range versions {
		name := fmt.Sprintf("service%06d", i)
		service := &models.Service{Name: name, Type: "process", Package: StorePath(name, version)}
		for _, d := range dependsOn(i) {
			service.DependsOn = append(service.DependsOn, models.Dependency{
				Service: keys[d], Container: "process", Target: names[d%targets],
			})
		}
		keys[i] = models.ServiceKey(service.Name, service.Type, service.Package, service.DependsOn)
		m.Services[keys[i]] = service
		m.ServiceMappings = append(m.ServiceMappings, models.ServiceMapping{
			Service: keys[i], Container: "process", Target: names[i%targets],
		})
	}
	return m
}

// Flat returns a manifest of services without dependencies.
func Flat(services, targets, version int) *models.Manifest {
	return Graph(services, targets, version, func(int) []int { return nil })
}

// Chain returns a manifest in which every service depends on the one before.
func Chain(length, targets, version int) *models.Manifest {
	return Graph(length, targets, version, func(i int) []int {
		if i == 0 {
			return nil
		}
		return []int{i - 1}
	})
}

// Layers returns a manifest of depth layers with width services each, in which
// every service depends on all services of the layer below.
func Layers(width, depth, targets, version int) *models.Manifest {
	return Graph(width*depth, targets, version, func(i int) []int {
		layer := i / width
		if layer == 0 {
			return nil
		}
		below := make([]int, width)
		for j := range below {
			below[j] = (layer-1)*width + j
		}
		return below
	})
}

// Random returns a manifest in which every service depends on that many
// services before it (on fewer, if there are not so many), chosen by the seed.
func Random(seed uint64, services, dependencies, targets, version int) *models.Manifest {
	random := rand.New(rand.NewPCG(seed, 0))
	return Graph(services, targets, version, func(i int) []int {
		var chosen []int
		for len(chosen) < min(dependencies, i) {
			if d := random.IntN(i); !slices.Contains(chosen, d) {
				chosen = append(chosen, d)
			}
		}
		slices.Sort(chosen)
		return chosen
	})
}

// Infrastructure returns that many targets with the containers "process" and
// "echo", reached through disnix-ssh-client.
func Infrastructure(targets int) models.Infrastructure {
	infrastructure := make(models.Infrastructure, targets)
	for i := range targets {
		name := TargetName(i)
		infrastructure[name] = &models.Target{
			Name: name,
			Properties: models.Properties{
				"hostname": {Type: models.String, Text: name + ".example"},
			},
			Containers: map[string]models.Properties{
				"echo": {},
				"process": {
					"port": {Type: models.Int, Text: fmt.Sprint(1024 + i%50000)},
				},
			},
			System:          "x86_64-linux",
			NumOfCores:      2,
			ClientInterface: "disnix-ssh-client",
			TargetProperty:  "hostname",
		}
	}
	return infrastructure
}

// TargetName returns the name of the target with that number.
func TargetName(i int) string { return fmt.Sprintf("target%04d", i) }

var nixBase32 = base32.NewEncoding("0123456789abcdfghijklmnpqrsvwxyz")

// StorePath returns the path of a package as it would be in the Nix store.
func StorePath(name string, version int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, version))
	return "/nix/store/" + nixBase32.EncodeToString(sum[:20]) + "-" + name
}
