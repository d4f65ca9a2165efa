package coordinator_test

import (
	"context"
	"errors"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// unconnected is what a client returns beside an error: a nil pointer, of which
// every method would panic.
type unconnected struct{ service.Service }

func TestTargetsCloseAfterAFailedConnection(t *testing.T) {
	refused := errors.New("connection refused")
	targets := coordinator.NewTargets(models.Infrastructure{"a": {Name: "a"}}, func(context.Context, *models.Target) (service.Service, error) {
		return (*unconnected)(nil), refused
	})
	if _, err := targets.Get(t.Context(), "a"); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	if err := targets.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
