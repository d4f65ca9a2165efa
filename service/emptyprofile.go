package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/nix"
)

// AddEmptyProfile adds a profile without any services to the Nix store of this
// machine and returns its path. A target that is not used any more gets it.
func AddEmptyProfile(ctx context.Context) (path string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("make an empty profile: %w", err)
		}
	}()
	dir, err := os.MkdirTemp("", "disnix.")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	profile := filepath.Join(dir, "no-services") // becomes the name in the store
	if err := os.Mkdir(profile, 0o755); err != nil {
		return "", err
	}
	var manifest bytes.Buffer
	if err := new(models.ProfileManifest).WriteXML(&manifest, ""); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(profile, "profilemanifest.xml"), manifest.Bytes(), 0o644); err != nil {
		return "", err
	}
	out, err := nix.Output(ctx, "nix-store", "--add", profile)
	return string(bytes.TrimSpace(out)), err
}
