package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/dysnomia/processmanagement"
)

// processDirectory is a directory of processes: an option, a variable, and a
// parameter of processes models.
type processDirectory struct {
	option, variable, parameter string
	value                       *string
}

func processDirectories(d *processmanagement.Directories) []processDirectory {
	return []processDirectory{
		{"state-dir", "NIXPROC_STATE_DIR", "stateDir", &d.State},
		{"runtime-dir", "NIXPROC_RUNTIME_DIR", "runtimeDir", &d.Runtime},
		{"log-dir", "NIXPROC_LOG_DIR", "logDir", &d.Log},
		{"tmp-dir", "NIXPROC_TMP_DIR", "tmpDir", &d.Tmp},
		{"cache-dir", "NIXPROC_CACHE_DIR", "cacheDir", &d.Cache},
		{"spool-dir", "NIXPROC_SPOOL_DIR", "spoolDir", &d.Spool},
		{"lock-dir", "NIXPROC_LOCK_DIR", "lockDir", &d.Lock},
		{"lib-dir", "NIXPROC_LIB_DIR", "libDir", &d.Lib},
	}
}

func processDirectoryFlags() []cli.Flag {
	var flags []cli.Flag
	for _, d := range processDirectories(&processmanagement.Directories{}) {
		flags = append(flags, &cli.StringFlag{Name: d.option, Usage: fmt.Sprintf("Passes `DIR` as %s", d.parameter)})
	}
	return append(flags, &cli.BoolFlag{Name: "force-disable-user-change", Usage: "Passes forceDisableUserChange = true"})
}

func processDirectoryVariables() []entry {
	var entries []entry
	for _, d := range processDirectories(&processmanagement.Directories{}) {
		entries = append(entries, entry{d.variable, "Directory, if --" + d.option + " is not given"})
	}
	return append(entries, entry{"NIXPROC_FORCE_DISABLE_USER_CHANGE", "1 has the effect of --force-disable-user-change"})
}

// processParams returns the parameters of a processes model, as a Nix
// expression.
func (inv *invocation) processParams() string {
	var given processmanagement.Directories
	for _, d := range processDirectories(&given) {
		*d.value = inv.setting(d.option, d.variable, "")
	}
	given = given.WithDefaults()
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", `\${`)
	var b strings.Builder
	b.WriteString("{ ")
	for _, d := range processDirectories(&given) {
		fmt.Fprintf(&b, `%s = "%s"; `, d.parameter, quote.Replace(*d.value))
	}
	disabled := inv.enabled("force-disable-user-change", "NIXPROC_FORCE_DISABLE_USER_CHANGE")
	fmt.Fprintf(&b, "forceDisableUserChange = %t; }", disabled)
	return b.String()
}
