package dysnomia

import "context"

// ReadSettings reads a file of a component that consists of assignments, such
// as the specification of a user or of a process, in the format of container
// files. What needs expansion is evaluated with the environment (key=value) if
// the file can be trusted; variables of the environment that the file does not
// set are not in the result.
func ReadSettings(ctx context.Context, file string, environment []string) (map[string]string, error) {
	properties, err := (&Host{Environment: environment}).readProperties(ctx, file)
	if err != nil {
		return nil, err
	}
	return properties.variables(), nil
}
