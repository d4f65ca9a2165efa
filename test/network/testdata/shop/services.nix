# A shop on three targets: its orders are state that moves with them, and the
# front and the mailer depend on them. None of the packages needs anything.
{ version ? "1", hold ? "", ... }:

let
  package = name: script: derivation {
    inherit name version hold;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    PATH = "/bin:/usr/bin";
    args = [ "-c" ''
      if [ -n "$hold" ]; then touch "$hold.begun"; while [ ! -e "$hold" ]; do sleep 0.05; done; fi
      ${script}
    '' ];
  };
in
rec {
  orders = {
    name = "orders";
    type = "fileset";
    deployState = true;
    pkg = package "orders" ''
      mkdir $out
      echo "# version $version" > $out/.dysnomia-fileset
      echo "mkdir orders" >> $out/.dysnomia-fileset
    '';
  };

  front = {
    name = "front";
    type = "echo";
    pkg = { orders }: package "front" "mkdir $out; echo $version > $out/version";
    dependsOn = { inherit orders; };
  };

  mailer = {
    name = "mailer";
    type = "echo";
    pkg = { front }: package "mailer" "mkdir $out; echo $version > $out/version";
    dependsOn = { inherit front; };
  };
}
