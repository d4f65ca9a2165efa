package processmanagement

// disnix makes a component of type process: a script that starts the daemon,
// and where its PID file is.
func (t *translation) disnix() {
	script := "#!/bin/sh\n# Starts " + t.Name + " in the background.\n" +
		t.preamble(surroundings{inheritPath: true}) + t.pidFunctions() + t.startDaemon()
	program := t.script("bin/"+t.Name, script)
	t.add("etc/dysnomia/process/"+t.Name, "process="+assignmentQuote(program)+"\npidFile="+assignmentQuote(t.pidFile())+"\n")
	t.addCredentials()
}
