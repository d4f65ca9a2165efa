# What there is: a server, a gateway that depends on it, and a client command
# that talks to the gateway.
{ system, pkgs, distribution, invDistribution
, greeting ? "Hello"
, ...
}:

let
  packages = import ./packages.nix { inherit greeting; };
in
rec {
  hello-server = {
    name = "hello-server";
    pkg = packages.hello-server { port = 7101; };
    type = "process";
    port = 7101;
  };

  hello-gateway = {
    name = "hello-gateway";
    pkg = packages.hello-gateway { port = 7102; };
    type = "process";
    port = 7102;
    dependsOn = { inherit hello-server; };
  };

  # Only installed, nothing is started for it.
  hello = {
    name = "hello";
    pkg = packages.hello;
    type = "package";
    connectsTo = { inherit hello-gateway; };
  };
}
