package commandline_test

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service/commandline"
)

func TestResultIsBounded(t *testing.T) {
	var result commandline.Result
	chunk := make([]byte, 1<<20)
	for range commandline.MaxResult / len(chunk) {
		if _, err := result.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := result.Write([]byte("x")); err == nil || !strings.Contains(err.Error(), "longer than 67108864 bytes") {
		t.Errorf("error %v", err)
	}
	if result.Len() != commandline.MaxResult {
		t.Errorf("%d bytes are kept", result.Len())
	}
}
