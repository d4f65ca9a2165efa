package models

// Merge returns the manifest of a system from what is deployed to each of its
// targets. The profiles are the store paths that the answers come from. A
// service that several targets have is taken from the first one, by name. The
// result is not validated; it shares its parts with the arguments.
func (q QueryResult) Merge(profiles map[string]string, infrastructure Infrastructure) *Manifest {
	m := &Manifest{
		Profiles:       profiles,
		Services:       make(map[string]*Service),
		Infrastructure: infrastructure,
	}
	for _, answer := range q.sorted() {
		for key, service := range answer.Manifest.Services {
			if _, known := m.Services[key]; !known {
				m.Services[key] = service
			}
		}
		m.ServiceMappings = append(m.ServiceMappings, answer.Manifest.ServiceMappings...)
		m.SnapshotMappings = append(m.SnapshotMappings, answer.Manifest.SnapshotMappings...)
	}
	return m
}
