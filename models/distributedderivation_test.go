package models_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

func TestDistributedDerivation(t *testing.T) {
	dd := &models.DistributedDerivation{
		Mappings: []models.DerivationMapping{
			{Derivation: "/nix/store/dddd-orders.drv", Interface: "node2"},
			{Derivation: "/nix/store/dddd-orders.drv", Interface: "node1"},
		},
		Interfaces: map[string]models.Interface{
			"node2": {TargetAddress: "node2.lan", ClientInterface: "disnix-ssh-client", NumOfCores: 4},
			"node1": {TargetAddress: "node1.lan:22&", ClientInterface: "disnix-ssh-client", NumOfCores: 1},
		},
	}
	const want = "<?xml version=\"1.0\"?>\n\n  " +
		`<distributedderivation version="2"><derivationMappings>` +
		`<mapping><derivation>/nix/store/dddd-orders.drv</derivation><interface>node2</interface></mapping>` +
		`<mapping><derivation>/nix/store/dddd-orders.drv</derivation><interface>node1</interface></mapping>` +
		`</derivationMappings><interfaces>` +
		`<interface name="node1"><targetAddress>node1.lan:22&amp;</targetAddress><clientInterface>disnix-ssh-client</clientInterface></interface>` +
		`<interface name="node2"><targetAddress>node2.lan</targetAddress><clientInterface>disnix-ssh-client</clientInterface><numOfCores>4</numOfCores></interface>` +
		`</interfaces></distributedderivation>` + "\n\n"
	var b bytes.Buffer
	if err := dd.WriteXML(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", &b, want)
	}
	got, err := models.ReadDistributedDerivation(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, dd) {
		t.Errorf("read %+v, want %+v", got, dd)
	}
}

func TestDistributedDerivationReportsMistakes(t *testing.T) {
	const text = `<distributedderivation version="2">
<derivationMappings><mapping/><mapping><derivation>/nix/store/x.drv</derivation><interface>node9</interface></mapping></derivationMappings>
<interfaces><interface name="node1"><numOfCores>0</numOfCores></interface></interfaces></distributedderivation>`
	_, err := models.ReadDistributedDerivation(strings.NewReader(text))
	var problems models.Problems
	if !errors.As(err, &problems) || len(problems) != 6 {
		t.Fatalf("error %v, want 6 problems", err)
	}
	containsAll(t, err.Error(), []string{
		"derivationmapping.derivation is not set!", "derivationmapping.interface is not set!",
		"interface.targetAddress is not set! Hash table value with key: node1 is invalid!",
		`interface "node1": numOfCores is 0, but must be at least 1`,
		"interface.clientInterface is not set! Hash table value with key: node1 is invalid!",
		"derivation /nix/store/x.drv: Derivation mapping: 1 contains an incorrect reference to interface: node9",
	})
}
