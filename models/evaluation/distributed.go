package evaluation

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/nix"
)

// BuildDistributedDerivation evaluates the models and returns which store
// derivations have to be built on which targets. The document is put into the
// store, where it keeps the derivations; nothing is built. The kinds of
// models are those of [Evaluate], with a build model in the place of a
// deployment model and without undeployment. (Models, section 10.)
//
// The errors are those of [Evaluate].
func BuildDistributedDerivation(ctx context.Context, in Inputs) (storePath string, _ *models.DistributedDerivation, err error) {
	kind, err := in.Kind()
	if err != nil {
		return "", nil, err
	}
	files, err := in.files(kind)
	if err != nil {
		return "", nil, err
	}
	w, err := newWorkspace(in.Log)
	if err != nil {
		return "", nil, err
	}
	defer w.close()
	var document *models.DistributedDerivation
	switch kind {
	case KindBuild:
		document, err = evaluateBuild(ctx, w, in, files)
	case KindModels, KindArchitecture, KindPackages:
		var system *System
		if system, err = evaluateModels(ctx, w, in, kind, files); err == nil {
			document, err = system.DistributedDerivation()
		}
	default:
		err = ErrUnknownCombination
	}
	if err != nil {
		return "", nil, err
	}
	var derivations []string
	for _, m := range document.Mappings {
		derivations = append(derivations, m.Derivation)
	}
	slices.Sort(derivations)
	path, err := w.addText(ctx, "distributedderivation.xml", document.WriteXML, slices.Compact(derivations))
	if err != nil {
		return "", nil, err
	}
	return path, document, nil
}

// DistributedDerivation assigns the packages of each target to it, to be built
// there. Of a deployment model, which says what is built already, nothing is.
// A package that is not a derivation is an error, as [models.Problems].
func (s *System) DistributedDerivation() (*models.DistributedDerivation, error) {
	document := &models.DistributedDerivation{Interfaces: make(map[string]models.Interface)}
	var problems models.Problems
	for _, name := range slices.Sorted(maps.Keys(s.Manifest.Infrastructure)) {
		target := s.Manifest.Infrastructure[name]
		address, err := target.Address()
		if err != nil {
			problems = append(problems, fmt.Errorf("target %q: %w", name, err))
		}
		document.Interfaces[name] = models.Interface{
			TargetAddress:   address,
			ClientInterface: target.ClientInterface,
			NumOfCores:      target.NumOfCores,
		}
		seen := make(map[string]bool)
		for _, pkg := range s.profiles[name] {
			if pkg.Derivation == "" {
				problems = append(problems, fmt.Errorf("%s: package %s is not a derivation, so it can not be built on target %q", pkg.reason, pkg.Path, name))
				continue
			}
			if seen[pkg.Derivation] {
				continue
			}
			seen[pkg.Derivation] = true
			document.Mappings = append(document.Mappings, models.DerivationMapping{Derivation: pkg.Derivation, Interface: name})
		}
	}
	return document, problems.Err()
}

// buildModel is the JSON of glue/build.nix.
type buildModel struct {
	DerivationMappings field[[]field[derivationMapping]]      `json:"derivationMappings"`
	Interfaces         field[pairs[field[interfaceOfTarget]]] `json:"interfaces"`
}

type derivationMapping struct {
	Derivation field[string] `json:"derivation"`
	Interface  field[string] `json:"interface"`
}

type interfaceOfTarget struct {
	TargetAddress   field[string] `json:"targetAddress"`
	ClientInterface field[string] `json:"clientInterface"`
	NumOfCores      field[int]    `json:"numOfCores"`
}

func evaluateBuild(ctx context.Context, w *workspace, in Inputs, files []file) (*models.DistributedDerivation, error) {
	var answer buildModel
	args := argumentsOf(files, in)
	if err := w.evaluate(ctx, &answer, "build.nix", args...); err != nil {
		return nil, w.explain(ctx, err, in, "build.nix", args)
	}
	c := newChecker(&evaluated{}, false)
	document := &models.DistributedDerivation{Interfaces: make(map[string]models.Interface)}
	c.wantKind("interfaces", answer.Interfaces.invalid, "an attribute set")
	for _, member := range answer.Interfaces.value {
		where := fmt.Sprintf("interface %q", member.name)
		c.wantKind(where, member.value.invalid, "an attribute set")
		i := member.value.value
		c.wantKind(where+": numOfCores", i.NumOfCores.invalid, "an integer")
		document.Interfaces[member.name] = models.Interface{
			TargetAddress:   c.text(where+": targetAddress", i.TargetAddress),
			ClientInterface: c.text(where+": clientInterface", i.ClientInterface),
			NumOfCores:      i.NumOfCores.value,
		}
	}
	c.wantKind("derivationMappings", answer.DerivationMappings.invalid, "a list")
	for i, element := range answer.DerivationMappings.value {
		where := fmt.Sprintf("derivationMappings[%d]", i)
		c.wantKind(where, element.invalid, "an attribute set")
		m := element.value
		c.wantKind(where+": derivation", m.Derivation.invalid, "a derivation or the path of its file")
		if path := m.Derivation.value; m.Derivation.invalid == "" && (filepath.Dir(path) != nix.StoreDir() || !strings.HasSuffix(path, ".drv")) {
			c.problem("%s: %q is not a store derivation: a .drv file in %s", where, path, nix.StoreDir())
		}
		document.Mappings = append(document.Mappings, models.DerivationMapping{
			Derivation: m.Derivation.value,
			Interface:  c.text(where+": interface", m.Interface),
		})
	}
	if err := c.problems.Err(); err != nil {
		return nil, err
	}
	return document, document.Validate()
}
