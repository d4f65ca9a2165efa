# The names of all services and targets, for a distribution that assigns them
# in turn. The services model sees no distribution.
{ servicesFile, infrastructureFile, extraParams ? { } }:

let
  inherit (builtins) attrNames functionArgs intersectAttrs isAttrs;
  inherit (import ./attrs.nix) context describe;

  call = function: function ({ distribution = null; invDistribution = null; system = null; pkgs = import <nixpkgs> { }; }
    // intersectAttrs (functionArgs function) extraParams);

  names = model: file: value:
    if isAttrs value then attrNames value
    else throw "the ${model} model ${file} must give an attribute set, not ${describe value}";
in
{
  services = context "the services model ${servicesFile}" (names "services" servicesFile (call (import servicesFile)));
  targets = context "the infrastructure model ${infrastructureFile}" (
    names "infrastructure" infrastructureFile (import infrastructureFile));
}
