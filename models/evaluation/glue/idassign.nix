# What ids are assigned by: for each service the resources that it needs ids
# of, and its targets if there is a distribution model; the resources; and the
# ids of the last run.
{ servicesFile ? null
, processesFile ? null
, infrastructureFile ? null
, distributionFile ? null
, resourcesFile
, idsFile ? null
, serviceProperty
, processParams ? { }
, targetProperty
, clientInterface
, extraParams ? { }
}:

let
  inherit (builtins) functionArgs intersectAttrs isAttrs map mapAttrs;
  inherit (import ./attrs.nix) context describe expect isFunction pairs;

  load = title: file: context "the ${title} ${file}" (
    let value = import file; in
    if isAttrs value then value
    else throw "the ${title} ${file} must be an attribute set, not ${describe value}");

  call = title: file: arguments: context "the ${title} ${file}" (
    let
      function = import file;
      result = if isFunction function then function (arguments function) else function;
    in
    if isAttrs result then result
    else throw "the ${title} ${file} must give an attribute set, not ${describe result}");

  # With a distribution model, the services model is that of a deployment.
  distributed = import ./models.nix {
    kind = "models";
    packagesFile = null;
    architectureFile = null;
    inherit servicesFile infrastructureFile distributionFile extraParams;
  };

  structure = distributed.architecture locate.nameOf { system = null; pkgs = import <nixpkgs> { }; };

  locate = import ./targets.nix {
    inherit (structure) infrastructure;
    inherit targetProperty clientInterface;
  };

  alone = call "services model" servicesFile (function:
    { distribution = { }; invDistribution = { }; system = null; pkgs = import <nixpkgs> { }; }
    // intersectAttrs (functionArgs function) extraParams);

  # A processes model asks for what it needs by name.
  processes = call "processes model" processesFile (function:
    intersectAttrs (functionArgs function)
      ({ system = builtins.currentSystem; pkgs = import <nixpkgs> { }; processManager = null; } // processParams // extraParams));

  services =
    if processesFile != null then processes
    else if distributionFile != null then structure.services
    else alone;

  needs = name: service: context "service ${name}" (
    if !(isAttrs service) then { invalid = describe service; }
    else
      let value = service.${serviceProperty} or [ ]; in
      if builtins.isList value then map (expect [ "string" ]) value else { invalid = describe value; });

  targets = name: service: context "the targets of service ${name}" (
    let places = locate.references (service.type or null) service.targets; in
    if places == null then { invalid = describe service.targets; }
    else map (place: if place.target == null then { invalid = place.found; } else place.target) places);

  resource = r:
    if !(isAttrs r) then { invalid = describe r; }
    else {
      min = expect [ "int" ] (r.min or null);
      max = expect [ "int" ] (r.max or null);
      scope = expect [ "string" ] (r.scope or "global");
      step = expect [ "int" ] (r.step or 1);
    };

  setOf = encode: set: if isAttrs set then pairs (mapAttrs (_: encode) set) else { invalid = describe set; };

  previous = if idsFile == null then { } else load "IDs" idsFile;
in
{
  services = pairs (mapAttrs needs services);
  distribution = if distributionFile == null then null else pairs (mapAttrs targets structure.services);
  unknown = if distributionFile == null then [ ] else structure.unknown;
  resources = setOf resource (load "ID resources" resourcesFile);
  ids = setOf (setOf (expect [ "int" ])) (previous.ids or { });
  lastAssignments = setOf (expect [ "int" ]) (previous.lastAssignments or { });
  lastAssignmentsPerTarget = setOf (setOf (expect [ "int" ])) (previous.lastAssignmentsPerTarget or { });
}
