package coordinator_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
)

func generations(t testing.TB, f *servicetest.Fake) []string {
	t.Helper()
	all, err := f.QueryAllSnapshots(context.Background(), "db", "data")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func numbered(n ...int) []string {
	names := make([]string, len(n))
	for i, number := range n {
		names[i] = fmt.Sprintf("db/data/%d", number)
	}
	return names
}

func TestCopySnapshots(t *testing.T) {
	for _, test := range []struct {
		name           string
		from, to, want []string
		all            bool
	}{
		{"nothing", nil, numbered(7), numbered(7), true},
		{"the latest", numbered(1, 2, 3), nil, numbered(3), false},
		{"the latest, which is there already", numbered(1, 2), numbered(2, 9), numbered(2, 9, 2), false},
		{"all", numbered(3, 1, 2), nil, numbered(3, 1, 2), true},
		{"a snapshot that is several generations", numbered(1, 2, 1), nil, numbered(1, 2, 1), true},
		{"of other components", append(numbered(1), "db/other/5", "web/data/6"), nil, numbered(1), true},
		{
			"transition 10: partially present generations keep the sender's order",
			numbered(1, 2, 3, 4), numbered(3, 1), numbered(3, 1, 2, 3, 4), true,
		},
		{
			"transition 10: more than nine generations",
			numbered(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), nil, numbered(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var from, to servicetest.Fake
			from.AddSnapshots(test.from...)
			to.AddSnapshots(test.to...)
			copied, err := coordinator.CopySnapshots(t.Context(), &from, &to, "db", "data", test.all)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "generations", generations(t, &to), test.want)
			snapshots := len(generations(t, &from))
			if !test.all {
				snapshots = min(snapshots, 1)
			}
			equal(t, "number of snapshots", copied, snapshots)
			imported := make(map[string]bool)
			for _, call := range to.Calls() {
				if call.Operation != "import-snapshots" {
					continue
				}
				if id := call.Words[2]; imported[id] {
					t.Errorf("snapshot %s was transferred twice", id)
				} else {
					imported[id] = true
				}
			}
		})
	}
}

// TestCopySnapshotsRepeated: a copy that is repeated, after more snapshots were
// taken or not, repeats no generation.
func TestCopySnapshotsRepeated(t *testing.T) {
	for _, test := range []struct{ from, to, want []string }{
		{numbered(1, 2, 3), numbered(1, 2, 3), numbered(1, 2, 3)},
		{numbered(1, 2, 3, 4), numbered(9, 1, 2), numbered(9, 1, 2, 3, 4)},
		{numbered(2, 3), numbered(1, 2, 3), numbered(1, 2, 3)},
		{numbered(1, 2, 1, 2), numbered(1, 2), numbered(1, 2, 1, 2)},
		{numbered(1, 2), numbered(1, 2, 3), numbered(1, 2, 3, 1, 2)},
	} {
		var from, to servicetest.Fake
		from.AddSnapshots(test.from...)
		to.AddSnapshots(test.to...)
		for range 2 {
			copied, err := coordinator.CopySnapshots(t.Context(), &from, &to, "db", "data", true)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "generations", generations(t, &to), test.want)
			equal(t, "number of snapshots", copied, len(test.from))
		}
	}
}

// TestCopySnapshotsOrder copies between repositories with any overlap.
func TestCopySnapshotsOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		numbers := rapid.SliceOfN(rapid.IntRange(1, 12), 0, 15)
		var from, to servicetest.Fake
		sent := numbered(numbers.Draw(rt, "from")...)
		from.AddSnapshots(sent...)
		to.AddSnapshots(numbered(numbers.Draw(rt, "to")...)...)
		if _, err := coordinator.CopySnapshots(context.Background(), &from, &to, "db", "data", true); err != nil {
			rt.Fatal(err)
		}
		got := generations(t, &to)
		if tail := got[len(got)-len(sent):]; !slices.Equal(tail, sent) {
			rt.Fatalf("newest generations are %v instead of %v", tail, sent)
		}
	})
}

