// Package evaluation turns model files into a [models.Manifest]: it has Nix
// evaluate them, once, checks the result as a whole, has the packages and the
// profiles built and puts the manifest into the Nix store.
//
// The expressions that Nix evaluates are embedded in this package. They use
// builtins only, so that a model that never touches pkgs needs no nixpkgs.
// Nothing is printed; the diagnostics of Nix go where [Inputs.Log] says.
package evaluation
