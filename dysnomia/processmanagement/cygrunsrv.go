package processmanagement

import "strings"

// cygrunsrv makes the parameters of a Windows service, one to a line.
func (t *translation) cygrunsrv() {
	o := t.extra
	name := unitPrefix + t.Name
	t.component.Name = name
	program, environment := append([]string{t.Foreground}, t.ForegroundArgs...), t.environment()
	if t.Foreground == "" || t.Initialize != "" || t.Directory != "" || t.Umask != "" || t.Nice != "" {
		user := t.User
		t.User = "" // the service manager changes it, and can do it only once
		program = []string{t.script("libexec/"+t.Name, t.foregroundScript(surroundings{}, false))}
		t.User = user
		environment = nil // the script sets it
	}
	var lines []string
	add := func(option, value string) {
		if value != "" {
			lines = append(lines, option, value)
		}
	}
	add("--path", program[0])
	add("--disp", o.textOr("displayName", name))
	if startType := o.text("type"); startType != "auto" {
		add("--type", startType)
	}
	add("--args", shellWords(program[1:]...))
	for _, v := range environment {
		add("--env", v.name+"="+v.value)
	}
	if !t.DisableUserChange {
		add("--user", t.User)
		add("--passwd", o.text("password"))
	}
	o.take("password")
	add("--stdin", o.text("stdin"))
	add("--stdout", o.text("stdout"))
	add("--stderr", o.text("stderr"))
	if signal := signalName(o, "terminateSignal", "TERM"); signal != "TERM" {
		add("--termsig", signal)
	}
	if o.boolean("terminateOnShutdown", false) {
		lines = append(lines, "--shutdown")
	}
	for _, dependency := range t.dependencies {
		add("--dep", unitPrefix+dependency.Name)
	}
	t.startTimeout()
	for _, line := range lines {
		if strings.ContainsAny(line, "\n\r") {
			t.problem("a parameter of the Windows service has a line break, which %s-cygrunsrvparams can not have", name)
			break
		}
	}
	if len(t.Users)+len(t.Groups) > 0 && !t.DisableUserChange {
		t.warn("Cygwin can not create users and groups: those of %s must exist", t.Name)
	}
	t.add(name+"-cygrunsrvparams", strings.Join(lines, "\n")+"\n")
}
