package evaluation

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

func TestKind(t *testing.T) {
	for _, test := range []struct {
		name string
		in   Inputs
		want Kind
		err  error
	}{
		{"nothing", Inputs{}, "", ErrNoInfrastructure},
		{"infrastructure only", Inputs{Infrastructure: "i"}, "", ErrUnknownCombination},
		{"three models", Inputs{Services: "s", Infrastructure: "i", Distribution: "d"}, KindModels, nil},
		{"four models", Inputs{Services: "s", Infrastructure: "i", Distribution: "d", Packages: "P"}, KindModels, nil},
		{"services only", Inputs{Services: "s"}, "", ErrNoInfrastructure},
		{"no services", Inputs{Infrastructure: "i", Distribution: "d"}, "", ErrNoServices},
		{"no distribution", Inputs{Services: "s", Infrastructure: "i"}, "", ErrNoDistribution},
		{"packages", Inputs{Packages: "P", Infrastructure: "i"}, KindPackages, nil},
		{"packages without infrastructure", Inputs{Packages: "P"}, "", ErrNoInfrastructure},
		{"architecture wins over models", Inputs{Architecture: "A", Services: "s"}, KindArchitecture, nil},
		{"deployment wins over architecture", Inputs{Deployment: "D", Architecture: "A"}, KindDeployment, nil},
		{"build wins over architecture", Inputs{Build: "B", Architecture: "A"}, KindBuild, nil},
		{"undeploy wins", Inputs{Undeploy: true, Infrastructure: "i", Deployment: "D"}, KindUndeploy, nil},
		{"undeploy without infrastructure", Inputs{Undeploy: true, Deployment: "D"}, "", ErrNoInfrastructure},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.in.Kind()
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %q and %v, want %q and %v", got, err, test.want, test.err)
			}
		})
	}
}

func TestModelFilesThatCanNotBeReadAreAllNamed(t *testing.T) {
	dir := newModels(t, shop)
	in := dir.inputs()
	in.Services = filepath.Join(dir.path, "no-services.nix")
	in.Distribution = filepath.Join(dir.path, "empty")
	if err := os.Mkdir(in.Distribution, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Evaluate(context.Background(), in)
	var problems models.Problems
	if !errors.As(err, &problems) || len(problems) != 2 || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want two problems", err)
	}
	for _, part := range []string{"read services model " + in.Services + ": no such file", "read distribution model " + in.Distribution + "/default.nix: no such file"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

func TestModelFileNames(t *testing.T) {
	for _, name := range []string{`with blank`, `it's`, `say "hi"`, `$(touch x)`, `größe`, `-x`, `${a}`} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{name + "/pkgs.nix": packagesNix}
			for file, content := range shop {
				files[name+"/"+file] = content
			}
			dir := newModels(t, files)
			dir.path = filepath.Join(dir.path, name)
			if got := len(dir.evaluate().Manifest.Services); got != 4 {
				t.Errorf("the manifest has %d services, want 4", got)
			}
		})
	}
	t.Run("relative", func(t *testing.T) {
		dir := newModels(t, shop)
		t.Chdir(dir.path)
		in := dir.inputs()
		in.Services = "services.nix"
		if _, err := Evaluate(context.Background(), in); err != nil {
			t.Error(err)
		}
	})
	t.Run("directory and symbolic link", func(t *testing.T) {
		dir := newModels(t, shop)
		dir.write("dir/default.nix", "import ../services.nix")
		link := filepath.Join(t.TempDir(), "link.nix")
		if err := os.Symlink(filepath.Join(dir.path, "dir"), link); err != nil {
			t.Fatal(err)
		}
		in := dir.inputs()
		in.Services = link
		if _, err := Evaluate(context.Background(), in); err != nil {
			t.Error(err)
		}
	})
}
