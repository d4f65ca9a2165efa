# Evaluates models once and answers with everything that a manifest is made
# of, ready for JSON. Nothing is checked here that can be said better about
# the whole: the answer says what the models say, and where something of the
# wrong kind stands, that it does.
#
# With packages = false no package is evaluated, so that the structure can be
# examined even if a package can not be.
{ kind
, servicesFile ? null
, infrastructureFile ? null
, distributionFile ? null
, packagesFile ? null
, architectureFile ? null
, targetProperty
, clientInterface
, deployState ? false
, extraParams ? { }
, packages ? true
}:

let
  inherit (builtins) attrNames concatMap filter isAttrs isList isString map mapAttrs;
  inherit (import ./attrs.nix) context deepContext describe expect generate pairs;
  values = import ./values.nix;

  models = import ./models.nix {
    inherit kind servicesFile infrastructureFile distributionFile packagesFile architectureFile extraParams;
  };

  architecture = models.architecture locate.nameOf;

  # The structure is that of the coordinator's system, as in the original.
  structure = architecture { system = null; pkgs = import <nixpkgs> { }; };

  locate = import ./targets.nix {
    inherit (structure) infrastructure;
    inherit targetProperty clientInterface;
  };

  inherit (locate) targets;

  services = import ./services.nix {
    declared = structure.services;
    inherit locate;
    defaultDeployState = deployState;
  };

  systems = filter isString (map (name: targets.${name}.system) (attrNames targets));

  perSystem = generate systems (system: architecture { inherit system; pkgs = import <nixpkgs> { inherit system; }; });

  built = import ./parameters.nix {
    inherit (services) services provides refined;
    serviceTargets = services.targets;
    inherit targets;
    architectureFor = system: perSystem.${system};
  };

  setOf = encode: set: if isAttrs set then pairs (mapAttrs (_: encode) set) else { invalid = describe set; };

  # The packages that are installed on a target besides its services.
  packagesOf = name:
    let
      here = perSystem.${targets.${name}.system}.targetPackages;
      list = here.${name} or [ ];
    in
    deepContext "the packages of target ${name}" (
      if !packages || !(isString targets.${name}.system) then [ ]
      else if isList list then map values.package list
      else { invalid = describe list; });

  encodeTarget = name: target: (import ./output.nix).target target // {
    address = locate.addresses.${name};
    packages = packagesOf name;
  };

  encodePlaces = places:
    if places == null then null
    else map (place: place // { container = expect [ "string" ] place.container; }) places;

  encodeDependency = reference:
    if isAttrs reference && isString (reference.name or null)
    then { service = reference.name; targets = encodePlaces (services.refined reference); explicit = reference ? targets; }
    else { invalid = describe reference; };

  # Nothing else matters of a service that is not deployed.
  encodeService = name: service:
    if services.targets.${name} == [ ] then { targets = [ ]; } else encodeDeployed name service;

  encodeDeployed = name: service: context "service ${name}" {
    name = expect [ "string" ] (service.name or null);
    type = expect [ "string" ] (service.type or null);
    deployState = expect [ "bool" ] service.deployState;
    dependsOn = setOf encodeDependency (service.dependsOn or { });
    connectsTo = setOf encodeDependency (service.connectsTo or { });
    activatesAfter = setOf encodeDependency (service.activatesAfter or { });
    providesContainer = expect [ "string" "null" ] (service.providesContainer or null);
    providesContainers = expect [ "null" ] (
      let declared = structure.services.${name}.providesContainers or null; in if isAttrs declared then null else declared);
    containers = setOf values.properties services.provides.${name};
    # For each system, as it may refer to packages.
    readiness = if packages then pairs (mapAttrs (system: _: encodeReadiness name system) built.${name}) else [ ];
    targets = encodePlaces services.targets.${name};
    packages = if packages then pairs (mapAttrs (encodePackage name) built.${name}) else [ ];
  };

  encodeReadiness = name: system:
    let readiness = perSystem.${system}.services.${name}.readiness or null; in
    deepContext "what service ${name} is ready by" (if readiness == null then null else values.properties readiness);

  encodePackage = name: system: package:
    deepContext "the package of service ${name} for system ${system}" (values.package package);

  unknownPackageTargets =
    let names = concatMap (system: attrNames perSystem.${system}.targetPackages) (attrNames perSystem); in
    filter (name: !(targets ? ${name})) (attrNames (generate names (_: null)));
in
{
  targets = pairs (mapAttrs encodeTarget targets);
  services = pairs (mapAttrs encodeService services.services);
  inherit (services) ignored;
  inherit (structure) unknown;
  inherit unknownPackageTargets;
}
