package clientprogram_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/clientprogram"
	"github.com/disnix-go/disnix/test/nixtest"
)

// TestCopyClosureBetweenStores copies to a target with a Nix store of its own
// and back, through the program.
func TestCopyClosureBetweenStores(t *testing.T) {
	root := nixtest.Store(t)
	elsewhere := filepath.Join(root, "elsewhere")
	target, err := clientprogram.New(os.Args[0], "target", clientprogram.Config{
		Env: []string{actAsProgram + "=1", "NIX_REMOTE=local?root=" + elsewhere},
	})
	if err != nil {
		t.Fatal(err)
	}
	var here service.NixStore
	out, err := exec.Command("nix-instantiate", "--eval", "--json", "--read-write-mode", "-E",
		`builtins.toFile "top" "needs ${builtins.toFile "bottom" "content"}"`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	top := strings.Trim(strings.TrimSpace(string(out)), `"`)
	closure, err := here.QueryRequisites(t.Context(), []string{top})
	if err != nil || len(closure) != 2 {
		t.Fatalf("%q, %v", closure, err)
	}

	copied, err := service.CopyClosure(t.Context(), here, target, []string{top})
	if err != nil || !slices.Equal(copied, closure) {
		t.Fatalf("copied to the target %q, %v", copied, err)
	}
	if content, err := os.ReadFile(filepath.Join(elsewhere, "nix/store", filepath.Base(closure[0]))); err != nil || string(content) != "content" {
		t.Errorf("on the target: %q, %v", content, err)
	}
	if copied, err = service.CopyClosure(t.Context(), here, target, []string{top}); err != nil || len(copied) != 0 {
		t.Errorf("copied again %q, %v", copied, err)
	}
	if err := here.CollectGarbage(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if copied, err = service.CopyClosure(t.Context(), target, here, []string{top}); err != nil || !slices.Equal(copied, closure) {
		t.Errorf("copied back %q, %v", copied, err)
	}
	if invalid, err := here.PrintInvalid(t.Context(), closure); err != nil || len(invalid) != 0 {
		t.Errorf("invalid %q, %v", invalid, err)
	}
}
