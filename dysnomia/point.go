package dysnomia

// around does something between the fault points of that name. The point may
// be nil.
func around(point func(name string) error, name string, do func() error) error {
	if point == nil {
		return do()
	}
	if err := point(name); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return point(name + "/done")
}
