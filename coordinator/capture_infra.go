package coordinator

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// CaptureInfrastructure asks all targets at once for their configurations,
// which are Nix expressions. Those of the targets that answered are returned
// also if others failed, which the error names.
func CaptureInfrastructure(ctx context.Context, targets *Targets, infrastructure models.Infrastructure, r Reporter) (models.CapturedInfrastructure, error) {
	captured := make(models.CapturedInfrastructure)
	var mu sync.Mutex
	err := onEachTarget(ctx, targets, infrastructure, func(target string, t service.Service) error {
		expression, err := t.CaptureConfig(ctx)
		if err != nil {
			return err
		}
		if strings.TrimSpace(expression) == "" {
			return errors.New("capture the configuration: the target answered with nothing")
		}
		mu.Lock()
		defer mu.Unlock()
		captured[target] = expression
		return nil
	}, func(target string) { r.Problem(target, "Cannot capture the infrastructure!") })
	return captured, err
}
