# The profiles of all targets: every one is a directory of links to the files
# of the target's packages. What comes first wins, and the profile manifest
# comes first. The specification is a JSON file with a list of
#   { name; manifest; packages; references; }
# where manifest is a directory that holds profilemanifest.xml.
{ specification }:

let
  inherit (builtins) appendContext concatLists concatStringsSep fromJSON genList length map readFile storePath toJSON;
  elemAt = builtins.elemAt;

  # A list of installed packages as nix-env keeps it. It mentions every path
  # that the profile needs, even one of which no file is linked, so that the
  # closure of the profile has them all.
  inventory = paths: builtins.toFile "manifest.nix" ''
    [
    ${concatStringsSep "\n" (map entry paths)}
    ]
  '';

  entry = path:
    let text = toJSON (storePath path); in
    ''{ type = "derivation"; name = ${toJSON (nameOf path)}; system = "unknown"; meta = { }; outputs = [ "out" ]; outPath = ${text}; out = { outPath = ${text}; }; }'';

  nameOf = path: builtins.elemAt (builtins.match "[^-]*-(.*)" (builtins.unsafeDiscardStringContext (baseNameOf path))) 0;

  profile = { name, manifest, packages, references }:
    let
      profileManifest = builtins.path { name = "profilemanifest"; path = /. + manifest; };
      links = [ "${profileManifest}" ] ++ map storePath packages;
    in
    derivation {
      inherit name;
      system = "builtin";
      builder = "builtin:buildenv";
      manifest = inventory (packages ++ references);
      derivations = concatLists (genList (i: [ "true" (toString (i + 1)) 1 (elemAt links i) ]) (length links));
      preferLocalBuild = true;
      allowSubstitutes = false;
    };
in
map profile (fromJSON (readFile specification))
