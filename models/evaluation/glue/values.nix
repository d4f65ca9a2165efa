# Encodes property values for JSON such that their types survive: a float is
# printed as toXML prints it, a set becomes a list of pairs, a string that
# refers to store paths carries its context, and what has no notation in a
# manifest (null, path, function, derivation) says what it is.
let
  inherit (import ./attrs.nix) describe isDerivation pairs;

  encode = value:
    if builtins.isString value then encodeString value
    else if builtins.isInt value || builtins.isBool value then value
    else if builtins.isFloat value then { float = floatText value; }
    else if builtins.isList value then map encode value
    else if builtins.isAttrs value && !(isDerivation value) then { attrs = encodeAttrs value; }
    else { invalid = describe value; };

  encodeString = value:
    if builtins.hasContext value
    then { string = value; context = builtins.getContext value; }
    else value;

  floatText = value: builtins.head (builtins.match ".*<float value=\"([^\"]*)\".*" (builtins.toXML value));

  encodeAttrs = set: pairs (builtins.mapAttrs (_: encode) set);
in
{
  inherit encode;

  # Properties: a set of values, or what stands there instead.
  properties = set:
    if builtins.isAttrs set && !(isDerivation set) then encodeAttrs set else { invalid = describe set; };

  # A package as its store path and what must be built to have it. Whatever
  # can be interpolated to a store path will do.
  package = value:
    let text = "${value}"; in
    if builtins.isString value || builtins.isPath value || (builtins.isAttrs value && (value ? outPath || value ? __toString))
    then { path = text; context = builtins.getContext text; }
      // (if isDerivation value then { derivation = value.drvPath; } else { })
    else { invalid = describe value; };
}
