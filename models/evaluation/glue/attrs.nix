# What the other files need beyond the builtins to handle attribute sets.
let
  inherit (builtins) attrNames filter listToAttrs map removeAttrs;
in
rec {
  # The set as a list of [ name value ], because toJSON prints a set that
  # happens to have a member named outPath or __toString as a string.
  pairs = set: map (name: [ name set.${name} ]) (attrNames set);

  # name -> (name -> value) as a set.
  generate = names: value: listToAttrs (map (name: { inherit name; value = value name; }) names);

  filterAttrs = keep: set: removeAttrs set (filter (name: !(keep name set.${name})) (attrNames set));

  # The value, or what stands there instead for the person who wrote it.
  expect = kinds: value:
    if builtins.elem (builtins.typeOf value) kinds then value else { invalid = describe value; };

  describe = value:
    let kind = builtins.typeOf value; in
    if value == null then "null"
    else if isDerivation value then "a derivation"
    else {
      int = "an integer";
      bool = "a boolean";
      string = "a string";
      path = "a path";
      list = "a list";
      set = "an attribute set";
      lambda = "a function";
      float = "a float";
    }.${kind} or kind;

  isDerivation = value: builtins.isAttrs value && (value.type or null) == "derivation";

  isFunction = value: builtins.isFunction value || (builtins.isAttrs value && value ? __functor);

  # Says what is evaluated if evaluating the value fails.
  context = text: builtins.addErrorContext "while disnix evaluates ${text}";

  # The same if evaluating anything inside the value fails.
  deepContext = text: value: context text (builtins.deepSeq value value);
}
