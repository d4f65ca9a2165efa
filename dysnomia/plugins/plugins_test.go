package plugins

import (
	"maps"
	"slices"
	"testing"
)

func TestBuiltinPlugins(t *testing.T) {
	got := slices.Sorted(maps.Keys(Builtin()))
	if want := []string{"echo", "fileset", "process", "tomcat-webapplication", "supervisord-program", "wrapper"}; !slices.Equal(got, want) {
		t.Errorf("types: %v, want %v", got, want)
	}
	for name, plugin := range Builtin() {
		if plugin == nil {
			t.Errorf("%s is missing", name)
		}
	}
}
