package evaluation

import (
	"bytes"
	"context"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/nix"
)

// Infrastructure evaluates an infrastructure model alone. Of the inputs only
// those are used that concern it: Infrastructure, TargetProperty,
// ClientInterface and ShowTrace. The errors are those of [Evaluate].
func Infrastructure(ctx context.Context, in Inputs) (models.Infrastructure, error) {
	var answer evaluated
	err := withInfrastructure(in, func(w *workspace, args []string) error {
		if err := w.evaluate(ctx, &answer, "infrastructure.nix", args...); err != nil {
			return w.explain(ctx, err, in, "infrastructure.nix", args)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c := newChecker(&answer, false)
	c.checkTargets()
	return c.infrastructure, c.problems.Err()
}

// RawInfrastructure returns the evaluated infrastructure model, with defaults,
// in the XML notation of Nix, as disnix-normalize-infra --raw prints it
// (commands, section 9).
func RawInfrastructure(ctx context.Context, in Inputs) ([]byte, error) {
	var out bytes.Buffer
	err := withInfrastructure(in, func(w *workspace, args []string) error {
		args = append(args, "--arg", "raw", "true")
		err := nix.Run(ctx, nix.Command{
			Name:   "nix-instantiate",
			Args:   append([]string{"--eval", "--xml", "--strict"}, append(args, w.expression("infrastructure.nix"))...),
			Stdout: &out,
		})
		if err != nil {
			return w.explain(ctx, err, in, "infrastructure.nix", args)
		}
		return nil
	})
	return out.Bytes(), err
}

func withInfrastructure(in Inputs, evaluate func(w *workspace, args []string) error) error {
	if in.Infrastructure == "" {
		return ErrNoInfrastructure
	}
	files, err := resolve([]file{{"infrastructure", "infrastructureFile", in.Infrastructure}})
	if err != nil {
		return err
	}
	w, err := newWorkspace(in.Log)
	if err != nil {
		return err
	}
	defer w.close()
	return evaluate(w, argumentsOf(files, in))
}
