// Package iis is the plugin for web applications in Microsoft's Internet
// Information Services, under Cygwin (modules page, section 15).
package iis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
)

// Plugin deploys packages of Web Deploy to the site "Default Web Site". The
// container properties are:
//
//	iisWwwRoot  the directory of the site; it must be given
//	msdeploy    the program that undeploys (default: as PATH says)
//
// A component has exactly one Package/*.deploy.cmd, which is run, and files in
// Package/PackageTmp/, which are copied to the directory of the application;
// it has the name of the component. Web.config is not copied: the script makes
// it, with the settings of the machine.
type Plugin struct{}

// Activate deploys the application. If it fails, it is undeployed again, unless
// it was deployed before.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	root, err := wwwRoot(r)
	if err != nil {
		return err
	}
	script, err := deployScript(r.Component)
	if err != nil {
		return err
	}
	before, err := r.State.IsActive(r.Container, r.ComponentName)
	if err != nil {
		return err
	}
	_, err = tool.Run(ctx, r, script, "/Y")
	if err == nil {
		err = copyFiles(ctx, filepath.Join(r.Component, "Package/PackageTmp"), filepath.Join(root, r.ComponentName))
	}
	if err == nil {
		return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
	}
	err = fmt.Errorf("deploy %s to IIS: %w", r.ComponentName, err)
	if !before {
		if undo := undeploy(context.WithoutCancel(ctx), r); undo != nil {
			err = errors.Join(err, fmt.Errorf("undo the deployment: %w", undo))
		}
	}
	return err
}

// Deactivate undeploys the application, if it is active.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	active, err := r.State.IsActive(r.Container, r.ComponentName)
	if err != nil || !active {
		return err
	}
	if err := undeploy(ctx, r); err != nil {
		return err
	}
	return r.State.UnmarkActive(r.Container, r.ComponentName)
}

func undeploy(ctx context.Context, r *dysnomia.Request) error {
	_, err := tool.Run(ctx, r, r.Property("msdeploy", "msdeploy"), "-verb:delete", "-dest:iisApp=Default Web Site/"+r.ComponentName)
	if err != nil {
		return fmt.Errorf("undeploy %s from IIS: %w", r.ComponentName, err)
	}
	return nil
}

func wwwRoot(r *dysnomia.Request) (string, error) {
	if r.Properties["iisWwwRoot"] == "" {
		return "", fmt.Errorf("read the properties of container %q: iisWwwRoot is not set: it is the directory of the web site", r.Container)
	}
	return r.Directory("iisWwwRoot", "")
}

// deployScript returns the only script of a package.
func deployScript(component string) (string, error) {
	dir := filepath.Join(component, "Package")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("find the deployment script of component %s: %w", component, err)
	}
	var scripts []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".deploy.cmd") {
			scripts = append(scripts, filepath.Join(dir, entry.Name()))
		}
	}
	if len(scripts) != 1 {
		return "", fmt.Errorf("find the deployment script of component %s: there are %d files *.deploy.cmd in %s, but there must be one", component, len(scripts), dir)
	}
	return scripts[0], nil
}

// copyFiles copies a directory, if there is one, over another.
func copyFiles(ctx context.Context, from, to string) error {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil || entry.Name() == "Web.config" {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		return copyFile(path, target)
	})
}

// copyFile replaces a file at once.
func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	file, err := os.CreateTemp(filepath.Dir(to), ".dysnomia-*.part")
	if err != nil {
		return err
	}
	if _, err = io.Copy(file, source); err == nil {
		err = errors.Join(file.Chmod(0o644), file.Sync())
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
