package models_test

import (
	"testing"

	"github.com/disnix-go/disnix/models"
)

// The keys were computed by Nix 2.8 (formats, section 11).
func TestServiceKey(t *testing.T) {
	const (
		orders = "f67ec0994de150b221d2cfd923ceb55cf8d2982ba9384251a04be061503ffd3c"
		api    = "e3284ffbec1929d8ca05bfc89adc48f155c7e73e57a328c9aafa71fe97624d70"
		web    = "24c7146ba16bbb32debe6573f47d3675795737b4ab10ee25736db40fd57cce70"
	)
	tests := []struct {
		name, typ, pkg string
		dependsOn      []models.Dependency
		want           string
	}{
		{
			name: "orders", typ: "pg-database",
			pkg:  "/nix/store/00000000000000000000000000000000-orders",
			want: orders,
		},
		{
			name: "api", typ: "process",
			pkg: "/nix/store/11111111111111111111111111111111-api-1.0",
			dependsOn: []models.Dependency{
				{Service: orders, Container: "pg-database", Target: "node1"},
				{Service: orders, Container: "process", Target: "node2"},
			},
			want: api,
		},
		{
			name: `R&D <"web"> größe ☃ it's`, typ: "process",
			pkg:       "/nix/store/22222222222222222222222222222222-web",
			dependsOn: []models.Dependency{{Service: api, Container: "process", Target: "node1"}},
			want:      web,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := models.ServiceKey(test.name, test.typ, test.pkg, test.dependsOn)
			if got != test.want {
				t.Errorf("key %s, want %s", got, test.want)
			}
		})
	}
}

func TestServiceKeyOrderOfDependenciesCounts(t *testing.T) {
	a := models.Dependency{Service: "a", Container: "process", Target: "node1"}
	b := models.Dependency{Service: "b", Container: "process", Target: "node1"}
	ab := models.ServiceKey("x", "process", "/p", []models.Dependency{a, b})
	ba := models.ServiceKey("x", "process", "/p", []models.Dependency{b, a})
	if ab == ba {
		t.Error("the order of the dependencies does not change the key")
	}
}
