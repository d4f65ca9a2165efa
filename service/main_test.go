package service_test

import (
	"os"
	"testing"
)

// TestMain lets the tests start this binary as another process.
func TestMain(m *testing.M) {
	if profile := os.Getenv("DISNIX_TEST_HOLD_LOCK"); profile != "" {
		holdLock(profile)
	}
	os.Exit(m.Run())
}
