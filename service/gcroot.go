package service

import (
	"context"
	"fmt"

	"github.com/disnix-go/disnix/models/nix"
)

// ProtectFromGC makes a symbolic link to a store path, which the garbage
// collector of Nix does not remove as long as the link exists. A path outside
// of the store needs no protection: nothing is done then.
func ProtectFromGC(ctx context.Context, link, path string) error {
	stored := followToStore(path)
	if stored == "" {
		return nil
	}
	if _, err := nix.Output(ctx, "nix-store", "--add-root", link, "--indirect", "--realise", stored); err != nil {
		return fmt.Errorf("protect %s from the garbage collector: %w", stored, err)
	}
	return nil
}
