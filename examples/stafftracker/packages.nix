# The packages: databases are their schemas, web applications WAR files of
# pages, all put together by plain derivations with the Perl of the machine. A
# model of your own would take its packages from nixpkgs.
let
  # Runs a shell script that makes the package $out; values become variables.
  package = name: values: script: derivation (values // {
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    PATH = "/bin:/usr/bin";
    args = [ "-ec" script ];
  });

  # A script for sed that replaces marks such as @port@ by values.
  replacing = values: builtins.concatStringsSep "\n"
    (map (key: "s|@${key}@|${toString values.${key}}|g") (builtins.attrNames values));

  database = name: package name { inherit name; schema = ./src/databases + "/${name}.sql"; } ''
    mkdir -p $out/mysql-databases
    cp $schema $out/mysql-databases/$name.sql
  '';

  # The address of a deployed database. Account and password are a matter of
  # the servers, so that no secret is in a model or in the Nix store.
  resource = database: ''
    <Resource name="jdbc/${database.name}" type="javax.sql.DataSource" auth="Container"
              driverClassName="org.mariadb.jdbc.Driver"
              url="jdbc:mariadb://${database.target.properties.hostname}:${toString database.target.container.mysqlPort}/${database.name}"
              username="stafftracker" password="''${stafftracker.password}"
              validationQuery="SELECT 1" testOnBorrow="true" maxTotal="4"/>
  '';

  webApplication = name: { databases ? [ ], values ? { } }: package name {
    inherit name;
    pages = ./src + "/${name}";
    war = ./src/war.pl;
    marks = replacing values;
    context = "<Context>\n${builtins.concatStringsSep "" (map resource databases)}</Context>\n";
  } ''
    mkdir -p $out/webapps files/META-INF
    printf %s "$context" > files/META-INF/context.xml
    for page in $pages/*; do
      sed "$marks" $page > files/''${page##*/}
    done
    perl $war files $out/webapps/$name.war
  '';

  # Where a deployed web application answers.
  url = service: "http://${service.target.properties.hostname}:${toString service.target.container.tomcatPort}/${service.name}/";
in
{
  rooms = database "rooms";
  staff = database "staff";
  zipcodes = database "zipcodes";

  location-service = { rooms, zipcodes }:
    webApplication "location-service" { databases = [ rooms zipcodes ]; };

  staff-service = { staff }:
    webApplication "staff-service" { databases = [ staff ]; };

  stafftracker = { staff-service, location-service }:
    webApplication "stafftracker" {
      values = { staffService = url staff-service; locationService = url location-service; };
    };

  finger = { port }: { staff-service }:
    package "finger" {
      program = ./src/finger/finger.pl;
      configuration = ./src/finger/finger.conf;
      marks = replacing { inherit port; staffService = url staff-service; };
    } ''
      mkdir -p $out/bin $out/conf.d
      sed "$marks" $program > $out/bin/finger
      chmod 755 $out/bin/finger
      sed "s|@program@|$out/bin/finger|" $configuration > $out/conf.d/finger.conf
    '';
}
