package supervisordprogram

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// section is a section of a configuration file of supervisord, which is in the
// notation of Python's ConfigParser.
type section struct {
	name string
	keys map[string]string
}

func readConf(path string) ([]section, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return parseConf(string(content)), nil
}

// parseConf is as lenient as it can be: supervisord itself says what is wrong.
func parseConf(content string) []section {
	var sections []section
	key := ""
	for _, line := range strings.Split(content, "\n") {
		line = strings.TrimRight(line, "\r")
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || strings.HasPrefix(trimmed, ";") || strings.HasPrefix(trimmed, "#"):
			continue
		case strings.HasPrefix(trimmed, "[") && strings.Contains(trimmed, "]"):
			sections = append(sections, section{name: trimmed[1:strings.Index(trimmed, "]")], keys: map[string]string{}})
			key = ""
			continue
		case len(sections) == 0:
			continue
		}
		keys := sections[len(sections)-1].keys
		text := withoutComment(line)
		if key != "" && (line[0] == ' ' || line[0] == '\t') {
			keys[key] += "\n" + strings.TrimSpace(text)
			continue
		}
		if i := strings.IndexAny(text, "=:"); i > 0 {
			key = strings.ToLower(strings.TrimSpace(text[:i]))
			keys[key] = strings.TrimSpace(text[i+1:])
		}
	}
	return sections
}

// withoutComment cuts what follows a semicolon after a blank.
func withoutComment(line string) string {
	for _, start := range []string{" ;", "\t;"} {
		line, _, _ = strings.Cut(line, start)
	}
	return line
}

// find returns the first section of that name.
func find(sections []section, name string) (section, bool) {
	i := slices.IndexFunc(sections, func(s section) bool { return s.name == name })
	if i < 0 {
		return section{}, false
	}
	return sections[i], true
}

// groupsOf returns the names of the process groups that configuration files
// define together, sorted: every program is a group of its own unless a group
// has it.
func groupsOf(paths []string) ([]string, error) {
	var groups, members []string
	for _, path := range paths {
		sections, err := readConf(path)
		if err != nil {
			return nil, err
		}
		for _, s := range sections {
			kind, name, _ := strings.Cut(s.name, ":")
			switch kind {
			case "program", "eventlistener", "fcgi-program":
				groups = append(groups, strings.TrimSpace(name))
			case "group":
				groups = append(groups, strings.TrimSpace(name))
				for _, member := range strings.FieldsFunc(s.keys["programs"], func(r rune) bool { return r == ',' || r == '\n' }) {
					if member := strings.TrimSpace(member); member != strings.TrimSpace(name) {
						members = append(members, member)
					}
				}
			}
		}
	}
	groups = slices.DeleteFunc(groups, func(g string) bool { return g == "" || slices.Contains(members, g) })
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// expand replaces %(here)s and %(ENV_name)s in a value of a configuration
// file.
func expand(text, conf string, environment []string) string {
	pairs := []string{"%(here)s", filepath.Dir(conf), "%%", "%"}
	for _, entry := range environment {
		if name, value, ok := strings.Cut(entry, "="); ok {
			pairs = append(pairs, "%(ENV_"+name+")s", value)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
