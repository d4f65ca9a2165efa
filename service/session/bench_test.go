package session_test

import (
	"io"
	"testing"

	"github.com/disnix-go/disnix/service/servicetest"
)

// BenchmarkActivation is what the session adds to an activity; it must stay
// below 2 ms beside the round trip of the link.
func BenchmarkActivation(b *testing.B) {
	client := connect(b, new(servicetest.Fake))
	for b.Loop() {
		if err := client.Activate(b.Context(), activity); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExport(b *testing.B) {
	const size = 16 << 20
	client := connect(b, &stream{export: func(w io.Writer) error {
		_, err := io.CopyN(w, zeros{}, size)
		return err
	}})
	b.SetBytes(size)
	for b.Loop() {
		if err := client.ExportClosure(b.Context(), nil, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
