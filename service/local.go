package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/disnix-go/disnix/dysnomia"
)

// Local implements the contract on this machine, in this process. The places
// of its state are those of the environment: NIX_STATE_DIR for profiles,
// TMPDIR for locks, and what the plugin host was made with.
type Local struct {
	NixStore
	host   *dysnomia.Host
	config LocalConfig
}

// LocalConfig are the circumstances of a [Local].
type LocalConfig struct {
	// Log receives what operations tell while they run: diagnostics of Nix,
	// which services are notified of a lock and what they print. It may be
	// nil, and must be safe for concurrent use.
	Log io.Writer
	// OwnLocks says that the locks belong to this process: they become void
	// when it ends. Otherwise they are held until somebody releases them or
	// the machine is restarted.
	OwnLocks bool
	// Link says that this process serves one connection and ends with it, so
	// that its end tells that of the connection through which a lock was
	// acquired.
	Link bool
	// Purpose is recorded in locks for a person to read, for example
	// disnix-env.
	Purpose string
}

var _ Service = (*Local)(nil)

// NewLocal returns the contract on this machine. Plugins are run, and
// snapshots kept, by the host.
func NewLocal(host *dysnomia.Host, config LocalConfig) *Local {
	if config.Log == nil {
		config.Log = io.Discard
	}
	return &Local{NixStore: NixStore{Log: config.Log}, host: host, config: config}
}

// SetProfile implements [Profiles] with nix-env --set (protocol, 1.4).
func (l *Local) SetProfile(ctx context.Context, profile, path string) error {
	dir, err := ProfileDir()
	if err != nil {
		return err
	}
	return l.claimed(ctx, profile, func() error { return SetProfile(ctx, dir, profile, path) })
}

// QueryInstalled implements [Profiles]: the manifest is where SetProfile put
// it. A profile that does not exist has none, and neither has one that does
// not describe services; but one whose content is gone is an error.
func (l *Local) QueryInstalled(_ context.Context, profile string) ([]byte, error) {
	path, err := installedManifest(profile)
	if err != nil || path == "" {
		return nil, err
	}
	manifest, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("query what is installed in profile %q: %w", profile, err)
	}
	return manifest, nil
}

// installedManifest returns the path of the manifest of a profile, or nothing
// if there is none.
func installedManifest(profile string) (string, error) {
	if err := CheckProfileName(profile); err != nil {
		return "", err
	}
	dir, err := ProfileDir()
	if err != nil {
		return "", err
	}
	link := filepath.Join(dir, profile)
	if _, err := os.Lstat(link); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if _, err := os.Stat(link); err != nil {
		return "", fmt.Errorf("query what is installed in profile %q: its content is gone: %w: go back to a generation that is there, "+
			"with 'nix-env -p %s --switch-generation N' on that machine, or remove %s there if there is none", profile, err, link, link)
	}
	path := filepath.Join(link, "profilemanifest.xml")
	_, err = os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("query what is installed in profile %q: %w", profile, err)
	}
	return path, nil
}

// CaptureConfig implements [Service].
func (l *Local) CaptureConfig(ctx context.Context) (string, error) {
	return l.host.GenerateExpr(ctx, "")
}

// Close does nothing.
func (l *Local) Close() error { return nil }
