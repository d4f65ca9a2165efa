package models

import (
	"io"

	"github.com/disnix-go/disnix/models/internal/strictxml"
)

// ReadProfileManifest reads the profile manifest of the named target, which
// is filled in wherever the document names none. The error is a [*ParseError]
// or [Problems].
func ReadProfileManifest(r io.Reader, target string) (*ProfileManifest, error) {
	return readDocument(r, "", profileManifestKind, profileManifestDecoder(target))
}

// ReadProfileManifestFile is [ReadProfileManifest] for a file, which its
// errors name.
func ReadProfileManifestFile(path, target string) (*ProfileManifest, error) {
	return readFile(path, profileManifestKind, profileManifestDecoder(target))
}

func profileManifestDecoder(target string) func(*decoder) *ProfileManifest {
	return func(d *decoder) *ProfileManifest { return d.profileManifest(target) }
}

func (d *decoder) profileManifest(target string) *ProfileManifest {
	p := &ProfileManifest{Services: make(map[string]*Service)}
	for d.Child() {
		switch string(d.Name()) {
		case "services":
			p.Services = d.services(target)
		case "serviceMappings":
			p.ServiceMappings = d.serviceMappings(target)
		case "snapshotMappings":
			p.SnapshotMappings = d.snapshotMappings(target)
		default:
			d.Skip()
		}
	}
	return p
}

// WriteXML writes the profile manifest of the named target, which is left out
// wherever the mappings name it (formats, section 5).
func (p *ProfileManifest) WriteXML(w io.Writer, target string) error {
	return writeDocument(w, profileManifestKind, func(x *strictxml.Writer) {
		writeServices(x, p.Services, target)
		writeMappings(x, p.ServiceMappings, p.SnapshotMappings, target)
	})
}

// ProfileManifests returns what is deployed to each target of the
// infrastructure. The services are shared with the manifest.
func (m *Manifest) ProfileManifests() map[string]*ProfileManifest {
	profiles := make(map[string]*ProfileManifest, len(m.Infrastructure))
	for target := range m.Infrastructure {
		profiles[target] = &ProfileManifest{Services: make(map[string]*Service)}
	}
	for _, mapping := range m.ServiceMappings {
		if p := profiles[mapping.Target]; p != nil {
			p.addMapping(mapping, m.Services[mapping.Service])
		}
	}
	for _, mapping := range m.SnapshotMappings {
		if p := profiles[mapping.Target]; p != nil {
			p.SnapshotMappings = append(p.SnapshotMappings, mapping)
		}
	}
	return profiles
}

// ProfileManifest returns what is deployed to one target. The services are
// shared with the manifest. For many targets, [Manifest.ProfileManifests] is
// faster.
func (m *Manifest) ProfileManifest(target string) *ProfileManifest {
	p := &ProfileManifest{Services: make(map[string]*Service)}
	for _, mapping := range m.ServiceMappings {
		if mapping.Target == target {
			p.addMapping(mapping, m.Services[mapping.Service])
		}
	}
	for _, mapping := range m.SnapshotMappings {
		if mapping.Target == target {
			p.SnapshotMappings = append(p.SnapshotMappings, mapping)
		}
	}
	return p
}

func (p *ProfileManifest) addMapping(mapping ServiceMapping, service *Service) {
	p.ServiceMappings = append(p.ServiceMappings, mapping)
	if service != nil {
		p.Services[mapping.Service] = service
	}
}
