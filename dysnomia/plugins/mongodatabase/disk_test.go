package mongodatabase

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

func TestDiskIsFullDuringDump(t *testing.T) {
	f := fixture(t, map[string]string{"a.js": "db.createCollection(\"one\")\n"})
	f.Do(dysnomia.Activate)
	put(t, collection(f.Component, "one"), strings.Repeat("x", 64<<10))
	if err := f.FullDisk(dysnomia.Snapshot, 32<<10); !strings.Contains(err.Error(), "No space left on device") {
		t.Errorf("error: %v", err)
	}
}
