# The packages: small Perl programs, installed by plain derivations. A model
# of your own would take its packages from nixpkgs.
{ greeting }:

let
  # Installs one program; PROGRAM's @name@ marks are replaced by values.
  program = name: source: values: derivation {
    inherit name source;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    PATH = "/bin:/usr/bin";
    expressions = builtins.concatStringsSep "\n" (map
      (key: "s|@${key}@|${toString values.${key}}|g")
      (builtins.attrNames values));
    args = [ "-c" ''
      mkdir -p $out/bin
      sed "$expressions" "$source" > $out/bin/$name
      chmod 755 $out/bin/$name
    '' ];
  };

  address = service: {
    host = service.target.properties.hostname;
    inherit (service) port;
  };
in
{
  hello-server = { port }:
    program "hello-server" ./src/server.pl { inherit greeting port; };

  hello-gateway = { port }: { hello-server }:
    program "hello-gateway" ./src/gateway.pl {
      inherit port;
      serverHost = (address hello-server).host;
      serverPort = (address hello-server).port;
    };

  hello = { hello-gateway }:
    program "hello" ./src/client.pl (address hello-gateway);
}
