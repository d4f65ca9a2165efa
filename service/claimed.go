package service

import (
	"context"
	"io"
)

// Claimed returns the same target, whose changes are asked for with a claim:
// everything that depends on what is deployed. Closures are not part of that;
// they change nothing that runs.
func Claimed(s Service, claim Claim) Service { return claimed{s, claim} }

type claimed struct {
	Service
	claim Claim
}

// with leaves out who the owner is where no lock is acquired.
func (c claimed) with(ctx context.Context) context.Context {
	claim := c.claim
	claim.Owner = nil
	return WithClaim(ctx, claim)
}

func (c claimed) Lock(ctx context.Context, profile string) error {
	return c.Service.Lock(WithClaim(ctx, c.claim), profile)
}

func (c claimed) Unlock(ctx context.Context, profile string) error {
	return c.Service.Unlock(c.with(ctx), profile)
}

func (c claimed) SetProfile(ctx context.Context, profile, path string) error {
	return c.Service.SetProfile(c.with(ctx), profile, path)
}

func (c claimed) Activate(ctx context.Context, a Activity) error {
	return c.Service.Activate(c.with(ctx), a)
}

func (c claimed) Deactivate(ctx context.Context, a Activity) error {
	return c.Service.Deactivate(c.with(ctx), a)
}

func (c claimed) Snapshot(ctx context.Context, a Activity) error {
	return c.Service.Snapshot(c.with(ctx), a)
}

func (c claimed) Restore(ctx context.Context, a Activity) error {
	return c.Service.Restore(c.with(ctx), a)
}

func (c claimed) DeleteState(ctx context.Context, a Activity) error {
	return c.Service.DeleteState(c.with(ctx), a)
}

func (c claimed) ImportSnapshot(ctx context.Context, container, component, id string, archive io.Reader) error {
	return c.Service.ImportSnapshot(c.with(ctx), container, component, id, archive)
}

func (c claimed) RegisterSnapshots(ctx context.Context, container, component string, paths []string) error {
	return c.Service.RegisterSnapshots(c.with(ctx), container, component, paths)
}

func (c claimed) CleanSnapshots(ctx context.Context, keep int, container, component string) error {
	return c.Service.CleanSnapshots(c.with(ctx), keep, container, component)
}
