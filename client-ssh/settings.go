package sshclient

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kevinburke/ssh_config"
)

// systemConfigFile is read after the user's.
const systemConfigFile = "/etc/ssh/ssh_config"

// settings say how a host is reached.
type settings struct {
	alias, host, port, user string
	network                 string // tcp, tcp4 or tcp6
	jump                    []endpoint
	identities              []string
	identitiesGiven         bool // not the standard ones
	identitiesOnly          bool
	agent                   string // socket; empty for none
	knownHosts              []string
	userKnownHosts          string // where new keys are added
	hostKeyAlias            string
	strict                  string // yes, accept-new or no
	timeout                 time.Duration
}

// configuration is where settings come from: first the options, then files.
type configuration struct {
	options options
	files   []*ssh_config.Config
	home    string
}

// readConfiguration reads the variable SSH_OPTS and the user's and system's
// ssh configuration.
func readConfiguration() (*configuration, error) {
	o, err := parseOptions(os.Getenv("SSH_OPTS"))
	if err != nil {
		return nil, err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	c := &configuration{options: o, home: home}
	if o.configFile == "none" {
		return c, nil
	}
	files := []string{filepath.Join(home, ".ssh/config"), systemConfigFile}
	if o.configFile != "" {
		files = []string{c.expand(o.configFile)}
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) && o.configFile == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read ssh configuration: %w", err)
		}
		parsed, err := ssh_config.DecodeBytes(content)
		if err != nil {
			return nil, fmt.Errorf("read ssh configuration %s: %w; name another one with -F in SSH_OPTS", file, err)
		}
		c.files = append(c.files, parsed)
	}
	return c, nil
}

// all returns the values of a keyword for a host. For a hop on the way to a
// target the options do not count.
func (c *configuration) all(alias, keyword string, hop bool) ([]string, error) {
	var values []string
	if !hop {
		values = append(values, c.options.values[keyword]...)
	}
	for _, file := range c.files {
		found, err := file.GetAll(alias, keyword)
		if err != nil {
			return nil, fmt.Errorf("read ssh configuration: %w", err)
		}
		for _, value := range found {
			values = append(values, strings.Trim(value, `"`))
		}
	}
	return values, nil
}

// resolve returns how an endpoint is reached.
func (c *configuration) resolve(e endpoint, hop bool) (*settings, error) {
	var failure error
	all := func(keyword string) []string {
		values, err := c.all(e.host, keyword, hop)
		failure = errors.Join(failure, err)
		return values
	}
	first := func(keyword, standard string) string {
		if values := all(keyword); len(values) > 0 {
			return values[0]
		}
		return standard
	}
	s := &settings{alias: e.host, user: e.user, port: e.port}
	s.host = strings.ReplaceAll(first("hostname", e.host), "%h", e.host)
	if s.port == "" {
		s.port = first("port", "22")
	}
	if s.user == "" {
		s.user = first("user", currentUser())
	}
	s.hostKeyAlias = first("hostkeyalias", "")
	s.identities = all("identityfile")
	s.identitiesGiven = len(s.identities) > 0
	if !s.identitiesGiven {
		s.identities = []string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"}
	}
	for i, file := range s.identities {
		s.identities[i] = c.tokens(file, s)
	}
	s.identitiesOnly = first("identitiesonly", "no") == "yes"
	s.agent = c.agent(first("identityagent", "SSH_AUTH_SOCK"), s)
	if err := c.knownHosts(s, first); err != nil {
		return nil, err
	}
	if proxy := first("proxycommand", "none"); proxy != "none" {
		return nil, fmt.Errorf("host %s has the ProxyCommand %q in the ssh configuration, which is not supported: use ProxyJump", e.host, proxy)
	}
	for hop := range strings.SplitSeq(first("proxyjump", "none"), ",") {
		if hop == "none" {
			continue
		}
		jump, err := parseEndpoint(strings.TrimPrefix(hop, "ssh://"))
		if err != nil {
			return nil, fmt.Errorf("ProxyJump of host %s: %w", e.host, err)
		}
		s.jump = append(s.jump, jump)
	}
	return s, errors.Join(failure, s.connection(first))
}

// connection reads the settings of the network connection.
func (s *settings) connection(first func(keyword, standard string) string) error {
	networks := map[string]string{"any": "tcp", "inet": "tcp4", "inet6": "tcp6"}
	if s.network = networks[strings.ToLower(first("addressfamily", "any"))]; s.network == "" {
		return fmt.Errorf("AddressFamily of host %s: unknown value %q", s.alias, first("addressfamily", ""))
	}
	s.timeout = connectTimeout
	if text := first("connecttimeout", "none"); text != "none" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds <= 0 {
			return fmt.Errorf("ConnectTimeout of host %s: %q is not a number of seconds", s.alias, text)
		}
		s.timeout = time.Duration(seconds) * time.Second
	}
	return checkPort(s.port)
}

// knownHosts reads the settings about the keys of hosts.
func (c *configuration) knownHosts(s *settings, first func(keyword, standard string) string) error {
	users := strings.Fields(first("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2"))
	for i, file := range users {
		users[i] = c.tokens(file, s)
	}
	if len(users) > 0 {
		s.userKnownHosts = users[0]
	}
	s.knownHosts = users
	for _, file := range strings.Fields(first("globalknownhostsfile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2")) {
		s.knownHosts = append(s.knownHosts, c.tokens(file, s))
	}
	switch value := strings.ToLower(first("stricthostkeychecking", "yes")); value {
	case "yes", "true", "ask": // nobody can be asked
		s.strict = "yes"
	case "no", "false", "off":
		s.strict = "no"
	case "accept-new":
		s.strict = value
	default:
		return fmt.Errorf("StrictHostKeyChecking of host %s: unknown value %q", s.alias, value)
	}
	return nil
}

// agent returns the socket that an IdentityAgent means.
func (c *configuration) agent(value string, s *settings) string {
	switch {
	case value == "none":
		return ""
	case value == "SSH_AUTH_SOCK":
		return os.Getenv("SSH_AUTH_SOCK")
	case strings.HasPrefix(value, "$"):
		return os.Getenv(strings.Trim(value[1:], "{}"))
	default:
		return c.tokens(value, s)
	}
}

// expand replaces the home directory.
func (c *configuration) expand(path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		return c.home + path[1:]
	}
	return path
}

// tokens replaces what stands for a property of the connection in a path.
func (c *configuration) tokens(path string, s *settings) string {
	return strings.NewReplacer("%%", "%", "%d", c.home, "%h", s.host, "%n", s.alias, "%p", s.port, "%r", s.user, "%u", currentUser()).
		Replace(c.expand(path))
}

func currentUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}
