package dockercontainer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
)

// component is what a component says about its container.
type component struct {
	remembered
	// archive is the file with the image.
	archive string
	// parameters are arguments for docker create.
	parameters []string
	// digest identifies image and parameters.
	digest string
}

func readComponent(ctx context.Context, r *dysnomia.Request) (component, error) {
	c, err := determine(ctx, r)
	if err != nil {
		return c, fmt.Errorf("determine the container of component %s: %w", r.Component, err)
	}
	return c, nil
}

func determine(ctx context.Context, r *dysnomia.Request) (component, error) {
	settingsFile, err := only(r.Component, "-docker-settings", true)
	if err != nil {
		return component{}, err
	}
	settings, err := dysnomia.ReadSettings(ctx, settingsFile, r.Environment)
	if err != nil {
		return component{}, err
	}
	setting := func(name, fallback string) string {
		if value := settings[name]; value != "" {
			return value
		}
		return fallback
	}
	c := component{archive: settings["dockerImage"]}
	c.Image = settings["dockerImageTag"]
	// The original documents this default but overwrites what is given.
	c.Container = setting("dockerContainerName", "dysnomia-"+r.ComponentName)
	c.Stateless = setting("dockerStatelessDeployment", r.Property("dockerStatelessDeployment", "1")) == "1"
	var problems []error
	stop := setting("dockerStopTimeout", r.Property("dockerStopTimeout", "1"))
	if c.StopTimeout, err = strconv.Atoi(stop); err != nil || c.StopTimeout < -1 {
		problems = append(problems, fmt.Errorf("dockerStopTimeout %q is not a number of seconds", stop))
	}
	if !filepath.IsAbs(c.archive) {
		problems = append(problems, fmt.Errorf("%s: dockerImage %q is not an absolute path", settingsFile, c.archive))
	}
	if c.Image == "" {
		problems = append(problems, fmt.Errorf("%s does not set dockerImageTag", settingsFile))
	}
	if c.parameters, err = readParameters(r.Component); err != nil {
		problems = append(problems, err)
	}
	sum := sha256.Sum256([]byte(c.archive + "\n" + c.Image + "\n" + strings.Join(c.parameters, "\n")))
	c.digest = hex.EncodeToString(sum[:])
	return c, errors.Join(problems...)
}

// only returns the only file of the component with the suffix.
func only(dir, suffix string, needed bool) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var files []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), suffix) {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	switch {
	case len(files) == 1:
		return files[0], nil
	case len(files) > 1:
		return "", fmt.Errorf("there is more than one file *%s: %s", suffix, strings.Join(files, ", "))
	case needed:
		return "", fmt.Errorf("there is no file *%s in it", suffix)
	}
	return "", nil
}

// readParameters reads arguments for docker create, one to a line.
func readParameters(dir string) ([]string, error) {
	file, err := only(dir, "-docker-createparams", false)
	if err != nil || file == "" {
		return nil, err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var parameters []string
	for _, line := range strings.Split(string(content), "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			parameters = append(parameters, line)
		}
	}
	return parameters, nil
}
