package commandline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service/commandline"
)

func TestLines(t *testing.T) {
	for output, want := range map[string][]string{
		"": nil, "\n": nil, "a\n": {"a"}, "a": {"a"}, "a\n\nb": {"a", "", "b"},
	} {
		if got := commandline.Lines(output); !slices.Equal(got, want) {
			t.Errorf("%q: %q", output, got)
		}
	}
}

func TestResolve(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		printed []string
		err     error
		want    []string
		message string
	}{
		"each once": {[]string{"/1", "/2"}, nil, []string{"/1", "/2", "/1"}, ""},
		"too few":   {[]string{"/1"}, nil, nil, "printed only 1 paths"},
		"a failure": {nil, broken, nil, "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := commandline.Resolve(t.Context(), []string{"a", "b", "a"}, func(context.Context, []string) ([]string, error) {
				return test.printed, test.err
			})
			if !slices.Equal(got, test.want) || (err != nil) != (test.message != "") || err != nil && !strings.Contains(err.Error(), test.message) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var all strings.Builder
	tail := commandline.Tail{Next: &all}
	for range 3000 {
		_, _ = tail.Write([]byte("0123456789"))
	}
	_, _ = tail.Write([]byte("the reason"))
	if len(tail.Bytes()) != 16<<10 || !strings.HasSuffix(tail.String(), "9the reason") || all.Len() != 30010 {
		t.Errorf("%d bytes are kept, %d were passed on", len(tail.Bytes()), all.Len())
	}
}
