package sshclient

import (
	"fmt"
	"slices"
	"strings"
)

// options are what SSH_OPTS says: settings by lower-case keyword, the first of
// each counts, and the configuration file to use.
type options struct {
	values     map[string][]string
	configFile string
}

// flagKeywords are the options of ssh that stand for a keyword of its
// configuration.
var flagKeywords = map[byte]string{
	'i': "identityfile", 'p': "port", 'J': "proxyjump", 'l': "user",
}

// harmlessFlags only switch off what this client does not do.
const harmlessFlags = "aknqTx"

// honoured are the keywords that have their effect.
var honoured = []string{
	"addressfamily", "certificatefile", "connecttimeout", "globalknownhostsfile", "hostkeyalias", "hostname", "identitiesonly",
	"identityagent", "identityfile", "port", "proxycommand", "proxyjump", "stricthostkeychecking", "user", "userknownhostsfile",
}

// harmless are keywords that ask, with any of the values, for what this client
// does anyway.
var harmless = map[string][]string{
	"batchmode":                       nil, // nothing is ever asked
	"checkhostip":                     nil,
	"clearallforwardings":             nil,
	"controlmaster":                   nil, // there is one connection
	"controlpath":                     nil,
	"controlpersist":                  nil,
	"forwardagent":                    {"no"},
	"forwardx11":                      {"no"},
	"hashknownhosts":                  {"no"},
	"kbdinteractiveauthentication":    {"no"},
	"challengeresponseauthentication": {"no"},
	"gssapiauthentication":            {"no"},
	"loglevel":                        nil,
	"passwordauthentication":          {"no"},
	"permitlocalcommand":              {"no"},
	"preferredauthentications":        {"publickey"},
	"pubkeyauthentication":            {"yes"},
	"requesttty":                      {"no", "auto"},
	"serveralivecountmax":             nil, // dead targets are noticed
	"serveraliveinterval":             nil,
	"tcpkeepalive":                    nil,
	"updatehostkeys":                  {"no"},
}

// parseOptions reads the value of SSH_OPTS: words for ssh, separated by white
// space. What has no effect here is an error, not ignored.
func parseOptions(text string) (options, error) {
	o := options{values: make(map[string][]string)}
	words := strings.Fields(text)
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		if len(word) < 2 || word[0] != '-' {
			return o, fmt.Errorf("SSH_OPTS: unexpected word %q: only options of ssh are possible", word)
		}
		for i := 1; i < len(word); i++ {
			flag := word[i]
			if !strings.ContainsRune("ipJloF", rune(flag)) {
				if err := o.flag(flag); err != nil {
					return o, err
				}
				continue
			}
			value := word[i+1:]
			if value == "" {
				if len(words) == 0 {
					return o, fmt.Errorf("SSH_OPTS: option -%c needs a value", flag)
				}
				value, words = words[0], words[1:]
			}
			if err := o.valued(flag, value); err != nil {
				return o, err
			}
			break
		}
	}
	return o, checkPort(o.first("port"))
}

// flag takes an option without a value.
func (o *options) flag(flag byte) error {
	switch {
	case flag == '4':
		o.add("addressfamily", "inet")
	case flag == '6':
		o.add("addressfamily", "inet6")
	case !strings.ContainsRune(harmlessFlags, rune(flag)):
		return fmt.Errorf("SSH_OPTS: option -%c is not supported: remove it, or put what it does into the ssh configuration of the target's host", flag)
	}
	return nil
}

// valued takes an option with a value.
func (o *options) valued(flag byte, value string) error {
	switch flag {
	case 'F':
		o.configFile = value
		return nil
	case 'o':
		return o.keyword(value)
	default:
		o.add(flagKeywords[flag], value)
		return nil
	}
}

// keyword takes Keyword=value.
func (o *options) keyword(text string) error {
	keyword, value, ok := strings.Cut(text, "=")
	if !ok || value == "" {
		return fmt.Errorf("SSH_OPTS: -o %s: write it as -o Keyword=value", text)
	}
	keyword = strings.ToLower(keyword)
	if slices.Contains(honoured, keyword) {
		o.add(keyword, value)
		return nil
	}
	allowed, ok := harmless[keyword]
	if ok && (allowed == nil || slices.Contains(allowed, strings.ToLower(value))) {
		return nil
	}
	return fmt.Errorf("SSH_OPTS: -o %s is not supported: remove it", text)
}

func (o *options) add(keyword, value string) {
	o.values[keyword] = append(o.values[keyword], value)
}

func (o options) first(keyword string) string {
	if values := o.values[keyword]; len(values) > 0 {
		return values[0]
	}
	return ""
}