func TestRoughEdge_CopySnapshotsFailure(t *testing.T) {
	for _, failing := range []struct{ side, operation string }{
		{"from", "query-all-snapshots"},
		{"to", "print-missing-snapshots"},
		{"from", "resolve-snapshots"},
		{"from", "export-snapshots"},
		{"to", "import-snapshots"},
		{"to", "resolve-snapshots"},
		{"to", "register-snapshots"},
	} {
		t.Run("transition 10: a later success does not hide a failure of "+failing.operation+" "+failing.side, func(t *testing.T) {
			var from, to servicetest.Fake
			from.AddSnapshots(numbered(1, 2, 3, 4)...)
			to.AddSnapshots(numbered(2)...)
			failed := false
			hook := func(_ context.Context, call servicetest.Call) error {
				if call.Operation == failing.operation && !failed {
					failed = true
					return errInjected
				}
				return nil
			}
			if failing.side == "from" {
				from.Hook = hook
			} else {
				to.Hook = hook
			}
			_, err := coordinator.CopySnapshots(t.Context(), &from, &to, "db", "data", true)
			errorContains(t, err, "injected failure")
			if strings.Count(err.Error(), "injected failure") != 1 {
				t.Errorf("the reason is repeated: %v", err)
			}
			after := generations(t, &to)
			if len(after) > 2 {
				t.Errorf("went on after the failure: %v", after)
			}
		})
	}
}

// brokenExporter delivers a part of the archive.
type brokenExporter struct{ service.Snapshots }

func (brokenExporter) ExportSnapshot(_ context.Context, _ string, w io.Writer) error {
	if _, err := io.WriteString(w, "a part"); err != nil {
		return err
	}
	return errInjected
}

func TestCopySnapshotsTruncated(t *testing.T) {
	var from, to servicetest.Fake
	from.AddSnapshots(numbered(1)...)
	_, err := coordinator.CopySnapshots(t.Context(), brokenExporter{&from}, &to, "db", "data", false)
	errorContains(t, err, "export snapshot db/data/1", "injected failure")
	equal(t, "stored", len(generations(t, &to)), 0)
}

// earlyImporter is content with the first byte of the archive.
type earlyImporter struct{ service.Snapshots }

func (earlyImporter) ImportSnapshot(_ context.Context, _, _, _ string, r io.Reader) error {
	_, err := r.Read(make([]byte, 1))
	return err
}

func TestCopySnapshotsReadsPadding(t *testing.T) {
	var from, to servicetest.Fake
	from.AddSnapshots(numbered(1)...)
	if _, err := coordinator.CopySnapshots(t.Context(), &from, earlyImporter{&to}, "db", "data", false); err != nil {
		t.Fatal(err)
	}
}

// strangeNames answers queries with names that were not asked for.
type strangeNames struct {
	service.Snapshots
	name string
}

func (s strangeNames) QueryLatestSnapshot(context.Context, string, string) ([]string, error) {
	return []string{s.name}, nil
}

func TestCopySnapshotsRefusesStrangeNames(t *testing.T) {
	for _, name := range []string{"", "db", "db/data", "db/data/", "db/data/..", "db/data/../../x", "db/other/1", "/db/data/1", "db/data/1/2"} {
		var from, to servicetest.Fake
		_, err := coordinator.CopySnapshots(t.Context(), strangeNames{&from, name}, &to, "db", "data", false)
		errorContains(t, err, fmt.Sprintf("%q does not name a snapshot", name))
		if calls := to.Calls(); len(calls) > 0 {
			t.Errorf("%q: the receiver was asked for %v", name, calls)
		}
	}
}

func TestCopySnapshotsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var from, to servicetest.Fake
	from.AddSnapshots(numbered(1, 2, 3)...)
	to.Hook = func(_ context.Context, call servicetest.Call) error {
		if call.Operation == "import-snapshots" && call.Words[2] == "2" {
			cancel()
		}
		return nil
	}
	copied, err := coordinator.CopySnapshots(ctx, &from, &to, "db", "data", true)
	errorContains(t, err, "context canceled")
	equal(t, "copied", copied, 1)
	equal(t, "generations", generations(t, &to), numbered(1))
}
