# Targets with their defaults, and the way back from a target that a model
# mentions to its name, which is by its address.
{ infrastructure, targetProperty, clientInterface }:

let
  inherit (builtins) attrNames isAttrs isList isString isInt isFloat isBool listToAttrs mapAttrs;
  inherit (import ./attrs.nix) context describe;

  normalize = target: {
    inherit targetProperty clientInterface;
    numOfCores = 1;
    system = builtins.currentSystem;
  } // target;

  targets = mapAttrs
    (name: target: context "target ${name} of the infrastructure" (
      if isAttrs target then normalize target
      else throw "target ${name} of the infrastructure must be an attribute set, not ${describe target}"))
    infrastructure;

  # The address as text, or null when there is none.
  addressOf = target:
    let
      properties = target.properties or { };
      key = target.targetProperty;
    in
    if isString key && isAttrs properties && properties ? ${key} then scalar properties.${key} else null;

  scalar = value:
    if isString value then builtins.unsafeDiscardStringContext value
    else if isInt value || isFloat value || isBool value then builtins.toJSON value
    else null;

  addresses = mapAttrs (_: addressOf) targets;

  aliases = listToAttrs (map (name: { name = addresses.${name}; value = name; })
    (builtins.filter (name: addresses.${name} != null) (attrNames targets)));

  addressOfMentioned = target: if isAttrs target then addressOf (normalize target) else null;

  nameOf = target:
    let address = addressOfMentioned target; in
    if address == null then null else aliases.${address} or null;

  reference = container: target: {
    target = nameOf target;
    inherit container;
  } // (if nameOf target != null then { } else {
    address = addressOfMentioned target;
    found = describe target;
  });
in
{
  inherit targets addresses nameOf;

  # Translates the notation of a service's targets into a list of references
  # { target; container; }; null if it is neither a list nor a set.
  references = container: notation:
    if isList notation then map (reference container) notation
    else if isAttrs notation && isList (notation.targets or null)
    then map (entry:
      if isAttrs entry && entry ? target
      then reference (entry.container or container) entry.target
      else { target = null; inherit container; address = null; found = "an entry without target"; })
      notation.targets
    else null;
}
