# A build model: which derivations are built where. A derivation may be given
# as itself or as the store path of its file.
{ buildFile, targetProperty, clientInterface }:

let
  inherit (builtins) isAttrs isList isPath isString map mapAttrs;
  inherit (import ./attrs.nix) context describe expect isDerivation pairs;

  model = context "the build model ${buildFile}" (
    let value = import buildFile; in
    if isAttrs value then value
    else throw "the build model must be an attribute set, not ${describe value}");

  string = expect [ "string" "null" ];

  derivationFile = value:
    if isDerivation value then builtins.unsafeDiscardStringContext value.drvPath
    else if isPath value then toString value
    else if isString value then builtins.unsafeDiscardStringContext value
    else { invalid = describe value; };

  mapping = m:
    if !(isAttrs m) then { invalid = describe m; }
    else { derivation = derivationFile (m.derivation or null); interface = string (m.interface or null); };

  interface = i:
    if !(isAttrs i) then { invalid = describe i; }
    else {
      targetAddress = string (i.targetAddress or null);
      clientInterface = string (i.clientInterface or clientInterface);
      numOfCores = expect [ "int" ] (i.numOfCores or 1);
    };

  mappings = model.derivationMappings or [ ];
  interfaces = model.interfaces or { };
in
{
  derivationMappings = if isList mappings then map mapping mappings else { invalid = describe mappings; };
  interfaces =
    if isAttrs interfaces then pairs (mapAttrs (_: interface) interfaces) else { invalid = describe interfaces; };
}
