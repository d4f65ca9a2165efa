package influxdatabase

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

func TestDiskIsFullDuringBackup(t *testing.T) {
	f := fixture(t, "full", nil)
	f.Do(dysnomia.Activate)
	var points strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&points, "m v=\"%x\" %d\n", sha256.Sum256([]byte(strconv.Itoa(i))), i+1)
	}
	write(t, "full", points.String())
	if err := f.FullDisk(dysnomia.Snapshot, 64<<10); !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("error: %v", err)
	}
}
