package service_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/test/nixtest"
)

// numbers returns the numbers of the generations of a profile.
func numbers(t *testing.T, dir, name string) []int {
	t.Helper()
	generations, err := service.Generations(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	result := []int{}
	for _, g := range generations {
		result = append(result, g.Number)
	}
	return result
}

func setProfile(t *testing.T, dir, name, path string) {
	t.Helper()
	if err := service.SetProfile(t.Context(), dir, name, path); err != nil {
		t.Fatal(err)
	}
}

func TestSetProfile(t *testing.T) {
	root := nixtest.Store(t)
	dir := filepath.Join(root, "nix/profiles/per-user/somebody/disnix-coordinator")
	one, two := addFile(t, "one", "1"), addFile(t, "two", "2")

	setProfile(t, dir, "default", one)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Fatalf("directory: %v %v", info, err)
	}
	setProfile(t, dir, "default", one)
	if got := numbers(t, dir, "default"); !slices.Equal(got, []int{1}) {
		t.Errorf("setting the same path again made generations %v", got)
	}
	setProfile(t, dir, "default", two)
	setProfile(t, dir, "default", one)
	if got := numbers(t, dir, "default"); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("generations %v, want 1 2 3", got)
	}
	generations, _ := service.Generations(dir, "default")
	if g := generations[2]; g.Path != one || !g.Current || generations[1].Current || g.Created.IsZero() {
		t.Errorf("newest generation %+v", g)
	}

	t.Run("a link to a store path counts as the path", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "result")
		if err := os.Symlink(one, link); err != nil {
			t.Fatal(err)
		}
		setProfile(t, dir, "default", link)
		if got := numbers(t, dir, "default"); len(got) != 3 {
			t.Errorf("generations %v", got)
		}
	})
	t.Run("protocol 3: a path of another length is set", func(t *testing.T) {
		longer := addFile(t, "one-with-a-longer-name", "1")
		setProfile(t, dir, "default", longer)
		generations, _ := service.Generations(dir, "default")
		if g := generations[len(generations)-1]; g.Path != longer || !g.Current {
			t.Errorf("newest generation %+v", g)
		}
	})
	t.Run("observed 2: a target profile is updated when its store path has another length", func(t *testing.T) {
		shorter := addFile(t, "o", "1")
		setProfile(t, dir, "default", shorter)
		if got, _ := filepath.EvalSymlinks(filepath.Join(dir, "default")); got != shorter {
			t.Errorf("profile points to %s", got)
		}
	})
	t.Run("an invalid path leaves the profile as it was", func(t *testing.T) {
		before := numbers(t, dir, "default")
		invalid := filepath.Join(root, "store/00000000000000000000000000000000-x")
		if err := service.SetProfile(t.Context(), dir, "default", invalid); err == nil || !strings.Contains(err.Error(), invalid) {
			t.Errorf("error %v", err)
		}
		if got := numbers(t, dir, "default"); !slices.Equal(got, before) {
			t.Errorf("generations %v, before %v", got, before)
		}
	})
}

func TestProfileNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"", ".", "..", "a/b", "../x", "default-3-link", "a\nb", "a\x00b", strings.Repeat("a", 201)} {
		if err := service.SetProfile(t.Context(), dir, name, "/nix/store/x"); err == nil {
			t.Errorf("profile name %q is accepted", name)
		}
		if _, err := service.Generations(dir, name); err == nil {
			t.Errorf("profile name %q is accepted", name)
		}
		if err := service.DeleteAllGenerations(dir, name); err == nil {
			t.Errorf("profile name %q is accepted", name)
		}
	}
}

func TestGenerationsOfOtherProfiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a-1-link", "a-2-link", "a-10-link", "a-b-3-link", "a-0-link", "a--1-link", "a-+4-link", "a-x-link", "a-5-link.tmp", "ab-6-link"} {
		if err := os.Symlink("/nix/store/"+name, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	nixtest.File(t, dir, "a-7-link", "not a link")
	if err := os.Symlink("a-2-link", filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	t.Run("commands 6: generations of profiles with the same beginning are not listed", func(t *testing.T) {
		if got := numbers(t, dir, "a"); !slices.Equal(got, []int{1, 2, 10}) {
			t.Errorf("generations %v, want 1 2 10", got)
		}
	})
	t.Run("commands 6: generations of profiles with the same beginning are not deleted", func(t *testing.T) {
		if err := service.DeleteAllGenerations(dir, "a"); err != nil {
			t.Fatal(err)
		}
		if got := numbers(t, dir, "a"); len(got) != 0 {
			t.Errorf("left: %v", got)
		}
		if _, err := os.Lstat(filepath.Join(dir, "a")); err == nil {
			t.Error("the profile is still there")
		}
		if got := numbers(t, dir, "a-b"); !slices.Equal(got, []int{3}) {
			t.Errorf("the other profile has %v", got)
		}
	})
	if got := numbers(t, filepath.Join(dir, "missing"), "a"); len(got) != 0 {
		t.Errorf("a missing directory has generations %v", got)
	}
	if err := service.DeleteAllGenerations(dir, "never"); err != nil {
		t.Error(err)
	}
}

func TestListGenerations(t *testing.T) {
	root := nixtest.Store(t)
	dir := filepath.Join(root, "nix/profiles")
	for _, content := range []string{"1", "2", "3"} {
		setProfile(t, dir, "p", addFile(t, "f", content))
	}
	want, err := exec.Command("nix-env", "-p", filepath.Join(dir, "p"), "--list-generations").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := service.ListGenerations(dir, "p"); err != nil || got != string(want) {
		t.Errorf("%v\ngot:\n%s\nwant:\n%s", err, got, want)
	}
	if got, err := service.ListGenerations(dir, "none"); err != nil || got != "" {
		t.Errorf("a profile that does not exist: %q, %v", got, err)
	}
}

func TestDeleteGenerations(t *testing.T) {
	root := nixtest.Store(t)
	paths := []string{addFile(t, "f", "1"), addFile(t, "f", "2"), addFile(t, "f", "3"), addFile(t, "f", "4")}
	for _, tt := range []struct {
		specification string
		want          []int
		err           string
	}{
		{specification: "1", want: []int{2, 3, 4}},
		{specification: "1 3", want: []int{2, 4}},
		{specification: "old", want: []int{4}},
		{specification: "30d", want: []int{1, 2, 3, 4}},
		{specification: "+2", want: []int{3, 4}},
		{specification: "4", want: []int{1, 2, 3, 4}, err: "generation 4 is the current one"},
		{specification: "1 9", want: []int{1, 2, 3, 4}, err: "generation 9 does not exist"},
		{specification: "bogus", want: []int{1, 2, 3, 4}, err: `"bogus" is not a generation`},
		{specification: "1 old", want: []int{1, 2, 3, 4}, err: `"old" is not a generation`},
		{specification: "-1", want: []int{1, 2, 3, 4}, err: `"-1" is not a generation`},
		{specification: "--help", want: []int{1, 2, 3, 4}, err: "is not a generation"},
		{specification: "xd", want: []int{1, 2, 3, 4}, err: "is not a generation"},
		{specification: " ", want: []int{1, 2, 3, 4}, err: "no generation is given"},
	} {
		t.Run(tt.specification, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "profiles")
			for _, path := range paths {
				setProfile(t, dir, "p", path)
			}
			removed, err := service.DeleteGenerations(t.Context(), dir, "p", tt.specification)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if got := numbers(t, dir, "p"); !slices.Equal(got, tt.want) {
				t.Errorf("left %v, want %v", got, tt.want)
			}
			if len(removed) != len(paths)-len(tt.want) {
				t.Errorf("said to be removed: %v", removed)
			}
		})
	}
	if _, err := service.DeleteGenerations(t.Context(), filepath.Join(root, "missing"), "p", "old"); err != nil {
		t.Error(err)
	}
}

func TestFullDiskLeavesTheOldGeneration(t *testing.T) {
	nixtest.Store(t)
	one, two := addFile(t, "one", "1"), addFile(t, "two", "2")
	// The directory itself, the profile and its first generation take three.
	for files, moment := range map[string]string{
		"3": "before the generation can be created",
		"4": "before the profile can be switched",
	} {
		t.Run(moment, func(t *testing.T) {
			dir := fullDirectory(t, files)
			if err := os.Symlink(one, filepath.Join(dir, "p-1-link")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("p-1-link", filepath.Join(dir, "p")); err != nil {
				t.Fatal(err)
			}
			err := service.SetProfile(t.Context(), dir, "p", two)
			if err == nil || !strings.Contains(err.Error(), "No space left on device") {
				t.Errorf("error %v", err)
			}
			if got := numbers(t, dir, "p"); !slices.Equal(got, []int{1}) {
				t.Errorf("generations %v, want 1", got)
			}
			if got, _ := filepath.EvalSymlinks(filepath.Join(dir, "p")); got != one {
				t.Errorf("the profile points to %s", got)
			}
		})
	}
}

func TestUnwritableProfileDirectory(t *testing.T) {
	root := nixtest.Store(t)
	file := nixtest.File(t, root, "file", "")
	err := service.SetProfile(t.Context(), filepath.Join(file, "profiles"), "p", addFile(t, "one", "1"))
	if err == nil || !strings.Contains(err.Error(), `create the directory of profile "p"`) {
		t.Errorf("error %v", err)
	}
}

func TestSetProfileCancelled(t *testing.T) {
	root := nixtest.Store(t)
	dir := filepath.Join(root, "nix/profiles")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := service.SetProfile(ctx, dir, "p", addFile(t, "one", "1")); err == nil {
		t.Error("a cancelled operation succeeded")
	}
	if got := numbers(t, dir, "p"); len(got) != 0 {
		t.Errorf("generations %v", got)
	}
}

func TestProfileDirs(t *testing.T) {
	t.Setenv("NIX_STATE_DIR", "/somewhere/nix")
	coordinator, err := service.CoordinatorProfileDir()
	if err != nil || !strings.HasPrefix(coordinator, "/somewhere/nix/profiles/per-user/") || filepath.Base(coordinator) != "disnix-coordinator" {
		t.Errorf("%s, %v", coordinator, err)
	}
	dir, err := service.ProfileDir()
	want := filepath.Join(filepath.Dir(coordinator), "disnix")
	if os.Geteuid() == 0 {
		want = "/somewhere/nix/profiles/disnix"
	}
	if err != nil || dir != want {
		t.Errorf("%s, %v, want %s", dir, err, want)
	}
}
