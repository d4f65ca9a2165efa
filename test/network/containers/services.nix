# Two Tomcat servers on one host, an application in each of them, and a service
# on another host that comes after it.
{ system, watcherReadiness ? { exec = [ "sh" "-c" "test $(cat /etc/hostname-of-test) = node2" ]; timeout = 60; }, ... }:
let
  package = name: script: derivation {
    inherit name; system = if system == null then "none" else system;
    builder = "/bin/sh"; args = [ "-c" script ]; PATH = "/bin:/usr/bin";
  };
  server = name: port: {
    inherit name;
    type = "process";
    pkg = package name ''
      mkdir -p $out/bin $out/libexec/dysnomia
      cp ${./bin + "/${name}"} $out/bin/${name}
      chmod 755 $out/bin/${name}
      : > $out/libexec/dysnomia/tomcat-webapplication
    '';
    providesContainer = "tomcat-webapplication-${name}";
    catalinaBaseDir = "/srv/${name}";
    tomcatPort = port;
    timeout = 60;
    readiness = { tcp = port; timeout = 60; };
  };
in
rec {
  primary = server "primary" (import ./ports.nix).primary;
  secondary = server "secondary" (import ./ports.nix).secondary;
  shop = { name = "shop"; type = "tomcat-webapplication"; pkg = package "shop" "mkdir -p $out && cp -r ${./webapps} $out/webapps"; };
  watcher = {
    name = "watcher";
    type = "echo";
    pkg = { shop }: package "watcher" "echo ${shop.target.container.catalinaBaseDir} > $out";
    dependsOn = { inherit shop; };
    readiness = watcherReadiness;
  };
}
