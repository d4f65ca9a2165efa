package soapclient_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/disnix-go/disnix/service/closure"
	"github.com/disnix-go/disnix/service/servicetest"
)

// TestLongLists sends lists that are too long for a command line: to the
// original's service in parts, which it puts on command lines; otherwise in one
// message.
func TestLongLists(t *testing.T) {
	fake := new(servicetest.Fake)
	var paths []string
	for i := range 2000 {
		paths = append(paths, fmt.Sprintf("/nix/store/%032d-%s", i, strings.Repeat("x", 60)))
	}
	fake.AddValid(paths[:1000]...)
	real := serve(t, to(fake))
	for name, test := range map[string]struct {
		url   string
		parts int64
	}{
		"to this service":   {real, 1},
		"to the original's": {asOriginal(t, real), 4},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			client := dial(t, watching(t, test.url, func(*http.Request) { requests.Add(1) }))
			// This tells what the service can do.
			if _, err := client.PrintInvalid(t.Context(), paths[:1]); err != nil {
				t.Fatal(err)
			}
			requests.Store(0)
			invalid, err := client.PrintInvalid(t.Context(), paths)
			if err != nil || !slices.Equal(invalid, paths[1000:]) {
				t.Errorf("%d paths, %v", len(invalid), err)
			}
			if n := requests.Load(); n != test.parts {
				t.Errorf("%d requests", n)
			}
			var stream bytes.Buffer
			if err := client.ExportClosure(t.Context(), paths[:1000], &stream); err != nil {
				t.Fatal(err)
			}
			exported, err := closure.Paths(&stream)
			if err != nil || !slices.Equal(exported, paths[:1000]) {
				t.Errorf("%d paths are exported, %v", len(exported), err)
			}
		})
	}
}
