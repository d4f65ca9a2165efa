package dysnomia

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestFilesIn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[a]*?\\")
	writeTree(t, dir, map[string]string{"b.sql": "", "a.sql": "", ".c.sql": "", "d": "", "e/x.sql": ""})
	for pattern, want := range map[string][]string{
		"*.sql": {"a.sql", "b.sql"}, "*": {"a.sql", "b.sql", "d", "e"}, ".*": {".c.sql"}, "none*": nil,
	} {
		got, err := FilesIn(dir, pattern)
		check(t, err)
		for i := range got {
			got[i] = filepath.Base(got[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
	for _, missing := range []string{filepath.Join(dir, "missing"), filepath.Join(dir, "d")} {
		if got, err := FilesIn(missing, "*"); err != nil || len(got) != 0 {
			t.Errorf("%s: %q, %v", missing, got, err)
		}
	}
	if _, err := FilesIn(dir, "["); err == nil {
		t.Error("a bad pattern is no error")
	}
}
