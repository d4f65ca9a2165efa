// Package nixosconfiguration is the plugin for whole configurations of NixOS
// (modules page, section 26): the machine that it runs on becomes what the
// component describes, and so do the components that the configuration has for
// the plugin host of the machine.
package nixosconfiguration

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
)

// Plugin switches to NixOS configurations. A component is one: a store path
// with bin/switch-to-configuration. The container properties are:
//
//	disableNixOSSystemProfile  if set, the system profile is left alone: the
//	                           configuration is gone after the next boot
//	testNixOS                  if set, the boot loader is left alone, too
//	noHardlink                 if set, snapshots are copied instead of linked
//	DYSNOMIA_NIXOS_STATEDIR    state directory for the components in the
//	                           configuration (default
//	                           /var/state/dysnomia-nixos)
//	systemProfile              the system profile (default
//	                           /nix/var/nix/profiles/system)
//	detach                     1: run the switch as a transient unit of systemd,
//	                           which goes on if it restarts the service that
//	                           waits for it; 0: do not (default: if systemd
//	                           runs)
//
// Where the components of the configuration and their containers are is said
// by DYSNOMIA_COMPONENTS_PATH and so on, as usual; container properties of
// these names count, too.
type Plugin struct {
	// Plugins are for the components in configurations, by type.
	Plugins map[string]dysnomia.Plugin
}

var (
	_ dysnomia.Snapshotter      = Plugin{}
	_ dysnomia.GarbageCollector = Plugin{}
)

// Activate makes the configuration that of the machine and then deploys the
// components in it. If the switch fails, the one before is switched to again.
func (p Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	m, err := p.machine(r)
	if err != nil {
		return err
	}
	if err := m.activate(ctx); err != nil {
		return err
	}
	if err := m.inner.Deploy(ctx, m.batch()); err != nil {
		return fmt.Errorf("deploy the components of the configuration: %w", err)
	}
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

// Deactivate goes back to the configuration before, if this one is that of the
// machine, and deploys the components in that.
func (p Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	m, err := p.machine(r)
	if err != nil {
		return err
	}
	back, err := m.deactivate(ctx)
	if err != nil {
		return err
	}
	if back {
		if err := m.inner.Deploy(ctx, m.batch()); err != nil {
			return fmt.Errorf("deploy the components of the configuration before: %w", err)
		}
	}
	return r.State.UnmarkActive(r.Container, r.ComponentName)
}

// CollectGarbage collects the garbage of components in configurations.
func (p Plugin) CollectGarbage(ctx context.Context, r *dysnomia.Request) error {
	m, err := p.machine(r)
	if err != nil {
		return err
	}
	return m.inner.CollectGarbage(ctx, m.batch())
}

// machine is this machine, for one request.
type machine struct {
	r         *dysnomia.Request
	inner     *dysnomia.Host // for the components in the configuration
	profile   string
	action    string
	noProfile bool
	detach    bool
}

func (p Plugin) machine(r *dysnomia.Request) (*machine, error) {
	m := &machine{r: r, action: "switch", noProfile: r.Properties["disableNixOSSystemProfile"] != ""}
	if r.Properties["testNixOS"] != "" {
		m.action = "test"
	}
	var err error
	if m.profile, err = r.Directory("systemProfile", "/nix/var/nix/profiles/system"); err != nil {
		return nil, err
	}
	state, err := r.Directory("DYSNOMIA_NIXOS_STATEDIR", "/var/state/dysnomia-nixos")
	if err != nil {
		return nil, err
	}
	switch detach := r.Properties["detach"]; detach {
	case "":
		_, err := os.Stat("/run/systemd/system")
		m.detach = err == nil
	case "0", "1":
		m.detach = detach == "1"
	default:
		return nil, fmt.Errorf("read property detach of container %q: %q is neither 0 nor 1", r.Container, detach)
	}
	environment := append(append([]string{}, r.Environment...), "DYSNOMIA_STATEDIR="+state)
	m.inner, err = dysnomia.NewHost(environment, p.Plugins)
	return m, err
}

func (m *machine) batch() dysnomia.Batch {
	return dysnomia.Batch{Stdout: m.r.Stdout, Stderr: m.r.Stderr}
}

// activate makes the configuration that of the machine.
func (m *machine) activate(ctx context.Context) error {
	if err := checkConfiguration(m.r.Component); err != nil {
		return err
	}
	if m.noProfile {
		return m.switchTo(ctx, m.r.Component)
	}
	before, err := m.current()
	if err != nil {
		return err
	}
	if before != m.r.Component {
		if err := m.nixEnv(ctx, "--set", m.r.Component); err != nil {
			return err
		}
	}
	err = m.switchTo(ctx, m.profile)
	if err == nil || before == "" || before == m.r.Component {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if undo := errors.Join(m.nixEnv(ctx, "--rollback"), m.switchTo(ctx, m.profile)); undo != nil {
		return errors.Join(err, fmt.Errorf("go back to the configuration before: %w", undo))
	}
	return err
}

// deactivate goes back to the configuration before. It reports false if there
// is nothing to go back from.
func (m *machine) deactivate(ctx context.Context) (bool, error) {
	if m.noProfile {
		return false, nil
	}
	current, err := m.current()
	if err != nil {
		return false, err
	}
	if current != m.r.Component {
		fmt.Fprintf(m.r.Stderr, "The configuration of this machine is another one already: %s\n", current)
		return false, nil
	}
	if err := m.nixEnv(ctx, "--rollback"); err != nil {
		return false, err
	}
	return true, m.switchTo(ctx, m.profile)
}

// current returns the configuration that the system profile has, or nothing.
func (m *machine) current() (string, error) {
	path, err := filepath.EvalSymlinks(m.profile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the system profile: %w", err)
	}
	return path, nil
}

func (m *machine) nixEnv(ctx context.Context, args ...string) error {
	if _, err := tool.Run(ctx, m.r, "nix-env", append([]string{"-p", m.profile}, args...)...); err != nil {
		return fmt.Errorf("change the system profile %s: %w", m.profile, err)
	}
	return nil
}

func checkConfiguration(path string) error {
	if _, err := os.Stat(filepath.Join(path, switchProgram)); err != nil {
		return fmt.Errorf("the component %s is not a configuration of NixOS: %w", path, err)
	}
	return nil
}

const switchProgram = "bin/switch-to-configuration"

// switchTo runs the switch of a configuration. What it prints goes to the
// caller.
func (m *machine) switchTo(ctx context.Context, configuration string) error {
	words := []string{filepath.Join(configuration, switchProgram), m.action}
	if m.detach {
		program, err := dysnomia.FindProgram(m.r.Environment, "systemd-run")
		if err != nil {
			return err
		}
		words = append([]string{
			program, "--collect", "--no-ask-password", "--pipe", "--quiet", "--same-dir", "--service-type=exec", "--wait",
			"--unit=disnix-switch-to-configuration", "--",
		}, words...)
	}
	if _, err := m.r.RunProgram(ctx, dysnomia.Activate, words[0], words[1:]...); err != nil {
		return fmt.Errorf("switch to configuration %s: %w", configuration, err)
	}
	return nil
}
