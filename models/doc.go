// Package models holds the documents that describe a deployment, as values:
// the [Manifest], the [Infrastructure], the [ProfileManifest] of one target
// and the [DistributedDerivation], with readers and writers for their XML and
// Nix notations.
//
// Everything here is pure data: no package below coordinator, service or cmd
// is imported, nothing is printed, and no target is contacted. The evaluation
// of model files through Nix is in the package models/evaluation.
package models
