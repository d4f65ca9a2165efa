# The inverse distribution: the infrastructure in which every target knows
# the services that are distributed to it. The names of those services come
# from the distribution model alone, so that a services model can generate
# its services from them.
{ infrastructure, distribution, services, targetNames }:

let
  inherit (builtins) attrNames concatLists groupBy isAttrs isList listToAttrs map mapAttrs;
  inherit (import ./attrs.nix) describe;

  targetsOf = name:
    let notation = distribution.${name}; in
    if isList notation then notation
    else if isAttrs notation then map (entry: entry.target) notation.targets
    else throw "distribution model: the targets of service ${name} must be a list or an attribute set, not ${describe notation}";

  places = concatLists (map
    (service: map (target: { inherit service; target = targetNames target; }) (targetsOf service))
    (attrNames distribution));

  byTarget = groupBy (place: place.target) (builtins.filter (place: place.target != null) places);
in
mapAttrs
  (name: target: target // {
    services = listToAttrs (map
      (place: {
        name = place.service;
        value = services.${place.service} or (throw
          "the distribution model contains a mapping of service ${place.service}, which is not in the services model");
      })
      (byTarget.${name} or [ ]));
  })
  infrastructure
