package evaluation

import (
	"context"

	"github.com/disnix-go/disnix/models"
)

// System is what models describe: evaluated and checked, but not built.
type System struct {
	// Manifest describes the system. It has no profiles, because those are
	// built, except in the case of a deployment model.
	Manifest *models.Manifest
	// Warnings tell what is valid, but probably not meant.
	Warnings []string

	in Inputs
	// profiles holds the packages of each target.
	profiles map[string][]installable
	// context is what the property values of the manifest refer to,
	// containers that of the services that provide containers.
	context    stringContext
	containers map[string]stringContext // by service name
}

// Evaluate has Nix evaluate the models and checks the result. Nothing is
// built. Mistakes in the models are returned as [models.Problems], all at
// once; an [*Error] says what Nix could not evaluate.
func Evaluate(ctx context.Context, in Inputs) (*System, error) {
	kind, err := in.Kind()
	if err != nil {
		return nil, err
	}
	files, err := in.files(kind)
	if err != nil {
		return nil, err
	}
	w, err := newWorkspace(in.Log)
	if err != nil {
		return nil, err
	}
	defer w.close()
	switch kind {
	case KindDeployment:
		return evaluateDeployment(ctx, w, in, files)
	case KindBuild:
		return nil, ErrUnknownCombination
	default:
		return evaluateModels(ctx, w, in, kind, files)
	}
}

func evaluateModels(ctx context.Context, w *workspace, in Inputs, kind Kind, files []file) (*System, error) {
	var answer evaluated
	args := in.modelArguments(kind, files)
	if err := w.evaluate(ctx, &answer, "evaluate.nix", args...); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		if problems := structuralProblems(ctx, w, in, args); problems != nil {
			return nil, problems
		}
		return nil, w.explain(ctx, err, in, "evaluate.nix", args)
	}
	c := newChecker(&answer, in.DeployState)
	if err := c.check(); err != nil {
		return nil, err
	}
	manifest, err := c.assemble()
	if err != nil {
		return nil, err
	}
	system := &System{
		Manifest:   manifest,
		Warnings:   c.warnings,
		in:         in,
		profiles:   c.profilePackages(),
		context:    c.context,
		containers: make(map[string]stringContext, len(c.services)),
	}
	for name, u := range c.services {
		system.containers[name] = u.context
	}
	return system, nil
}

// structuralProblems examines the models without their packages, which may be
// what can not be evaluated. It is nil if the rest can not be, either, or has
// no problems.
func structuralProblems(ctx context.Context, w *workspace, in Inputs, args []string) error {
	var structure evaluated
	args = append(args[:len(args):len(args)], "--arg", "packages", "false")
	if err := w.evaluate(ctx, &structure, "evaluate.nix", args...); err != nil {
		return nil
	}
	return newChecker(&structure, in.DeployState).check()
}

// modelArguments passes the models and how they are read.
func (in Inputs) modelArguments(kind Kind, files []file) []string {
	args := append(argumentsOf(files, in), "--argstr", "kind", string(kind))
	if in.DeployState {
		args = append(args, "--arg", "deployState", "true")
	}
	return append(args, in.extraArguments()...)
}
