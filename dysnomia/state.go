package dysnomia

// State is the state directory of a machine: activation markers, garbage
// markers and the snapshot repository (host page, section 5).
type State struct {
	// Dir is the absolute path of the directory.
	Dir string
}
