package xinetdservice

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// service is a service that xinetd listens for.
type service struct {
	name     string
	protocol string // tcp or udp
	port     int
}

func (s service) String() string {
	return fmt.Sprintf("service %s at %s port %d", s.name, s.protocol, s.port)
}

// services reads the services of files; those that are disabled are not among
// them.
func (d *deployment) services(entries []linkdir.Entry) ([]service, error) {
	var all []service
	for _, entry := range entries {
		if strings.Contains(entry.Name(), ".") || strings.HasSuffix(entry.Name(), "~") {
			return nil, fmt.Errorf("read %s: xinetd ignores files with a dot in their names: rename it", entry.Source)
		}
		content, err := os.ReadFile(entry.Source)
		if err != nil {
			return nil, fmt.Errorf("read the services of component %s: %w", d.r.Component, err)
		}
		services, err := parseServices(string(content))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", entry.Source, err)
		}
		all = append(all, services...)
	}
	return all, nil
}

// parseServices reads what matters of xinetd.conf(5).
func parseServices(content string) ([]service, error) {
	var services []service
	name, attributes := "", map[string]string{}
	for number, line := range strings.Split(content, "\n") {
		line = strings.TrimSpace(line)
		switch key, value, assigned := strings.Cut(line, "="); {
		case line == "" || strings.HasPrefix(line, "#") || line == "{":
		case line == "}":
			s, enabled, err := newService(name, attributes)
			if err != nil {
				return nil, err
			}
			if enabled {
				services = append(services, s)
			}
			name, attributes = "", map[string]string{}
		case assigned:
			attributes[strings.TrimRight(key, " \t+-")] = strings.TrimSpace(value)
		default:
			words := strings.Fields(strings.TrimSuffix(line, "{"))
			if len(words) != 2 || words[0] != "service" {
				return nil, fmt.Errorf("line %d is not that of a service: %q", number+1, line)
			}
			name = words[1]
		}
	}
	if name != "" {
		return nil, fmt.Errorf("service %s has no closing brace", name)
	}
	return services, nil
}

func newService(name string, attributes map[string]string) (s service, enabled bool, err error) {
	if name == "" {
		return s, false, fmt.Errorf("there is a closing brace without a service")
	}
	if attributes["disable"] == "yes" {
		return s, false, nil
	}
	s = service{name: name, protocol: attributes["protocol"]}
	if s.protocol == "" {
		s.protocol = "tcp"
		if attributes["socket_type"] == "dgram" {
			s.protocol = "udp"
		}
	}
	if s.protocol != "tcp" && s.protocol != "udp" {
		return s, false, fmt.Errorf("service %s has protocol %q, which is neither tcp nor udp", name, s.protocol)
	}
	if port := attributes["port"]; port != "" {
		s.port, err = strconv.Atoi(port)
	} else {
		s.port, err = net.LookupPort(s.protocol, name)
	}
	if err != nil || s.port < 1 || s.port > 65535 {
		return s, false, fmt.Errorf("service %s has no valid port: give it a number, or a name that is in /etc/services", name)
	}
	return s, true, nil
}
