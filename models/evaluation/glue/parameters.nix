# What the function in pkg is called with: for every inter-dependency the
# provider's attributes and where it is deployed. Every service's shape is
# computed once and shared by all that depend on it, so that the cost does
# not grow with the number of paths through the dependencies.
{ services, provides, serviceTargets, refined, targets, architectureFor }:

let
  inherit (builtins) attrNames concatStringsSep filter head isAttrs isList listToAttrs map mapAttrs;
  inherit (import ./attrs.nix) describe isFunction;

  setOr = value: if isAttrs value then value else { };

  dereference = place:
    removeAttrs targets.${place.target} [ "containers" ] // {
      selectedContainer = place.container;
      container =
        if place ? provider then provides.${place.provider}.${place.container}
        else (targets.${place.target}.containers or { }).${place.container} or (throw
          "target ${place.target} has no container ${place.container}, and no service that is deployed to it provides one");
    };

  known = places: filter (place: place.target != null) (if isList places then places else [ ]);

  located = name: places:
    let list = map dereference (known places); in
    {
      targets = list;
      target =
        if list == [ ] then throw "service ${name} is not deployed to any target: it has no attribute target that its dependants could use"
        else head list;
    };

  systemsOf = name: map (place: targets.${place.target}.system) (known serviceTargets.${name});

  shapes = mapAttrs
    (name: service:
      removeAttrs service [ "activatesAfter" "dependsOn" "connectsTo" ]
      // { pkgs = packages.${name}; }
      // located name serviceTargets.${name}
      // (if parameters.${name} == { } then { } else { connectsTo = parameters.${name}; }))
    services;

  parameters = mapAttrs
    (name: service: mapAttrs (bind name) (setOr (service.connectsTo or { }) // setOr (service.dependsOn or { })))
    services;

  bind = owner: parameter: reference:
    let
      shape = shapes.${reference.name} or (throw
        "service ${owner}: inter-dependency ${parameter} refers to service ${reference.name}, which does not exist or has no targets");
    in
    if reference ? targets then shape // located reference.name (refined reference) else shape;

  # Service -> system -> package.
  packages = mapAttrs
    (name: _: listToAttrs (map (system: { name = system; value = build name system; }) (systemsOf name)))
    services;

  build = name: system:
    let
      pkg = ((architectureFor system).services.${name} or (throw
        "service ${name} does not exist when the services are evaluated for system ${system}")).pkg or (throw
        "service ${name} has no attribute pkg");
      arguments = parameters.${name};
    in
    if arguments == { } then pkg
    else if isFunction pkg then pkg arguments
    else throw "service ${name} has inter-dependencies (${concatStringsSep ", " (attrNames arguments)}), so its pkg must be a function of them, not ${describe pkg}";
in
packages
