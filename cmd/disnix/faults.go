package main

import (
	"context"
	"fmt"
	"os"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/fault"
)

// faultVariable makes programs go wrong where tests want it; see package
// fault. It is of no use to anybody else.
const faultVariable = "DISNIX_FAULT"

func injectFaults() error {
	specification := os.Getenv(faultVariable)
	if specification == "" {
		return nil
	}
	injector, err := fault.Parse(specification)
	if err != nil {
		return fmt.Errorf("%s: %w", faultVariable, err)
	}
	fault.Inject(injector)
	return nil
}

// withFaults makes the operations of the targets pass fault points, if faults
// are injected.
func withFaults(connect coordinator.Connect) coordinator.Connect {
	if !fault.Enabled() {
		return connect
	}
	return func(ctx context.Context, target *models.Target) (service.Service, error) {
		s, err := connect(ctx, target)
		if err != nil {
			return nil, err
		}
		return fault.Service(s), nil
	}
}
