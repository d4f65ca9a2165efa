package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/daemon"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/spool"
)

const (
	standardLogDir  = "/var/log/disnix"
	standardPIDFile = "/var/run/disnix-service.pid"
	standardLogFile = "/var/log/disnix.log"
	// serviceGroup is the group whose members may use the service.
	serviceGroup = "disnix"
	// serviceGrace is how long running jobs may go on when the service stops.
	serviceGrace = 30 * time.Second
)

func serviceProgram() *program {
	return &program{
		name:     "disnix-service",
		summary:  "Carries out deployment activities for users without privileges, over D-Bus",
		synopsis: []string{"[OPTION]..."},
		description: `
Waits on the system bus for deployment activities and carries them out on this
machine, as the user that it runs as, normally root. Root and the members of
the group 'disnix' may ask it, with disnix-client. It runs in the foreground
unless --daemon is given.

SIGTERM and SIGINT stop it: running activities may end within 30 seconds, what
then still runs is stopped and reported as failed.`,
		groups: options(
			&cli.BoolFlag{Name: "daemon", Aliases: []string{"D"}, Usage: "Runs in the background, and returns when it is ready"},
			&cli.BoolFlag{Name: "session-bus", Usage: "Uses the session bus instead of the system bus"},
			&cli.StringFlag{Name: "log-dir", Value: standardLogDir, Usage: "`DIR`ectory for the logs of activities, of which the newest 1000 are kept, " + standardLogDir + " if not given"},
			&cli.StringFlag{Name: "pid-file", Value: standardPIDFile, Usage: "`FILE` for the number of the process in the background, " + standardPIDFile + " if not given"},
			&cli.StringFlag{Name: "log-file", Value: standardLogFile, Usage: "`FILE` that messages are added to in the background, " + standardLogFile + " if not given"},
		),
		exitStatus: []entry{
			{"0", "It was stopped by a signal, or is ready in the background"},
			{"1", "It cannot use the bus or the log file, or the bus has taken its name away"},
			{"2", "In the background: it cannot change its directory"},
			{"3", "In the background: the process in the pid file is running, or the file cannot be created"},
			{"4", "In the background: it cannot use the bus"},
			{"9, 11, 13", "In the background: it cannot be started, or has ended at once"},
		},
		environment: []entry{
			nixStateVariable, stateDirVariable, temporaryVariable,
			{"DBUS_SYSTEM_BUS_ADDRESS", "Address of the system bus"},
		},
		examples: []entry{{"disnix-service --daemon", "Run in the background:"}},
		action:   runService,
	}
}

// serviceFiles are the files of the service, with absolute names.
type serviceFiles struct{ logDir, pidFile, logFile string }

func (inv *invocation) serviceFiles() (serviceFiles, error) {
	var absolute [3]string
	for i, option := range []string{"log-dir", "pid-file", "log-file"} {
		if inv.String(option) == "" {
			return serviceFiles{}, usageError{fmt.Errorf("option '--%s' needs a name", option)}
		}
		var err error
		if absolute[i], err = filepath.Abs(inv.String(option)); err != nil {
			return serviceFiles{}, err
		}
	}
	return serviceFiles{absolute[0], absolute[1], absolute[2]}, nil
}

func runService(inv *invocation) error {
	if _, err := inv.operands(0); err != nil {
		return err
	}
	files, err := inv.serviceFiles()
	if err != nil {
		return err
	}
	if process := daemon.Detached(); process != nil {
		return inv.serveDetached(process, files)
	}
	if inv.Bool("daemon") {
		return inv.startService(files.logFile)
	}
	serve, err := inv.listen(files.logDir)
	if err != nil {
		return err
	}
	fmt.Fprintln(inv.stderr, "The Disnix service is running!")
	return serve()
}

// startService starts the service in the background and waits until it is
// ready.
func (inv *invocation) startService(logFile string) error {
	log, err := os.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("open the log file: %w", err)
	}
	defer log.Close()
	status, err := daemon.Start(log)
	if status != daemon.Ready {
		return exitError{int(status), fmt.Errorf("%s: %w", inv.name, err)}
	}
	fmt.Fprintln(inv.stderr, "Daemon initialized successfully!")
	return err
}

// serveDetached is what the process in the background does. Its standard error
// is the log file.
func (inv *invocation) serveDetached(process *daemon.Process, files serviceFiles) error {
	fail := func(status daemon.Status, reason error) error {
		return errors.Join(reason, process.Report(status, reason))
	}
	if err := process.Settle(); err != nil {
		return fail(daemon.ChdirFailed, err)
	}
	pidFile, err := daemon.CreatePIDFile(files.pidFile, "disnix-service")
	if err != nil {
		return fail(daemon.PIDFileFailed, err)
	}
	serve, err := inv.listen(files.logDir)
	if err != nil { // whoever waits for the report may try again at once
		return fail(daemon.InitFailed, errors.Join(err, pidFile.Remove()))
	}
	if err := process.Report(daemon.Ready, nil); err != nil {
		fmt.Fprintf(inv.stderr, "%s: report that the service is ready: %v\n", inv.name, err)
	}
	return errors.Join(serve(), pidFile.Remove())
}

// listen offers this machine on the bus. The function that it returns has to be
// called: it serves until the command is cancelled.
func (inv *invocation) listen(logDir string) (serve func() error, err error) {
	host, err := newHost()
	if err != nil {
		return nil, err
	}
	group := clientsGroup()
	if group != 0 {
		// To move state, clients read snapshots themselves.
		if err := host.State().ShareSnapshots(group); err != nil {
			fmt.Fprintf(inv.stderr, "%s: %v\n", inv.name, err)
		}
	}
	files, err := spool.NewDirectory(inv.name)
	if err != nil {
		return nil, err
	}
	server, err := dbusservice.Listen(dbusservice.Config{
		SessionBus: inv.Bool("session-bus"),
		Directory:  files.Path(),
		LogDir:     logDir,
		LogGroup:   group,
		Log:        inv.stderr,
		NewService: func(log io.Writer) service.Service {
			return service.NewLocal(host, service.LocalConfig{Log: log, Purpose: inv.name})
		},
		Grace: serviceGrace,
	})
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	return func() error { return errors.Join(server.Serve(inv.Context.Context), files.Close()) }, nil
}

// clientsGroup returns the group that may read the logs and snapshots, or 0 if
// there is none.
func clientsGroup() int {
	group, err := user.LookupGroup(serviceGroup)
	if err != nil {
		return 0
	}
	id, err := strconv.Atoi(group.Gid)
	if err != nil {
		return 0
	}
	return id
}
