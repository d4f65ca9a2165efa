package clientprogram_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/activitycmd"
)

// actAsProgram makes this binary a client interface for this machine.
const actAsProgram = "DISNIX_TEST_CLIENT_INTERFACE"

func TestMain(m *testing.M) {
	if os.Getenv(actAsProgram) != "" {
		os.Exit(runActivity(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// runActivity is what disnix-run-activity does, with a command line that is
// read no further than the contract needs it.
func runActivity(args []string) int {
	_ = os.Unsetenv(actAsProgram)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	options, err := parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if ctx, err = service.TakeClaim(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	host, err := dysnomia.NewHost(os.Environ(), nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	local := service.NewLocal(host, service.LocalConfig{Log: os.Stderr})
	status, err := activitycmd.Run(ctx, local, options, activitycmd.Streams{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return status
}

func parse(args []string) (activitycmd.Options, error) {
	options := activitycmd.Options{Keep: 1}
	values := map[string]*string{
		"target": &options.Target, "profile": &options.Profile, "type": &options.Type,
		"container": &options.Container, "component": &options.Component, "command": &options.Command,
	}
	for i := 0; i < len(args); i++ {
		name, isOption := strings.CutPrefix(args[i], "--")
		switch value, hasValue := values[name]; {
		case args[i] == "-d":
			options.DeleteOld = true
		case !isOption:
			options.Paths = append(options.Paths, args[i])
		case hasValue && i+1 < len(args):
			i++
			*value = args[i]
		case name == "arguments" && i+1 < len(args):
			i++
			options.Arguments = append(options.Arguments, args[i])
		case name == "keep" && i+1 < len(args):
			i++
			keep, err := strconv.Atoi(args[i])
			if err != nil {
				return options, err
			}
			options.Keep = keep
		case name == "localfile":
			options.LocalFile = true
		case name == "remotefile":
		case options.Operation == "":
			options.Operation = name
		default:
			return options, fmt.Errorf("unexpected word %q", args[i])
		}
	}
	return options, nil
}
