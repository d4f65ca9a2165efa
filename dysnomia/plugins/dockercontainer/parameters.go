package dockercontainer

import (
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/docker/go-connections/nat"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// parser collects what parameters say.
type parser struct {
	config      container.Config
	host        container.HostConfig
	environment map[string]string
	ports       []string
}

func newParser(environment []string) *parser {
	p := &parser{environment: map[string]string{}}
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		p.environment[name] = value
	}
	return p
}

// option is an option of docker create: a flag, or one with a value. The
// latter reports false for a value that only the program understands.
type option struct {
	name  string
	flag  func(*parser)
	value func(p *parser, value string) (bool, error)
}

// text makes an option that sets a value as it is.
func text(set func(*parser, string)) func(*parser, string) (bool, error) {
	return func(p *parser, value string) (bool, error) { set(p, value); return true, nil }
}

// optionTable are the options that are translated; the first name is that of
// messages. (docker create --help.)
var optionTable = []struct {
	names []string
	option
}{
	{[]string{"--add-host"}, option{value: text(func(p *parser, v string) { p.host.ExtraHosts = append(p.host.ExtraHosts, v) })}},
	{[]string{"--cap-add"}, option{value: text(func(p *parser, v string) { p.host.CapAdd = append(p.host.CapAdd, v) })}},
	{[]string{"--cap-drop"}, option{value: text(func(p *parser, v string) { p.host.CapDrop = append(p.host.CapDrop, v) })}},
	{[]string{"--dns"}, option{value: dns}},
	{[]string{"--entrypoint"}, option{value: text(func(p *parser, v string) { p.config.Entrypoint = []string{v} })}},
	{[]string{"--env", "-e"}, option{value: env}},
	{[]string{"--group-add"}, option{value: text(func(p *parser, v string) { p.host.GroupAdd = append(p.host.GroupAdd, v) })}},
	{[]string{"--hostname", "-h"}, option{value: text(func(p *parser, v string) { p.config.Hostname = v })}},
	{[]string{"--init"}, option{flag: func(p *parser) { yes := true; p.host.Init = &yes }}},
	{[]string{"--interactive", "-i"}, option{flag: func(p *parser) { p.config.OpenStdin = true }}},
	{[]string{"--label", "-l"}, option{value: label}},
	{[]string{"--network", "--net"}, option{value: networkMode}},
	{[]string{"--privileged"}, option{flag: func(p *parser) { p.host.Privileged = true }}},
	{[]string{"--publish", "-p"}, option{value: text(func(p *parser, v string) { p.ports = append(p.ports, v) })}},
	{[]string{"--read-only"}, option{flag: func(p *parser) { p.host.ReadonlyRootfs = true }}},
	{[]string{"--restart"}, option{value: restart}},
	{[]string{"--stop-signal"}, option{value: text(func(p *parser, v string) { p.config.StopSignal = v })}},
	{[]string{"--tmpfs"}, option{value: tmpfs}},
	{[]string{"--tty", "-t"}, option{flag: func(p *parser) { p.config.Tty = true }}},
	{[]string{"--user", "-u"}, option{value: text(func(p *parser, v string) { p.config.User = v })}},
	{[]string{"--volume", "-v"}, option{value: volume}},
	{[]string{"--workdir", "-w"}, option{value: text(func(p *parser, v string) { p.config.WorkingDir = v })}},
}

// long and short are the options of the table by name.
var long, short = optionsByName()

func optionsByName() (long, short map[string]option) {
	long, short = map[string]option{}, map[string]option{}
	for _, entry := range optionTable {
		entry.name = entry.names[0]
		for _, name := range entry.names {
			if strings.HasPrefix(name, "--") {
				long[name] = entry.option
			} else {
				short[name] = entry.option
			}
		}
	}
	return long, short
}

// env sets a variable; one without a value has that of the environment, or is
// unset.
func env(p *parser, value string) (bool, error) {
	name, _, hasValue := strings.Cut(value, "=")
	if name == "" {
		return false, fmt.Errorf("it is not of the form NAME=VALUE")
	}
	if !hasValue {
		if inherited, ok := p.environment[name]; ok {
			value = name + "=" + inherited
		} // else the engine unsets it
	}
	p.config.Env = append(p.config.Env, value)
	return true, nil
}

func label(p *parser, value string) (bool, error) {
	name, text, _ := strings.Cut(value, "=")
	if p.config.Labels == nil {
		p.config.Labels = map[string]string{}
	}
	p.config.Labels[name] = text
	return true, nil
}

// networkMode sets the network. Several networks, or one with settings, are
// left to the program.
func networkMode(p *parser, value string) (bool, error) {
	if p.host.NetworkMode != "" || strings.ContainsAny(value, "=,") {
		return false, nil
	}
	p.host.NetworkMode = container.NetworkMode(value)
	return true, nil
}

func restart(p *parser, value string) (bool, error) {
	name, count, hasCount := strings.Cut(value, ":")
	policy := container.RestartPolicy{Name: container.RestartPolicyMode(name)}
	if hasCount {
		number, err := strconv.Atoi(count)
		if err != nil || number < 0 {
			return false, fmt.Errorf("%q is not a number", count)
		}
		policy.MaximumRetryCount = number
	}
	p.host.RestartPolicy = policy
	return true, nil
}

func tmpfs(p *parser, value string) (bool, error) {
	dir, options, _ := strings.Cut(value, ":")
	if p.host.Tmpfs == nil {
		p.host.Tmpfs = map[string]string{}
	}
	p.host.Tmpfs[dir] = options
	return true, nil
}

func dns(p *parser, value string) (bool, error) {
	address, err := netip.ParseAddr(value)
	if err != nil {
		return false, err
	}
	p.host.DNS = append(p.host.DNS, address)
	return true, nil
}

// volume binds a directory or a named volume. Paths that only the program can
// resolve are left to it.
func volume(p *parser, value string) (bool, error) {
	source, rest, bound := strings.Cut(value, ":")
	if !bound {
		if !path.IsAbs(source) {
			return false, nil
		}
		if p.config.Volumes == nil {
			p.config.Volumes = map[string]struct{}{}
		}
		p.config.Volumes[source] = struct{}{}
		return true, nil
	}
	if strings.HasPrefix(source, ".") || strings.HasPrefix(source, "~") || !path.IsAbs(rest) {
		return false, nil
	}
	p.host.Binds = append(p.host.Binds, value)
	return true, nil
}

// options returns the request, without image and name.
func (p *parser) options() *client.ContainerCreateOptions {
	if p.host.NetworkMode == "" {
		p.host.NetworkMode = "default"
	}
	return &client.ContainerCreateOptions{Config: &p.config, HostConfig: &p.host, NetworkingConfig: &network.NetworkingConfig{}}
}

// publish translates the published ports.
func (p *parser) publish() error {
	exposed, bindings, err := nat.ParsePortSpecs(p.ports)
	if err != nil {
		return err
	}
	for port := range exposed {
		parsed, err := network.ParsePort(string(port))
		if err != nil {
			return err
		}
		if p.config.ExposedPorts == nil {
			p.config.ExposedPorts, p.host.PortBindings = network.PortSet{}, network.PortMap{}
		}
		p.config.ExposedPorts[parsed] = struct{}{}
		for _, binding := range bindings[port] {
			var address netip.Addr
			if binding.HostIP != "" {
				if address, err = netip.ParseAddr(binding.HostIP); err != nil {
					return err
				}
			}
			p.host.PortBindings[parsed] = append(p.host.PortBindings[parsed], network.PortBinding{HostIP: address, HostPort: binding.HostPort})
		}
	}
	return nil
}
