package supervisordprogram

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
)

// endpoint is where supervisord listens.
type endpoint struct {
	network, address   string // as for [net.Dial]
	username, password string
}

func (e endpoint) String() string { return e.network + ":" + e.address }

// usualConfs are where supervisord looks for its configuration, except for
// those that depend on the working directory of the caller.
var usualConfs = []string{"/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"}

// findEndpoint determines where supervisord listens: by the properties of the
// container, or by the configuration of supervisord. It returns nil if neither
// tells.
func findEndpoint(r *dysnomia.Request) (*endpoint, error) {
	found := &endpoint{}
	if server := r.Properties["supervisordServerUrl"]; server != "" {
		e, err := parseServerURL(server)
		if err != nil {
			return nil, fmt.Errorf("read property supervisordServerUrl of container %q: %w", r.Container, err)
		}
		found = &e
	} else {
		conf, err := findConf(r)
		if err != nil || conf == "" {
			return nil, err
		}
		if found, err = endpointOf(conf, r.Environment); err != nil || found == nil {
			return nil, err
		}
	}
	found.username = r.Property("supervisordUsername", found.username)
	found.password = r.Property("supervisordPassword", found.password)
	return found, nil
}

// findConf returns the configuration file, or nothing if there is none.
func findConf(r *dysnomia.Request) (string, error) {
	if r.Properties["supervisordConfigFile"] != "" {
		return r.Directory("supervisordConfigFile", "")
	}
	for _, conf := range usualConfs {
		if _, err := os.Stat(conf); !errors.Is(err, fs.ErrNotExist) {
			return conf, err
		}
	}
	return "", nil
}

// parseServerURL reads unix:///path/of/socket or http://host:port. The message
// does not repeat the URL, which may have a password in it.
func parseServerURL(text string) (endpoint, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return endpoint{}, errors.New("it is not a URL")
	case u.Scheme == "unix" && filepath.IsAbs(u.Path):
		return endpoint{network: "unix", address: u.Path}, nil
	case u.Scheme == "http" && u.Host != "":
		e := endpoint{network: "tcp", address: u.Host, username: u.User.Username()}
		e.password, _ = u.User.Password()
		if u.Port() == "" {
			e.address += ":80"
		}
		return e, nil
	}
	return endpoint{}, errors.New("it must be unix:///path/of/socket or http://host:port")
}

// endpointOf reads it from a configuration file: from the section for
// supervisorctl, or from those of the servers. It is nil if there is no server.
func endpointOf(conf string, environment []string) (*endpoint, error) {
	sections, err := readConf(conf)
	if err != nil {
		return nil, err
	}
	get := func(s section, key string) string { return expand(s.keys[key], conf, environment) }
	if ctl, ok := find(sections, "supervisorctl"); ok && ctl.keys["serverurl"] != "" {
		e, err := parseServerURL(get(ctl, "serverurl"))
		if err != nil {
			return nil, fmt.Errorf("read serverurl in the section supervisorctl of %s: %w", conf, err)
		}
		if name := get(ctl, "username"); name != "" {
			e.username, e.password = name, get(ctl, "password")
		}
		return &e, nil
	}
	if server, ok := find(sections, "unix_http_server"); ok && server.keys["file"] != "" {
		return withCredentials(endpoint{network: "unix", address: get(server, "file")}, server, get), nil
	}
	if server, ok := find(sections, "inet_http_server"); ok && server.keys["port"] != "" {
		address := get(server, "port")
		if !strings.Contains(address, ":") {
			address = ":" + address
		}
		if host, port, _ := strings.Cut(address, ":"); host == "" || host == "*" {
			address = "127.0.0.1:" + port
		}
		return withCredentials(endpoint{network: "tcp", address: address}, server, get), nil
	}
	return nil, nil
}

func withCredentials(e endpoint, server section, get func(section, string) string) *endpoint {
	e.username, e.password = get(server, "username"), get(server, "password")
	return &e
}
