package processmanagement

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// docker makes an image and the parameters of a container. The image has no
// programs: the container sees the Nix store of the machine, and its /usr if
// it needs a shell or a program that is not in the store.
func (t *translation) docker() {
	image := &object{path: t.extra.path + "image.", members: t.extra.object("image")}
	container := &object{path: t.extra.path + "container.", members: t.extra.object("container")}
	command, needsUsr := t.dockerCommand()
	config := map[string]any{"Cmd": command}
	var environment []string
	for _, v := range t.environment() {
		environment = append(environment, v.name+"="+v.value)
	}
	config["Env"] = environment
	if t.Directory != "" {
		config["WorkingDir"] = t.Directory
	}
	if t.User != "" && t.Initialize == "" {
		config["User"] = t.User
	}
	for key, value := range image.object("config") {
		config[key] = plistValue(value)
		if value == nil {
			delete(config, key)
		}
	}
	t.checkDockerUser()
	archive, err := t.dockerImage(config, image)
	if err != nil {
		t.problem("make the image: %w", err)
		return
	}
	imageFile := t.Name + "-docker-image.tar"
	t.component.Files[imageFile] = File{Content: archive.content}
	settings := map[string]string{"dockerImage": t.path(imageFile), "dockerImageTag": archive.tag}
	for _, key := range []string{"dockerStopTimeout", "dockerStatelessDeployment", "dockerContainerName"} {
		if value := container.text(key); value != "" {
			settings[key] = value
		}
	}
	t.add(t.Name+"-docker-settings", assignments(settings))
	t.dockerContainer(container, needsUsr)
	t.add(fmt.Sprintf("%02d-%s-docker-priority", t.level+1, t.Name), "")
	t.add(t.Name+"-docker-cmd", shellWords(command...)+"\n")
	if paths := t.storePaths(); paths != "" {
		t.add(t.Name+"-storepaths", paths)
	}
	t.startTimeout()
	image.refuseOthers()
	container.refuseOthers()
	t.extra.problems = append(append(t.extra.problems, image.problems...), container.problems...)
}

// dockerCommand returns what is run in the container, and whether it needs
// programs of the machine.
func (t *translation) dockerCommand() (command []string, needsUsr bool) {
	if t.Foreground == "" || t.Initialize != "" || t.Umask != "" || t.Nice != "" {
		script := t.foregroundScript(surroundings{}, t.Initialize != "")
		return []string{t.script("libexec/"+t.Name, script)}, true
	}
	return append([]string{t.Foreground}, t.ForegroundArgs...), !strings.HasPrefix(t.Foreground, "/nix/store/")
}

// checkDockerUser reports a user that the image would not know.
func (t *translation) checkDockerUser() {
	if _, described := t.Users[t.User]; t.User != "" && !described && t.User != "root" && t.User != "nobody" {
		t.problem("user %q is not in credentials.users: the container would not know it", t.User)
	}
}

// dockerContainer writes the parameters for docker create, one word to a line.
func (t *translation) dockerContainer(o *object, needsUsr bool) {
	var words []string
	add := func(name, value string) {
		prefix := "--"
		if len(name) == 1 {
			prefix = "-"
		}
		words = append(words, prefix+name)
		if value != "" {
			words = append(words, value)
		}
	}
	for _, parameter := range t.dockerParameters(o) {
		add(parameter.name, parameter.value)
	}
	if o.boolean("useHostNixStore", true) {
		add("volume", "/nix/store:/nix/store")
	}
	if needsUsr {
		add("volume", "/usr:/usr:ro")
	}
	if o.boolean("useHostNetwork", true) {
		add("network", "host")
	}
	for _, dir := range o.listOr("mapStateDirVolumes", []string{t.Directories.State}) {
		add("volume", dir+":"+dir+":z")
	}
	for _, word := range words {
		if strings.ContainsAny(word, "\n\r") {
			t.problem("a parameter of the container has a line break, which %s-docker-createparams can not have", t.Name)
			break
		}
	}
	t.add(t.Name+"-docker-createparams", strings.Join(words, "\n")+"\n")
}

// dockerParameters reads dockerCreateParameters: an object, or a list of
// objects with name and value.
func (t *translation) dockerParameters(o *object) []setting {
	const key = "dockerCreateParameters"
	value, ok := o.take(key)
	if !ok {
		return nil
	}
	var parameters []setting
	switch value := value.(type) {
	case map[string]any:
		inner := &object{path: o.path + key + ".", members: value}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			for _, text := range inner.values(name) {
				parameters = append(parameters, setting{name, text})
			}
		}
		o.problems = append(o.problems, inner.problems...)
	case []any:
		for i, element := range value {
			members, _ := element.(map[string]any)
			inner := &object{path: fmt.Sprintf("%s%s: element %d: ", o.path, key, i+1), members: members}
			parameter := setting{inner.text("name"), inner.text("value")}
			if parameter.name == "" {
				inner.problem("%sit has no name", inner.path)
			}
			inner.refuseOthers()
			o.problems = append(o.problems, inner.problems...)
			parameters = append(parameters, parameter)
		}
	default:
		o.problem("%s%s is %s where an object or a list is expected", o.path, key, describe(value))
	}
	return parameters
}

// storePaths returns the packages that the process needs, one to a line.
func (t *translation) storePaths() string {
	const store = "/nix/store/"
	found := map[string]bool{}
	for _, path := range append([]string{t.Foreground, t.Daemon}, t.Path...) {
		if rest, ok := strings.CutPrefix(path, store); ok {
			name, _, _ := strings.Cut(rest, "/")
			found[store+name+"\n"] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(found)), "")
}
