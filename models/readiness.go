package models

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Readiness says how to find out, on its target, that a service that was
// activated can do its work. Everything that is set must succeed. It is ours:
// the original ignores it, and it is not part of service keys.
type Readiness struct {
	// TCP is a port, or host:port, that accepts connections.
	TCP string `json:"tcp,omitempty"`
	// HTTP is a URL, or a port and path, whose answer has a status of 200 to
	// 399.
	HTTP string `json:"http,omitempty"`
	// Exec is a program and its arguments, which succeeds.
	Exec []string `json:"exec,omitempty"`
	// Timeout is the number of seconds that it may take; 0 stands for the
	// default of the target.
	Timeout int `json:"timeout,omitempty"`
}

// ReadinessArgument is the name of the container property by which a target is
// told what to wait for. It is not a property of any container.
const ReadinessArgument = "dysnomiaReadiness"

// maxTimeout is a day: what takes longer is never awaited.
const maxTimeout = 24 * 60 * 60

// Argument returns the argument of an activation, as key=value. The value is
// JSON in base64 for URLs (RFC 4648, section 5) without padding: so it also
// survives clients that give it to a shell without quotes, as the original's do
// (observed 13).
func (r *Readiness) Argument() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers always have a notation
	}
	return ReadinessArgument + "=" + base64.RawURLEncoding.EncodeToString(text)
}

// NewReadiness reads what a model says. All its mistakes are reported, each
// with the name of the attribute.
func NewReadiness(p Properties) (*Readiness, []error) {
	r := new(Readiness)
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for _, name := range sorted(p) {
		v := p[name]
		switch {
		case (name == "tcp" || name == "http") && (v.Type == String || v.Type == Int):
			if name == "tcp" {
				r.TCP = v.Text
			} else {
				r.HTTP = v.Text
			}
			if v.Text == "" {
				wrong("%s is empty", name)
			}
		case name == "tcp" || name == "http":
			wrong("%s must be a string or a port, not a value of type %s", name, v.Type)
		case name == "exec" && v.Type == List && !slices.ContainsFunc(v.List, func(e Value) bool { return e.Type != String }):
			r.Exec = make([]string, 0, len(v.List))
			for _, element := range v.List {
				r.Exec = append(r.Exec, element.Text)
			}
			if len(v.List) == 0 {
				wrong("exec is empty")
			}
		case name == "exec":
			wrong("exec must be a list of strings: a program and its arguments")
		case name == "timeout" && v.Type == Int:
			var err error
			if r.Timeout, err = strconv.Atoi(v.Text); err != nil || r.Timeout == 0 {
				wrong("timeout must be from 1 to %d seconds, not %s", maxTimeout, v.Text)
			}
		case name == "timeout":
			wrong("timeout must be a number of seconds, an integer, not a value of type %s", v.Type)
		default:
			wrong("there is no attribute %s: use tcp, http, exec and timeout", name)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return r, r.problems()
}

// Properties returns it in the notation of models, as [NewReadiness] reads it.
func (r *Readiness) Properties() Properties {
	p := make(Properties)
	if r.TCP != "" {
		p["tcp"] = Value{Type: String, Text: r.TCP}
	}
	if r.HTTP != "" {
		p["http"] = Value{Type: String, Text: r.HTTP}
	}
	if len(r.Exec) > 0 {
		command := Value{Type: List}
		for _, word := range r.Exec {
			command.List = append(command.List, Value{Type: String, Text: word})
		}
		p["exec"] = command
	}
	if r.Timeout != 0 {
		p["timeout"] = Value{Type: Int, Text: strconv.Itoa(r.Timeout)}
	}
	return p
}

// problems returns what is wrong with it.
func (r *Readiness) problems() []error {
	var problems []error
	if r.TCP == "" && r.HTTP == "" && len(r.Exec) == 0 {
		problems = append(problems, errors.New("it says nothing to wait for: use tcp, http or exec"))
	}
	if r.TCP != "" {
		problems = appendIf(problems, checkAddress(r.TCP))
	}
	if r.HTTP != "" {
		problems = appendIf(problems, checkHTTP(r.HTTP))
	}
	if len(r.Exec) > 0 && r.Exec[0] == "" {
		problems = append(problems, errors.New("exec names no program"))
	}
	if slices.ContainsFunc(r.Exec, func(word string) bool { return strings.ContainsRune(word, 0) }) {
		problems = append(problems, errors.New("exec has an argument with a NUL character"))
	}
	if r.Timeout < 0 || r.Timeout > maxTimeout {
		problems = append(problems, fmt.Errorf("timeout must be from 1 to %d seconds, not %d", maxTimeout, r.Timeout))
	}
	return problems
}

func appendIf(problems []error, err error) []error {
	if err == nil {
		return problems
	}
	return append(problems, err)
}

// checkAddress refuses what is neither a port nor host:port.
func checkAddress(address string) error {
	port := address
	if strings.Contains(address, ":") {
		var err error
		if _, port, err = net.SplitHostPort(address); err != nil {
			return fmt.Errorf("tcp must be a port or host:port, not %q", address)
		}
	}
	if !isPort(port) {
		return fmt.Errorf("tcp has %q as its port, which must be a number from 1 to 65535", port)
	}
	return nil
}

// checkHTTP refuses what is neither a URL nor a port with or without a path.
func checkHTTP(text string) error {
	if !strings.Contains(text, "://") {
		port, _, _ := strings.Cut(text, "/")
		if !isPort(port) {
			return fmt.Errorf("http must be a URL (http://…) or a port and path (8080/path), not %q", text)
		}
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("http has %q, which is not a URL of a web server", text)
	}
	if port := u.Port(); port != "" && !isPort(port) {
		return fmt.Errorf("http has %q as its port, which must be a number from 1 to 65535", port)
	}
	return nil
}

func isPort(text string) bool {
	number, err := strconv.ParseUint(text, 10, 16)
	return err == nil && number > 0
}

// equal also compares those that are not set.
func (r *Readiness) equal(other *Readiness) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.TCP == other.TCP && r.HTTP == other.HTTP && r.Timeout == other.Timeout && slices.Equal(r.Exec, other.Exec)
}
