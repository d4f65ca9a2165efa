package evaluation

import (
	"reflect"
	"slices"
	"testing"

	"github.com/disnix-go/disnix/models"
)

// company is a system of several tiers: databases in containers that services
// provide, replicated applications, a proxy for each machine that is generated
// from the distribution, and tools that are only installed.
var company = map[string]string{
	"infrastructure.nix": `let
	  machine = hostname: rest: { properties.hostname = hostname; containers = { process.user = "services"; }; } // rest;
	in {
	  db1 = machine "db1.lan" { containers.systemd-unit = { }; numOfCores = 8; };
	  db2 = machine "db2.lan" { containers.systemd-unit = { }; numOfCores = 8; };
	  web1 = machine "web1.lan" { rack = "A"; };
	  web2 = machine "web2.lan" { rack = "B"; };
	  web3 = { properties = { hostname = "web3.lan"; ip = "10.0.0.3"; }; targetProperty = "ip"; clientInterface = "disnix-ssh-client"; };
	}`,
	"distribution.nix": `{ infrastructure }: with infrastructure; {
	  postgres1 = [ db1 ]; postgres2 = [ db2 ];
	  accounts = { targets = [ { target = db1; container = "postgres"; } ]; };
	  orders = { targets = [ { target = db1; container = "postgres"; } { target = db2; container = "postgres"; } ]; };
	  backend = [ web1 web2 web3 ];
	  tomcat = [ web1 web2 ];
	  shop = [ web1 web2 ];
	  reports = [ web3 ];
	  proxy-web1 = [ web1 ]; proxy-web2 = [ web2 ];
	  psql = [ db1 db2 ];
	}`,
	"packages.nix": `{ pkgs, system }: { db1 = [ ((import ./pkgs.nix { inherit system; }).say "htop" "") ]; }`,
	"services.nix": `{ system, pkgs, distribution, invDistribution }:
	let
	  mine = import ./pkgs.nix { inherit system; };
	  postgres = name: port: { inherit name; type = "systemd-unit"; pkg = mine.say name ""; providesContainer = "postgres"; inherit port; deployState = true; };
	  dsn = db: map (t: "${t.properties.hostname}:${toString t.container.port}/${db.name}") db.targets;
	  url = p: map (t: "http://${t.properties.hostname}") p.targets;
	  # The dependencies of a dependency can be seen, too.
	  deep = p: { here = url p; below = builtins.mapAttrs (_: dsn) p.connectsTo; };
	  proxies = builtins.listToAttrs (map (target: let name = "proxy-${target}"; in {
	    inherit name;
	    value = { inherit name; type = "process"; pkg = mine.show name url;
	      dependsOn.upstream = services.shop // { targets = [ invDistribution.${target} ]; }; };
	  }) (builtins.filter (t: invDistribution.${t}.services ? shop) (builtins.attrNames invDistribution)));
	  services = rec {
	    postgres1 = postgres "postgres1" 5432;
	    postgres2 = postgres "postgres2" 5433;
	    accounts = { name = "accounts"; type = "postgres-schema"; pkg = mine.say "accounts" ""; deployState = true; };
	    orders = { name = "orders"; type = "postgres-schema"; pkg = mine.say "orders" ""; };
	    backend = { name = "backend"; type = "process"; pkg = mine.show "backend" dsn; dependsOn = { inherit accounts orders; }; };
	    tomcat = { name = "tomcat"; type = "process"; pkg = mine.say "tomcat" ""; providesContainers = { tomcat-webapp = { port = 8080; options = [ "-Xmx1g" "-server" ]; }; }; };
	    shop = { name = "shop"; type = "tomcat-webapp"; pkg = mine.show "shop" deep; dependsOn = { inherit backend; }; };
	    reports = { name = "reports"; type = "process"; pkg = mine.show "reports" dsn; connectsTo = { inherit orders; }; activatesAfter = { inherit shop; }; };
	    psql = { name = "psql"; type = "package"; pkg = mine.say "psql" ""; };
	  } // proxies;
	in services`,
}

