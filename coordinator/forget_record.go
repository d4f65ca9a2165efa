package coordinator

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/models"
)

// recordedAs returns the manifest that becomes the new generation when
// configuration, in the file at path, is deployed. If targets were left out, it is
// another one: the generation does not say of these what is not there, so that
// the next deployment knows what is missing.
func (d *Deployment) recordedAs(ctx context.Context, configuration *models.Manifest, path string) (string, error) {
	if len(d.forgotten) == 0 || d.AddManifest == nil {
		return path, nil
	}
	actual := d.actual(configuration)
	if actual.Equal(configuration) {
		return path, nil
	}
	path, err := d.AddManifest(ctx, actual)
	if err != nil {
		return "", fmt.Errorf("describe what is deployed without the targets that were left out: %w", err)
	}
	return path, nil
}

// actual returns a configuration with those services on the targets that were
// left out that are there as far as the journal knows. Those in doubt get keys that
// no other configuration has: the next deployment deactivates them, and activates
// those that it has itself.
func (d *Deployment) actual(configuration *models.Manifest) *models.Manifest {
	before := d.Previous
	if before == nil {
		before = &models.Manifest{}
	}
	actual := &models.Manifest{
		Profiles:       make(map[string]string),
		Services:       make(map[string]*models.Service),
		Infrastructure: ReachableInfrastructure(d.Manifest, configuration),
	}
	maps.Copy(actual.Services, configuration.Services)
	maps.Copy(actual.Profiles, configuration.Profiles)
	for target := range d.forgotten {
		delete(actual.Profiles, target)
		if profile, ok := before.Profiles[target]; ok {
			actual.Profiles[target] = profile
			actual.Infrastructure[target] = before.Infrastructure[target]
		}
	}
	there := d.leftBehind(before)
	actual.ServiceMappings = slices.DeleteFunc(slices.Clone(configuration.ServiceMappings), func(m models.ServiceMapping) bool {
		return d.forgotten[m.Target]
	})
	actual.SnapshotMappings = slices.DeleteFunc(slices.Clone(configuration.SnapshotMappings), func(m models.SnapshotMapping) bool {
		return d.forgotten[m.Target]
	})
	for _, m := range there.services {
		for _, key := range []string{m.Service, m.ContainerProvidedByService} {
			original := strings.TrimSuffix(key, inDoubt)
			if service := cmp.Or(d.Manifest.Services[original], before.Services[original]); service != nil {
				actual.Services[key] = service
			}
		}
	}
	actual.ServiceMappings = append(actual.ServiceMappings, there.services...)
	actual.SnapshotMappings = append(actual.SnapshotMappings, there.snapshots...)
	removeDangling(actual)
	return actual
}

// remains are what is on targets that were left out.
type remains struct {
	services  []models.ServiceMapping
	snapshots []models.SnapshotMapping
}

// inDoubt is added to the keys of services of which it is not known whether they
// are active.
const inDoubt = "-in-doubt"

// leftBehind returns what is on the targets that were left out: of the old
// configuration what was not deactivated, of the new one what was begun to be
// activated.
func (d *Deployment) leftBehind(before *models.Manifest) remains {
	var all remains
	services := make(map[models.Dependency]bool)
	components := make(map[[3]string]bool)
	add := func(m *models.Manifest, e edition) {
		added := make(map[models.Dependency]string)
		for _, mapping := range m.ServiceMappings {
			key, there := d.leftAs(mapping, e)
			identity := mapping.Identity()
			mapping.Service = key
			if there && !services[mapping.Identity()] {
				services[mapping.Identity()], added[identity] = true, key
				all.services = append(all.services, mapping)
			}
		}
		for _, mapping := range m.SnapshotMappings {
			component := [3]string{mapping.Target, mapping.Container, mapping.Component}
			if key := added[mapping.Identity()]; key != "" && !components[component] {
				components[component] = true
				mapping.Service = key
				all.snapshots = append(all.snapshots, mapping)
			}
		}
	}
	add(d.Manifest, newEdition)
	add(before, oldEdition)
	return all
}

// leftAs reports whether a service may be active on a target that was left out, as
// far as the journal knows, and under which key that is recorded.
func (d *Deployment) leftAs(m models.ServiceMapping, e edition) (key string, there bool) {
	o := d.journal.Of(journal.Action{Kind: journal.Activate, Target: m.Target, Container: m.Container, Subject: m.Service, Old: bool(e)})
	switch {
	case !d.forgotten[m.Target]:
		return "", false
	case o.Result == "":
		return m.Service, e == oldEdition
	case o.Result == journal.Done:
		return m.Service, o.Kind == journal.Activate
	default:
		return m.Service + inDoubt, true
	}
}

// removeDangling removes dependencies on services that are not mapped.
func removeDangling(m *models.Manifest) {
	mapped := make(map[models.Dependency]bool)
	for _, mapping := range m.ServiceMappings {
		mapped[mapping.Identity()] = true
	}
	dangles := func(dependency models.Dependency) bool { return !mapped[dependency] }
	for key, s := range m.Services {
		if !slices.ContainsFunc(s.DependsOn, dangles) && !slices.ContainsFunc(s.ConnectsTo, dangles) {
			continue
		}
		changed := *s
		changed.DependsOn = slices.DeleteFunc(slices.Clone(s.DependsOn), dangles)
		changed.ConnectsTo = slices.DeleteFunc(slices.Clone(s.ConnectsTo), dangles)
		m.Services[key] = &changed
	}
}
