# How targets are encoded, wherever they come from.
let
  inherit (builtins) isAttrs mapAttrs;
  inherit (import ./attrs.nix) describe expect pairs;
  values = import ./values.nix;
in
{
  target = target: {
    properties = values.properties (target.properties or { });
    containers =
      let containers = target.containers or { }; in
      if isAttrs containers then pairs (mapAttrs (_: values.properties) containers) else { invalid = describe containers; };
    system = expect [ "string" ] target.system;
    numOfCores = expect [ "int" ] target.numOfCores;
    clientInterface = expect [ "string" ] target.clientInterface;
    targetProperty = expect [ "string" ] target.targetProperty;
  };
}
