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
	proxyCommand            string // instead of a network connection; may be empty
	identities              []string
	certificates            []string // of the identities, besides those in files next to them
	identitiesGiven         bool     // not the standard ones
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
	// bySSH says that a file has Match blocks: then ssh evaluates all of them,
	// and answers are what it said.
	bySSH   bool
	answers map[endpoint]map[string][]string
}

// readConfiguration reads the variable SSH_OPTS and the user's and system's
// ssh configuration.
func readConfiguration() (*configuration, error) {
	o, err := parseOptions(os.Getenv("SSH_OPTS"))
	if err != nil {
		return nil, err
	}
	c := &configuration{options: o, home: homeDir(), answers: make(map[endpoint]map[string][]string)}
	if o.configFile == "none" {
		return c, nil
	}
	for _, file := range c.fileNames() {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) && o.configFile == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read ssh configuration: %w", err)
		}
		if matchBlock.Match(content) {
			c.bySSH = true
			continue
		}
		parsed, err := ssh_config.DecodeBytes(content)
		if err != nil && strings.Contains(err.Error(), "Match directive") { // in a file that it includes
			c.bySSH = true
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read ssh configuration %s: %w; name another one with -F in SSH_OPTS", file, err)
		}
		c.files = append(c.files, parsed)
	}
	return c, nil
}

// fileNames returns where the configuration is, in the order in which it
// counts.
func (c *configuration) fileNames() []string {
	if c.options.configFile != "" {
		return []string{c.expand(c.options.configFile)}
	}
	return []string{filepath.Join(c.home, ".ssh/config"), systemConfigFile}
}

// all returns the values of a keyword for a host. For a hop on the way to a
// target the options do not count.
func (c *configuration) all(e endpoint, keyword string, hop bool) ([]string, error) {
	var values []string
	if !hop {
		values = append(values, c.options.values[keyword]...)
	}
	if c.bySSH {
		found, err := c.evaluated(e)
		return append(values, found[keyword]...), err
	}
	for _, file := range c.files {
		found, err := file.GetAll(e.host, keyword)
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
		values, err := c.all(e, keyword, hop)
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
	for _, file := range all("certificatefile") {
		s.certificates = append(s.certificates, c.tokens(file, s))
	}
	s.identitiesOnly = first("identitiesonly", "no") == "yes"
	s.agent = c.agent(first("identityagent", "SSH_AUTH_SOCK"), s)
	if err := c.knownHosts(s, first); err != nil {
		return nil, err
	}
	if err := errors.Join(c.detour(s, first, hop), s.refuse(first)); err != nil {
		return nil, err
	}
	return s, errors.Join(failure, s.connection(first))
}

// detour reads the settings of what is between here and the host. As with
// OpenSSH, what an option says counts more than a file.
func (c *configuration) detour(s *settings, first func(keyword, standard string) string, hop bool) error {
	jumps := first("proxyjump", "none")
	if s.proxyCommand = first("proxycommand", "none"); s.proxyCommand == "none" {
		s.proxyCommand = ""
	}
	if s.proxyCommand != "" && jumps != "none" {
		switch {
		case !hop && c.options.first("proxyjump") != "":
			s.proxyCommand = ""
		case !hop && c.options.first("proxycommand") != "":
			jumps = "none"
		default:
			return fmt.Errorf("host %s has both a ProxyCommand and a ProxyJump in the ssh configuration: set one of them to none", s.alias)
		}
	}
	for hop := range strings.SplitSeq(jumps, ",") {
		if hop == "none" {
			continue
		}
		jump, err := parseEndpoint(strings.TrimPrefix(hop, "ssh://"))
		if err != nil {
			return fmt.Errorf("ProxyJump of host %s: %w", s.alias, err)
		}
		s.jump = append(s.jump, jump)
	}
	return nil
}

// unsupported are keywords that change with whom or how a connection is made,
// and that this client does not honour.
var unsupported = []string{
	"bindaddress", "bindinterface", "canonicalizehostname", "knownhostscommand", "pkcs11provider", "proxyusefdpass", "remotecommand", "revokedhostkeys",
}

// refuse returns an error if the configuration asks for what this client does
// not do.
func (s *settings) refuse(first func(keyword, standard string) string) error {
	for _, keyword := range unsupported {
		switch value := first(keyword, "none"); strings.ToLower(value) {
		case "none", "no", "false":
		default:
			return fmt.Errorf("host %s has %s %q in the ssh configuration, which is not supported: remove it, or name another configuration with -F in SSH_OPTS", s.alias, keyword, value)
		}
	}
	return nil
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

// homeDir returns the user's home directory, also for programs that are started
// without HOME, such as services.
func homeDir() string {
	if home := os.Getenv("HOME"); home != "" {
		return home
	}
	if u, err := user.Current(); err == nil && u.HomeDir != "" {
		return u.HomeDir
	}
	return "/"
}

func currentUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}
