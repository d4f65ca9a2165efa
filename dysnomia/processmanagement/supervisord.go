package processmanagement

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// supervisord makes the configuration of a program. What the syntax of
// supervisord can not carry (blanks before a semicolon, line breaks, signs of
// expansion), and nice, which it does not know, is left to a script.
func (t *translation) supervisord() {
	options := map[string]string{"priority": strconv.Itoa(t.level + 1)}
	command := append([]string{t.Foreground}, t.ForegroundArgs...)
	needsScript := t.Foreground == "" || t.Initialize != "" || t.Nice != "" || !isPlain(command...) || !isPlain(t.Directory+"/")
	for _, v := range t.environment() {
		needsScript = needsScript || !isPlain(v.value+"/")
	}
	// Initialization needs the privileges of root, so the script changes the
	// user then.
	scriptChangesUser := t.Initialize != "" || t.Nice != ""
	if needsScript {
		options["command"] = t.script("libexec/"+t.Name, t.foregroundScript(surroundings{}, scriptChangesUser))
	} else {
		options["command"] = strings.Join(command, " ")
		options["environment"] = supervisordEnvironment(t.environment())
		if t.Directory != "" {
			options["directory"] = t.Directory
		}
		if t.Umask != "" {
			options["umask"] = t.Umask
		}
	}
	if t.User != "" && (!needsScript || !scriptChangesUser) {
		options["user"] = t.User
	}
	t.startTimeout() // not an option of the program, whether it is needed or not
	if !isPlain(strings.Fields(options["command"])...) {
		t.problem("supervisord can not run programs in the directory %q: choose another with DYSNOMIA_STATEDIR", t.Dir)
	}
	for _, key := range slices.Sorted(maps.Keys(t.extra.members)) {
		if t.extra.read[key] || t.DisableUserChange && key == "user" {
			t.extra.take(key)
			continue
		}
		t.overrideOption(options, key)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[program:%s]\n", t.Name)
	for _, key := range slices.Sorted(maps.Keys(options)) {
		fmt.Fprintf(&b, "%s=%s\n", key, options[key])
	}
	t.add("conf.d/"+t.Name+".conf", b.String())
	t.addCredentials()
}

// overrideOption sets an option of the program; null removes it.
func (t *translation) overrideOption(options map[string]string, key string) {
	if !variable.MatchString(key) {
		return // reported as unknown
	}
	values := t.extra.values(key)
	if values == nil {
		delete(options, key)
		return
	}
	options[key] = strings.Join(values, ",")
}

func supervisordEnvironment(settings []setting) string {
	var list []string
	for _, v := range settings {
		list = append(list, fmt.Sprintf(`%s="%s"`, v.name, v.value))
	}
	return strings.Join(list, ",")
}
