# Reads the model files and answers with one function
#   { system, pkgs } -> { services, infrastructure, targetPackages, unknown }
# whatever kind of models was given. Services carry their targets; unknown
# lists the names in the distribution model that are not services.
{ kind
, servicesFile
, infrastructureFile
, distributionFile
, packagesFile
, architectureFile
, extraParams
}:

let
  inherit (builtins) functionArgs intersectAttrs isAttrs mapAttrs attrNames filter;
  inherit (import ./attrs.nix) context describe isFunction;

  within = model: file: context "the ${model} model ${file}";

  loadSet = model: file: within model file (
    let value = import file; in
    if isAttrs value then value
    else throw "the ${model} model must be an attribute set, not ${describe value}");

  call = model: file: arguments: within model file (
    let
      function = import file;
      result = function arguments;
    in
    if !(isFunction function) then throw "the ${model} model must be a function, not ${describe function}"
    else if !(isAttrs result) then throw "the ${model} model must return an attribute set, not ${describe result}"
    else result);

  # The extra parameters that a model asks for by name.
  extra = model: file: within model file (
    let function = import file; in
    if builtins.isFunction function then intersectAttrs (functionArgs function) extraParams
    else if isFunction function then intersectAttrs (function.__functionArgs or { }) extraParams
    else { });

  infrastructure = loadSet "infrastructure" infrastructureFile;

  distribution =
    if distributionFile == null then { }
    else call "distribution" distributionFile ({ inherit infrastructure; } // extra "distribution" distributionFile);

  packages = { system, pkgs }:
    if packagesFile == null then { } else call "packages" packagesFile { inherit system pkgs; };

  fromModels = { targetNames, arguments }:
    let
      invDistribution = import ./inverse.nix { inherit infrastructure distribution services targetNames; };
      services = call "services" servicesFile
        ({ inherit (arguments) system pkgs; inherit distribution invDistribution; } // extra "services" servicesFile);
      withTargets = name: service:
        if isAttrs service then { targets = distribution.${name} or [ ]; } // service
        else within "services" servicesFile (throw "service ${name} must be an attribute set, not ${describe service}");
    in
    {
      inherit infrastructure;
      services = mapAttrs withTargets services;
      targetPackages = packages arguments;
      unknown = filter (name: !(services ? ${name})) (attrNames distribution);
    };

  fromArchitecture = arguments:
    let model = call "architecture" architectureFile (arguments // extraParams); in
    if !(model ? services && model ? infrastructure)
    then within "architecture" architectureFile (throw "the architecture model must have the attributes services and infrastructure")
    else {
      inherit (model) services infrastructure;
      targetPackages = model.targetPackages or { };
      unknown = [ ];
    };

  fromPackages = arguments: {
    inherit infrastructure;
    services = { };
    targetPackages = packages arguments;
    unknown = [ ];
  };
in
{
  # targetNames maps raw targets to their names; only the inverse
  # distribution needs it.
  architecture = targetNames: arguments:
    if kind == "models" then fromModels { inherit targetNames arguments; }
    else if kind == "architecture" then fromArchitecture arguments
    else if kind == "packages" then fromPackages arguments
    else { inherit infrastructure; services = { }; targetPackages = { }; unknown = [ ]; };

  inherit infrastructure distribution;
}