func TestRealisticSystem(t *testing.T) {
	_, m := newModels(t, company).build()
	places := make(map[string][]string)
	for _, mapping := range m.ServiceMappings {
		place := mapping.Target + " " + mapping.Container
		if provider := mapping.ContainerProvidedByService; provider != "" {
			place += " of " + m.Services[provider].Name
		}
		name := m.Services[mapping.Service].Name
		places[name] = append(places[name], place)
	}
	wantPlaces := map[string][]string{
		"postgres1": {"db1 systemd-unit"}, "postgres2": {"db2 systemd-unit"},
		"accounts": {"db1 postgres of postgres1"}, "orders": {"db1 postgres of postgres1", "db2 postgres of postgres2"},
		"backend": {"web1 process", "web2 process", "web3 process"}, "tomcat": {"web1 process", "web2 process"},
		"shop": {"web1 tomcat-webapp of tomcat", "web2 tomcat-webapp of tomcat"}, "reports": {"web3 process"},
		"proxy-web1": {"web1 process"}, "proxy-web2": {"web2 process"},
	}
	if !reflect.DeepEqual(places, wantPlaces) {
		t.Errorf("services are mapped to %v, want %v", places, wantPlaces)
	}
	order := make(map[string][]string)
	for _, s := range m.Services {
		for _, d := range s.DependsOn {
			order[s.Name] = append(order[s.Name], m.Services[d.Service].Name+" on "+d.Target)
		}
	}
	wantOrder := map[string][]string{
		"accounts": {"postgres1 on db1"}, "orders": {"postgres1 on db1", "postgres2 on db2"},
		"backend": {"accounts on db1", "orders on db1", "orders on db2"},
		// One place names a provider, as in the original's keys; the mappings
		// say which of its instances each instance of shop is in.
		"shop":    {"backend on web1", "backend on web2", "backend on web3", "tomcat on web1"},
		"reports": {"shop on web1", "shop on web2"}, "proxy-web1": {"shop on web1"}, "proxy-web2": {"shop on web2"},
	}
	if !reflect.DeepEqual(order, wantOrder) {
		t.Errorf("the order is %v, want %v", order, wantOrder)
	}
	var components []string
	for _, s := range m.SnapshotMappings {
		components = append(components, s.Target+" "+s.Container+" "+s.Component)
	}
	if want := []string{"db1 postgres accounts", "db1 systemd-unit postgres1", "db2 systemd-unit postgres2"}; !slices.Equal(components, want) {
		t.Errorf("state is managed of %v, want %v", components, want)
	}
	wantJSON(t, "parameters of backend", built(t, m, "backend"),
		`{"accounts":["db1.lan:5432/accounts"],"orders":["db1.lan:5432/orders","db2.lan:5433/orders"]}`)
	wantJSON(t, "parameters of shop", built(t, m, "shop"),
		`{"backend":{"here":["http://web1.lan","http://web2.lan","http://web3.lan"],"below":{"accounts":["db1.lan:5432/accounts"],"orders":["db1.lan:5432/orders","db2.lan:5433/orders"]}}}`)
	wantJSON(t, "parameters of proxy-web2", built(t, m, "proxy-web2"), `{"upstream":["http://web2.lan"]}`)
	if got := m.Infrastructure["web3"]; got.ClientInterface != "disnix-ssh-client" || got.TargetProperty != "ip" || got.NumOfCores != 1 {
		t.Errorf("target web3 is %+v", got)
	}
	if len(m.Services) != 11 || len(m.Profiles) != 5 {
		t.Errorf("the manifest has %d services and %d profiles, want 11 and 5", len(m.Services), len(m.Profiles))
	}
	_, psql := named(t, m, "psql")
	if want := (&models.Service{Name: "psql", Type: "package", Package: psql.Package, ProvidesContainers: map[string]models.Properties{}}); !reflect.DeepEqual(psql, want) {
		t.Errorf("psql is %+v, want %+v", psql, want)
	}
}

// TestArchitectureOfTheSameSystem wraps the models into an architecture model,
// which has to give the same manifest.
func TestArchitectureOfTheSameSystem(t *testing.T) {
	dir := newModels(t, company)
	want := dir.evaluate().Manifest
	in := dir.inputs()
	in.Architecture = dir.write("architecture.nix", `{ system, pkgs }:
	let
	  infrastructure = import ./infrastructure.nix;
	  distribution = import ./distribution.nix { inherit infrastructure; };
	  invDistribution = builtins.mapAttrs (name: target: target // {
	    services = builtins.listToAttrs (builtins.filter (s: builtins.elem target (targetsOf s.name)) (map (name: { inherit name; value = { }; }) (builtins.attrNames distribution)));
	  }) infrastructure;
	  targetsOf = name: let targets = distribution.${name}; in if builtins.isList targets then targets else map (t: t.target) targets.targets;
	  services = import ./services.nix { inherit system pkgs distribution invDistribution; };
	in {
	  inherit infrastructure;
	  services = builtins.mapAttrs (name: service: { targets = distribution.${name}; } // service) services;
	  targetPackages = import ./packages.nix { inherit pkgs system; };
	}`)
	system, err := Evaluate(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(system.Manifest, want) {
		t.Errorf("the architecture model gives %+v, want %+v", system.Manifest, want)
	}
}
