# What there is: three databases, two web services that read them, a front end
# that asks both, and a process that asks one of them.
{ system, pkgs, distribution, invDistribution, ... }:

let
  packages = import ./packages.nix;

  database = name: {
    inherit name;
    pkg = packages.${name};
    type = "mysql-database";
    # The rows follow the database to another machine.
    deployState = true;
  };

  webApplication = name: dependsOn: {
    inherit name dependsOn;
    pkg = packages.${name};
    type = "tomcat-webapplication";
  };
in
rec {
  rooms = database "rooms";
  staff = database "staff";
  zipcodes = database "zipcodes";

  location-service = webApplication "location-service" { inherit rooms zipcodes; };
  staff-service = webApplication "staff-service" { inherit staff; };
  stafftracker = webApplication "stafftracker" { inherit staff-service location-service; };

  finger = rec {
    name = "finger";
    pkg = packages.finger { inherit port; };
    type = "supervisord-program";
    port = 7079;
    dependsOn = { inherit staff-service; };
    # What depends on it would wait until it can be talked to.
    readiness = { tcp = port; timeout = 30; };
  };
}
