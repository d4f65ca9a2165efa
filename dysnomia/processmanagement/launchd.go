package processmanagement

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"unicode"

	"howett.net/plist"
)

// launchd makes a property list.
func (t *translation) launchd() {
	label := "org.nixos." + t.Name
	program := append([]string{t.Foreground}, t.ForegroundArgs...)
	if t.Foreground == "" || t.Initialize != "" {
		// Only root can initialize, so the script changes the user then.
		program = []string{t.script("libexec/"+t.Name, t.foregroundScript(surroundings{}, t.Initialize != ""))}
	}
	environment := map[string]any{}
	for _, v := range t.environment() {
		environment[v.name] = v.value
	}
	properties := map[string]any{
		"Label":                label,
		"ProgramArguments":     program,
		"EnvironmentVariables": environment,
	}
	if t.Directory != "" {
		properties["WorkingDirectory"] = t.Directory
	}
	if t.User != "" && t.Initialize == "" {
		properties["UserName"] = t.User
	}
	if umask, err := strconv.ParseInt(t.Umask, 8, 32); err == nil {
		properties["Umask"] = umask
	}
	if nice, err := strconv.Atoi(t.Nice); err == nil {
		properties["Nice"] = nice
	}
	t.startTimeout()
	for _, key := range slices.Sorted(maps.Keys(t.extra.members)) {
		if t.extra.read[key] {
			continue
		}
		if value, _ := t.extra.take(key); value == nil || t.DisableUserChange && (key == "UserName" || key == "GroupName") {
			delete(properties, key)
		} else {
			properties[key] = merge(properties[key], plistValue(value))
		}
	}
	if len(t.dependencies) > 0 {
		t.warn("launchd starts daemons in no particular order: %s must cope with %s starting later", t.Name, t.dependencyNames())
	}
	t.checkPlist(properties)
	content, err := plist.MarshalIndent(properties, plist.XMLFormat, "\t")
	if err != nil {
		t.problem("make the property list: %w", err)
	}
	t.add("Library/LaunchDaemons/"+label+".plist", string(content)+"\n")
	t.addCredentials()
}

// plistValue turns the numbers of JSON into those of property lists.
func plistValue(value any) any {
	switch value := value.(type) {
	case json.Number:
		if number, err := value.Int64(); err == nil {
			return number
		}
		number, _ := value.Float64() // every number of JSON is one
		return number
	case []any:
		list := make([]any, len(value))
		for i, element := range value {
			list[i] = plistValue(element)
		}
		return list
	case map[string]any:
		members := map[string]any{}
		for key, member := range value {
			if member != nil {
				members[key] = plistValue(member)
			}
		}
		return members
	}
	return value
}

// checkPlist refuses characters that XML has no notation for.
func (t *translation) checkPlist(value any) {
	switch value := value.(type) {
	case string:
		for _, c := range value {
			if unicode.IsControl(c) && c != '\n' && c != '\t' || c == unicode.ReplacementChar {
				t.problem("a value has the character %U, which a property list can not have", c)
				return
			}
		}
	case []string:
		for _, element := range value {
			t.checkPlist(element)
		}
	case []any:
		for _, element := range value {
			t.checkPlist(element)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			t.checkPlist(value[key])
		}
	}
}
