package service_test

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/models/nix"
)

// TestComponentsHaveOneName: what a manifest calls the component of a package
// is what the plugin host of a target calls it; otherwise its state would not
// be found there.
func TestComponentsHaveOneName(t *testing.T) {
	const hash = "0123456789abcdfghijklmnpqrsvwxyz"
	long := strings.Repeat("long", 20)
	for _, store := range []string{"", "/elsewhere/store"} {
		t.Setenv("NIX_STORE_DIR", store)
		host, err := dysnomia.NewHost([]string{"NIX_STORE_DIR=" + store, "DYSNOMIA_STATEDIR=/state"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		in := nix.StoreDir() + "/"
		for path, want := range map[string]string{
			in + hash + "-db":                  "db",
			in + hash + "-db/":                 "db",
			in + hash + "-db/etc/" + long:      long,
			in + hash + "-" + long:             long,
			in + hash:                          hash,
			in + hash + "-":                    hash + "-",
			in + strings.ToUpper(hash) + "-db": strings.ToUpper(hash) + "-db",
			in + long:                          long,
			"/srv/" + hash + "-db":             hash + "-db",
			"/srv/db":                          "db",
			"db":                               "db",
		} {
			if got := nix.PackageName(path); got != want {
				t.Errorf("the manifest calls %s %q, want %q", path, got, want)
			}
			if got := host.ComponentName(path); got != want {
				t.Errorf("the host calls %s %q, want %q", path, got, want)
			}
		}
	}
}
