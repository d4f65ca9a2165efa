package processmanagement

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// unitPrefix begins the names of units and of Windows services.
const unitPrefix = "nix-process-"

// section is a part of a unit, ini file or the like: values by key.
type section map[string][]string

// systemd makes a service unit.
func (t *translation) systemd() {
	unit := unitPrefix + t.Name + ".service"
	t.component.Name = unitPrefix + t.Name
	sections := map[string]section{
		"Unit":    {"Description": {systemdValue(t.Process.Description)}},
		"Service": t.systemdService(),
	}
	for _, dependency := range t.dependencies {
		name := unitPrefix + dependency.Name + ".service"
		sections["Unit"]["Wants"] = append(sections["Unit"]["Wants"], name)
		sections["Unit"]["After"] = append(sections["Unit"]["After"], name)
		t.link("etc/systemd/system/"+unit+".wants/"+name, "../"+name)
	}
	for key := range t.extra.members {
		t.override(sections, key)
	}
	var b strings.Builder
	for _, title := range slices.Sorted(maps.Keys(sections)) {
		fmt.Fprintf(&b, "[%s]\n", title)
		for _, key := range slices.Sorted(maps.Keys(sections[title])) {
			for _, value := range sections[title][key] {
				fmt.Fprintf(&b, "%s=%s\n", key, value)
			}
		}
		b.WriteString("\n")
	}
	t.add("etc/systemd/system/"+unit, strings.TrimSuffix(b.String(), "\n"))
	t.addCredentials()
}

func (t *translation) systemdService() section {
	s := section{}
	set := func(key, value string) {
		if value != "" {
			s[key] = append(s[key], value)
		}
	}
	command := append([]string{t.Foreground}, t.ForegroundArgs...)
	set("Type", "simple")
	if t.Foreground == "" {
		s["Type"] = []string{"forking"}
		set("PIDFile", systemdValue(t.pidFile()))
		command = append([]string{t.Daemon}, t.DaemonArgs...)
	}
	set("ExecStart", systemdCommand(command))
	if t.Initialize != "" {
		prefix := ""
		if t.User != "" {
			prefix = "+" // with full privileges
		}
		set("ExecStartPre", prefix+systemdCommand([]string{t.initializeScript()}))
	}
	for _, v := range t.environment() {
		set("Environment", systemdQuote(v.name+"="+v.value))
	}
	set("WorkingDirectory", systemdValue(t.Directory))
	set("UMask", t.Umask)
	set("Nice", t.Nice)
	set("User", t.User)
	return s
}

// override merges a section of the overrides.
func (t *translation) override(sections map[string]section, title string) {
	if !variable.MatchString(title) && !strings.HasPrefix(title, "X-") {
		return // reported as unknown
	}
	properties := t.extra.object(title)
	if sections[title] == nil {
		sections[title] = section{}
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if t.DisableUserChange && (key == "User" || key == "Group") {
			continue
		}
		if !variable.MatchString(key) {
			t.problem("%s%s: %q cannot be the name of a setting", t.extra.path, title, key)
			continue
		}
		inner := &object{path: t.extra.path + title + ".", members: properties}
		values := inner.values(key)
		t.extra.problems = append(t.extra.problems, inner.problems...)
		if values == nil {
			delete(sections[title], key)
			continue
		}
		sections[title][key] = values
	}
}

// values returns a member that goes into one line, or a list of such members.
func (o *object) values(key string) []string {
	value, ok := o.take(key)
	if !ok {
		return nil
	}
	var values []string
	switch value := value.(type) {
	case bool:
		values = []string{fmt.Sprint(value)}
	case []any:
		values = o.list(key)
	default:
		values = []string{o.text(key)}
	}
	if slices.ContainsFunc(values, func(value string) bool { return strings.ContainsAny(value, "\n\r") }) {
		o.problem("%s%s has a line break", o.path, key)
	}
	return values
}

// systemdValue returns text that stands for itself to the end of the line.
func systemdValue(text string) string {
	text = strings.NewReplacer("%", "%%", "\n", " ", "\r", " ").Replace(text)
	if strings.HasSuffix(text, `\`) {
		text += " " // or the next line would belong to this one
	}
	return text
}

var systemdEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "%", "%%")

// systemdQuote returns a word in quotes (systemd.syntax(7)), in which nothing
// is a specifier.
func systemdQuote(word string) string {
	return `"` + escapeControls(systemdEscapes.Replace(word)) + `"`
}

func escapeControls(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == 0x7f {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// systemdCommand returns a command line without expansions (systemd.service(5)).
func systemdCommand(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		if i > 0 {
			word = strings.ReplaceAll(word, "$", "$$")
		}
		quoted[i] = word
		if !isPlain(word) {
			quoted[i] = systemdQuote(word)
		}
	}
	return strings.Join(quoted, " ")
}
