package evaluation

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/disnix-go/disnix/models"
)

// Inputs says which model files describe the system, and how they are read.
type Inputs struct {
	// The model files; empty ones are absent. A directory stands for its
	// default.nix.
	Services       string
	Infrastructure string
	Distribution   string
	Packages       string
	Architecture   string
	Deployment     string // only for manifests
	Build          string // only for distributed derivations
	// Undeploy asks for the empty system on the infrastructure.
	Undeploy bool

	// TargetProperty and ClientInterface hold for targets that do not say
	// otherwise.
	TargetProperty  string
	ClientInterface string
	// DeployState is the default of the services' attribute deployState.
	DeployState bool
	// ExtraParams is the text of a Nix attribute set whose members are passed
	// to the models that ask for them; empty means none.
	ExtraParams string
	// ShowTrace adds the trace of Nix to its evaluation errors.
	ShowTrace bool
	// Log receives the diagnostics of Nix while it builds; may be nil.
	Log io.Writer
}

// Kind is a combination of model files that describes a system.
type Kind string

// The kinds of input (commands, section 2).
const (
	KindUndeploy     Kind = "undeploy"
	KindDeployment   Kind = "deployment"
	KindBuild        Kind = "build"
	KindArchitecture Kind = "architecture"
	KindModels       Kind = "models"
	KindPackages     Kind = "packages"
)

// Why a combination of model files is not enough (commands, section 2).
var (
	ErrNoInfrastructure   = errors.New("ERROR: An infrastructure expression must be specified!")
	ErrNoServices         = errors.New("ERROR: A services expression must be specified!")
	ErrNoDistribution     = errors.New("ERROR: A distribution expression must be specified!")
	ErrUnknownCombination = errors.New("An unknown combination of models were provided!")
)

// Kind selects what the given files describe; the first that matches wins.
// The error is one of those above.
func (in Inputs) Kind() (Kind, error) {
	infrastructure := in.Infrastructure != ""
	switch {
	case in.Undeploy && !infrastructure:
		return "", ErrNoInfrastructure
	case in.Undeploy:
		return KindUndeploy, nil
	case in.Deployment != "":
		return KindDeployment, nil
	case in.Build != "":
		return KindBuild, nil
	case in.Architecture != "":
		return KindArchitecture, nil
	case !infrastructure:
		return "", ErrNoInfrastructure
	case in.Services != "" && in.Distribution != "":
		return KindModels, nil
	case in.Distribution != "":
		return "", ErrNoServices
	case in.Services != "":
		return "", ErrNoDistribution
	case in.Packages != "":
		return KindPackages, nil
	default:
		return "", ErrUnknownCombination
	}
}

// file is one model file: what it is called in messages, the argument of our
// expressions that takes it, and its path.
type file struct {
	model    string
	argument string
	path     string
}

// files lists the model files that the kind reads, with absolute paths in
// which symbolic links are resolved. All that can not be read are reported.
func (in Inputs) files(kind Kind) ([]file, error) {
	services := file{"services", "servicesFile", in.Services}
	infrastructure := file{"infrastructure", "infrastructureFile", in.Infrastructure}
	distribution := file{"distribution", "distributionFile", in.Distribution}
	packages := file{"packages", "packagesFile", in.Packages}
	var candidates []file
	switch kind {
	case KindModels:
		candidates = []file{services, infrastructure, distribution, packages}
	case KindPackages:
		candidates = []file{infrastructure, packages}
	case KindUndeploy:
		candidates = []file{infrastructure}
	case KindArchitecture:
		candidates = []file{{"architecture", "architectureFile", in.Architecture}}
	case KindDeployment:
		candidates = []file{{"deployment", "deploymentFile", in.Deployment}}
	case KindBuild:
		candidates = []file{{"build", "buildFile", in.Build}}
	}
	return resolve(candidates)
}

// resolve makes the paths absolute and drops absent files.
func resolve(candidates []file) ([]file, error) {
	var files []file
	var problems models.Problems
	for _, f := range candidates {
		if f.path == "" {
			continue
		}
		path, err := readable(f.path)
		if err != nil {
			problems = append(problems, fmt.Errorf("read %s model %w", f.model, err))
			continue
		}
		f.path = path
		files = append(files, f)
	}
	return files, problems.Err()
}

// readable returns the absolute path of a file that can be opened. An error
// begins with the path as it was given.
func readable(path string) (string, error) {
	opened := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		opened = filepath.Join(path, "default.nix")
	}
	f, err := os.Open(opened)
	if err != nil {
		return "", fmt.Errorf("%s: %w", opened, reason(err))
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, reason(err))
	}
	return filepath.Abs(resolved)
}

// reason is an error of a file operation without operation and path.
func reason(err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
