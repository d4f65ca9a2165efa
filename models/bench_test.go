package models_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
)

func BenchmarkReadManifest10k(b *testing.B) {
	benchmarkRead(b, modelstest.Flat(10000, 100, 1))
}

func BenchmarkReadManifest100k(b *testing.B) {
	benchmarkRead(b, modelstest.Random(1, 100000, 3, 100, 1))
}

func benchmarkRead(b *testing.B, m *models.Manifest) {
	data := document(b, m)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := models.ReadManifest(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate100k(b *testing.B) {
	m := modelstest.Random(1, 100000, 3, 100, 1)
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteManifest10k(b *testing.B) {
	m := modelstest.Flat(10000, 100, 1)
	b.SetBytes(int64(len(document(b, m))))
	b.ReportAllocs()
	for b.Loop() {
		if err := m.WriteXML(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// document returns the XML text of a manifest.
func document(t testing.TB, m *models.Manifest) []byte {
	t.Helper()
	var buffer bytes.Buffer
	if err := m.WriteXML(&buffer); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}
