package models

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// endless never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestReadAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tests := []struct {
		name   string
		source io.Reader
		limit  int64
		fits   bool
	}{
		{"endless", endless{}, 1000, false},
		{"too long", strings.NewReader("0123456789"), 9, false},
		{"at the limit", strings.NewReader("0123456789"), 10, true},
		{"of unknown length", io.MultiReader(strings.NewReader("01234"), strings.NewReader("56789")), 10, true},
		{"file", file, 10, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data, err := readAll(test.source, test.limit)
			if !test.fits {
				if err == nil || !strings.Contains(err.Error(), "larger than") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || !bytes.Equal(data, []byte("0123456789")) {
				t.Errorf("read %q, error %v", data, err)
			}
		})
	}
}
