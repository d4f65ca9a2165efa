package bsdrcscript

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLockedDirectory: everybody can lock the directory of rc.conf.
func TestLockedDirectory(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "rc.conf")
	dir, err := os.Open(filepath.Dir(conf))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if err := enable(ctx, conf, []string{"web"}); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if err := enable(t.Context(), conf, []string{"web"}); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(conf); string(content) != "web_enabled=YES\n" {
		t.Errorf("%q, %v", content, err)
	}
}
