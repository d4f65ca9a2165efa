package processmanagement

import (
	"maps"
	"slices"
	"strings"
)

// readCredentials reads the users and groups that the process needs (process
// management page, section 3).
func (p *Process) readCredentials(o *object) {
	credentials := &object{path: "credentials.", members: o.object("credentials")}
	p.Groups = accounts(credentials, "groups")
	p.Users = accounts(credentials, "users")
	credentials.refuseOthers()
	o.problems = append(o.problems, credentials.problems...)
}

func accounts(o *object, kind string) map[string]map[string]string {
	found := map[string]map[string]string{}
	all := o.object(kind)
	for name := range all {
		if !userName.MatchString(name) {
			o.problem("%s%s: %q cannot be a name", o.path, kind, name)
			continue
		}
		inner := &object{path: o.path + kind + ".", members: all}
		settings := &object{path: o.path + kind + ".", members: map[string]any{name: inner.object(name)}}
		found[name] = settings.environment(name)
		o.problems = append(append(o.problems, inner.problems...), settings.problems...)
	}
	return found
}

// addCredentials adds dysnomia-support, from which users and groups are made.
// Without changing users, only home directories are made.
func (t *translation) addCredentials() {
	const support = "dysnomia-support/"
	t.component.Files["dysnomia-support"] = File{Directory: true}
	for name, settings := range t.Users {
		if t.DisableUserChange {
			if settings["createHomeDir"] != "1" {
				continue
			}
			settings = map[string]string{"homeDir": settings["homeDir"], "createHomeDir": "1", "createHomeDirOnly": "1"}
		}
		t.add(support+"users/"+name, assignments(settings))
	}
	if !t.DisableUserChange {
		for name, settings := range t.Groups {
			t.add(support+"groups/"+name, assignments(settings))
		}
	}
}

// assignments returns settings in the format of container files.
func assignments(settings map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		b.WriteString(key + "=" + assignmentQuote(settings[key]) + "\n")
	}
	return b.String()
}

// assignmentQuote quotes a value so that it stays on one line.
func assignmentQuote(value string) string {
	if !strings.ContainsAny(value, "\n\r") {
		return shellQuote(value)
	}
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`)
	return "$'" + escape.Replace(value) + "'"
}
