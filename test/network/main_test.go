package network

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets more tests run at once than there are processors: most of the
// time they wait for a lost link to be noticed. -test.parallel overrides it.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", "5")
	}
	os.Exit(m.Run())
}
