package models_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
)

func TestEveryManifestIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := modelstest.Manifests().Draw(t, "manifest")
		if err := m.Validate(); err != nil {
			t.Fatalf("the generated manifest is invalid: %v", err)
		}
		var text bytes.Buffer
		if err := m.WriteXML(&text); err != nil {
			t.Fatal(err)
		}
		got, err := models.ReadManifest(bytes.NewReader(text.Bytes()))
		if err != nil {
			t.Fatalf("%v in\n%s", err, &text)
		}
		if !got.Equal(m) {
			t.Fatalf("read back %+v\nof %s", got, &text)
		}
		var again bytes.Buffer
		if err := got.WriteXML(&again); err != nil {
			t.Fatal(err)
		}
		if again.String() != text.String() {
			t.Fatalf("written again, it differs:\n%s\n%s", &again, &text)
		}
	})
}

func TestEveryInfrastructureIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := modelstest.Manifests().Draw(t, "manifest")
		var text bytes.Buffer
		if err := m.Infrastructure.WriteXML(&text); err != nil {
			t.Fatal(err)
		}
		got, err := models.ReadInfrastructure(&text, models.TargetDefaults{})
		if err != nil {
			t.Fatal(err)
		}
		if !(&models.Manifest{Infrastructure: got}).Equal(&models.Manifest{Infrastructure: m.Infrastructure}) {
			t.Fatalf("read back %+v", got)
		}
	})
}

func TestEveryProfileManifestIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := modelstest.Manifests().Draw(t, "manifest")
		for target, profile := range m.ProfileManifests() {
			var text bytes.Buffer
			if err := profile.WriteXML(&text, target); err != nil {
				t.Fatal(err)
			}
			got, err := models.ReadProfileManifest(bytes.NewReader(text.Bytes()), target)
			if err != nil {
				t.Fatal(err)
			}
			if !whole(got).Equal(whole(profile)) || !whole(m.ProfileManifest(target)).Equal(whole(profile)) {
				t.Fatalf("read back %+v\nof %s", got, &text)
			}
		}
	})
}

// whole makes a profile manifest comparable.
func whole(p *models.ProfileManifest) *models.Manifest {
	return &models.Manifest{Services: p.Services, ServiceMappings: p.ServiceMappings, SnapshotMappings: p.SnapshotMappings}
}
