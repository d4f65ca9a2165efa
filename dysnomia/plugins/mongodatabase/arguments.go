package mongodatabase

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
)

// secretOptions are options of the server's tools that are or have passwords,
// as they are called in a configuration file. Arguments can be seen by every
// user of the machine.
var secretOptions = []string{"password", "uri", "sslPEMKeyPassword"}

// withoutSecrets separates the secret options from further arguments of a
// user. They become lines of a configuration file.
func withoutSecrets(args []string) (others []string, config string, err error) {
	for i := 0; i < len(args); i++ {
		name, value, given := secretOption(args[i])
		switch {
		case name == "":
			others = append(others, args[i])
			continue
		case !given && i+1 == len(args):
			return nil, "", errors.New("the last argument has no value")
		case !given:
			i++
			value = args[i]
		}
		quoted, err := json.Marshal(value) // which YAML understands, too
		if err != nil {
			return nil, "", err
		}
		config += name + ": " + string(quoted) + "\n"
	}
	isConfig := func(arg string) bool { return arg == "--config" || strings.HasPrefix(arg, "--config=") }
	if config != "" && slices.ContainsFunc(others, isConfig) {
		return nil, "", errors.New("put the password into the file of --config")
	}
	return others, config, nil
}

// secretOption returns the name of a secret option, and its value if that is
// part of the same argument.
func secretOption(arg string) (name, value string, given bool) {
	if rest, short := strings.CutPrefix(arg, "-p"); short {
		return "password", strings.TrimPrefix(rest, "="), rest != ""
	}
	option, long := strings.CutPrefix(arg, "--")
	option, value, given = strings.Cut(option, "=")
	if !long || !slices.Contains(secretOptions, option) {
		return "", "", false
	}
	return option, value, given
}

// run runs a tool of the server with further arguments of a user and its own.
func (d *database) run(ctx context.Context, tool string, further []string, args ...string) (err error) {
	others, config, err := withoutSecrets(further)
	if err != nil {
		return err
	}
	all := append([]string{"--host=" + host, "--port=" + d.settings.port, "--quiet"}, others...)
	if config != "" {
		file, remove, err := dump.PrivateFile(tool+".yaml", config)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, remove()) }()
		all = append(all, "--config="+file)
	}
	var program *exec.Cmd
	if program, err = d.clients.Command(ctx, []string{tool}, append(all, args...)...); err != nil {
		return err
	}
	return dump.Run(ctx, program)
}
