# The infrastructure model with its defaults: encoded for JSON, or as it is
# for disnix-normalize-infra --raw.
{ infrastructureFile, targetProperty, clientInterface, raw ? false }:

let
  inherit (builtins) isAttrs mapAttrs;
  inherit (import ./attrs.nix) context describe pairs;

  model = context "the infrastructure model ${infrastructureFile}" (
    let value = import infrastructureFile; in
    if isAttrs value then value
    else throw "the infrastructure model must be an attribute set, not ${describe value}");

  locate = import ./targets.nix {
    infrastructure = model;
    inherit targetProperty clientInterface;
  };

  encode = name: target: (import ./output.nix).target target // { address = locate.addresses.${name}; packages = [ ]; };
in
if raw then locate.targets else { targets = pairs (mapAttrs encode locate.targets); }
