# Services with their defaults, the targets that they are placed on and the
# containers that they provide there.
{ declared, locate, defaultDeployState }:

let
  inherit (builtins) attrNames concatLists filter groupBy isAttrs isList isString listToAttrs map mapAttrs;
  inherit (import ./attrs.nix) deepContext filterAttrs;

  placed = filterAttrs (_: service: isAttrs service && service ? targets) declared;

  reserved = [
    "name" "pkg" "type" "deployState" "dependsOn" "connectsTo" "activatesAfter"
    "providesContainer" "providesContainers" "targets" "readiness"
  ];

  # Container -> properties. The singular notation publishes the service's
  # own attributes.
  containersOf = service:
    (if isString (service.providesContainer or null)
      then { ${service.providesContainer} = removeAttrs service reserved; }
      else { })
    // (if isAttrs (service.providesContainers or null) then service.providesContainers else { });

  provides = mapAttrs (_: containersOf) placed;

  typeOf = service: service.type or null;

  # Service -> its targets, without the providers of their containers.
  places = mapAttrs (name: service: deepContext "the targets of service ${name}" (
    locate.references (typeOf service) service.targets)) placed;

  listOr = default: value: if isList value then value else default;

  offers = concatLists (map
    (service: concatLists (map
      (place:
        if place.target == null then [ ]
        else map (container: { inherit (place) target; inherit container service; }) (attrNames provides.${service}))
      (listOr [ ] places.${service})))
    (filter (name: provides.${name} != { }) (attrNames placed)));

  # Target -> container -> service that provides it there.
  providers = mapAttrs
    (_: here: listToAttrs (map (offer: { name = offer.container; value = offer.service; }) here))
    (groupBy (offer: offer.target) offers);

  # Says which service provides the container of a place. A service that is
  # deployed to a container of the name that it provides itself is in the
  # container of the machine.
  withProvider = service: place:
    let provider = (providers.${place.target} or { }).${place.container} or null; in
    if place.target == null || !(isString place.container) || provider == null || provider == service
    then place
    else place // { inherit provider; };

  located = name: list: if list == null then null else map (withProvider name) list;
in
rec {
  inherit provides;

  # Services without targets, which only an architecture model may have.
  ignored = filter (name: !(placed ? ${name})) (attrNames declared);

  targets = mapAttrs located places;

  services = mapAttrs
    (name: service:
      { deployState = defaultDeployState; }
      // service
      // (if service ? providesContainer then { providesContainers = provides.${name}; } else { }))
    placed;

  # The places that a dependency on a service refers to: those that the
  # reference states, or null for all of the service's.
  refined = reference:
    if reference ? targets
    then located reference.name (deepContext "the targets of a dependency on service ${reference.name}" (
      locate.references (typeOf (services.${reference.name} or reference)) reference.targets))
    else null;
}
