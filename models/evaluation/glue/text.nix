# Puts a text into the store that refers to store paths, as a file of the
# given name. The specification is a JSON file with { name; file; references; }.
{ specification }:

let
  inherit (builtins) appendContext fromJSON listToAttrs map readFile toFile;
  text = fromJSON (readFile specification);
  context = listToAttrs (map (path: { name = path; value = { path = true; }; }) text.references);
in
toFile text.name (appendContext (readFile text.file) context)
