# What the machines say about themselves, and how they are reached.
let
  reached = import ./bootstrap.nix;
  captured = import ./captured.nix;
in
builtins.mapAttrs
  (name: target: captured.${name} // target // {
    properties = captured.${name}.properties // target.properties;
  })
  reached
