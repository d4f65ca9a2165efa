package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapservice"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/spool"
	"github.com/disnix-go/disnix/service/webserver"
)

const (
	standardListen = "localhost:8080"
	// webGrace is how long running requests may go on when the service stops.
	webGrace = 10 * time.Minute
)

func webserviceProgram() *program {
	return &program{
		name:     "disnix-webservice",
		summary:  "Carries out deployment activities over HTTP, as DisnixWebService does",
		synopsis: []string{"[OPTION]..."},
		description: `
Offers this machine to SOAP clients such as disnix-soap-client, at the URL
http://HOST:8080` + soapwire.ServicePath + `.
The activities are carried out by disnix-service, which it asks over D-Bus, so
it needs no privileges but the membership in the group 'disnix'; or, with
--local, by itself.

It listens on this machine only, unless it is told otherwise. Other machines
must authenticate themselves, with a password, a client certificate or both, and
passwords need TLS. All files are read again when they change, and after SIGHUP;
if one is broken, what it had before stays in use. /health tells, without
authentication, whether activities can be carried out.

Each request is one line on the standard error: who has asked for what, and what
came of it.

SIGTERM and SIGINT stop it: running activities may end within the time of
--grace. A second signal ends it at once.`,
		groups: []optionGroup{
			{"Options", []cli.Flag{
				&cli.StringSliceFlag{Name: "listen", Usage: "`ADDRESS` with port to listen on, " + standardListen + " if not given; may be given several times"},
				&cli.BoolFlag{Name: "local", Usage: "Carries out activities itself instead of asking disnix-service"},
				&cli.BoolFlag{Name: "session-bus", Usage: "Uses the session bus instead of the system bus"},
				&cli.DurationFlag{Name: "grace", Value: webGrace, Usage: "How long running activities may take to end when it stops, as `TIME` such as 90s, 10m if not given"},
			}},
			{"Security options", []cli.Flag{
				&cli.StringFlag{Name: "tls-cert", Usage: "`FILE` with the certificate chain for TLS (PEM)"},
				&cli.StringFlag{Name: "tls-key", Usage: "`FILE` with its key (PEM)"},
				&cli.StringFlag{Name: "htpasswd", Usage: "`FILE` with the users whose passwords are accepted, as htpasswd -B makes it"},
				&cli.StringFlag{Name: "client-ca", Usage: "`FILE` with the authorities whose client certificates are accepted (PEM)"},
				&cli.BoolFlag{Name: "allow-unauthenticated", Usage: "Lets other machines use it without authentication: whoever reaches it controls this machine"},
				&cli.BoolFlag{Name: "allow-plaintext", Usage: "Lets other machines send passwords without TLS"},
			}},
			{"Options for reverse proxies", []cli.Flag{
				&cli.StringSliceFlag{Name: "trusted-proxy", Usage: "`ADDRESS` or network of proxies whose X-Forwarded headers are believed; may be given several times"},
				&cli.StringFlag{Name: "path-prefix", Usage: "`PATH` that the proxy puts in front of the service's"},
			}},
			{"Limits", []cli.Flag{
				&cli.IntFlag{Name: "max-requests", Value: 256, Usage: "Carries out at most `NUM` requests at once, 256 if not given; others wait for up to 30 seconds"},
				&cli.Int64Flag{Name: "max-upload", Usage: "Refuses requests of more than `BYTES`; without it, there is no limit"},
			}},
		},
		exitStatus: []entry{
			{"0", "It was stopped by a signal"},
			{"1", "It cannot listen, or a file cannot be read"},
		},
		environment: []entry{
			temporaryVariable,
			{"DBUS_SYSTEM_BUS_ADDRESS", "Address of the system bus"},
			{"NIX_STATE_DIR, DYSNOMIA_STATEDIR", "With --local, as for disnix-run-activity"},
		},
		examples: []entry{
			{"disnix-webservice", "Serve a reverse proxy on the same machine:"},
			{"disnix-webservice --listen :8443 --tls-cert cert.pem --tls-key key.pem --htpasswd users", "Serve other machines:"},
		},
		action:        runWebservice,
		handlesHangup: true,
	}
}

func runWebservice(inv *invocation) (err error) {
	if _, err := inv.operands(0); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(inv.stderr, nil))
	config, err := inv.webserverConfig(log)
	if err != nil {
		return err
	}
	files, err := spool.NewDirectory(inv.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	backend, health, closeBackend, err := inv.webserviceBackend(files.Path())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBackend()) }()
	handler := soapservice.New(soapservice.Config{
		Service: backend, PathPrefix: inv.String("path-prefix"), MaxBody: inv.Int64("max-upload"), Directory: files.Path(),
	})
	defer func() { err = errors.Join(err, handler.Close()) }()
	config.Handler, config.Health, config.Urgent = handler, health, soapservice.IsCancellation
	server, err := webserver.Listen(config)
	if err != nil {
		return err
	}
	defer reloadOnHangup(server)()
	for _, address := range server.Addresses() {
		log.Info("listening", "address", address.String(), "tls", config.CertFile != "")
	}
	return server.Serve(inv.Context.Context)
}

func (inv *invocation) webserverConfig(log *slog.Logger) (webserver.Config, error) {
	if inv.Int("max-requests") < 1 {
		return webserver.Config{}, usageError{errors.New("option '--max-requests' needs a number from 1")}
	}
	if inv.Int64("max-upload") < 0 {
		return webserver.Config{}, usageError{errors.New("option '--max-upload' needs a number from 0")}
	}
	proxies, err := networks(inv.StringSlice("trusted-proxy"))
	if err != nil {
		return webserver.Config{}, usageError{err}
	}
	addresses := inv.StringSlice("listen")
	if len(addresses) == 0 {
		addresses = []string{standardListen}
	}
	return webserver.Config{
		Addresses: addresses,
		CertFile:  inv.String("tls-cert"), KeyFile: inv.String("tls-key"),
		ClientCAFile: inv.String("client-ca"), PasswordFile: inv.String("htpasswd"), Realm: "DisnixWebService",
		AllowUnauthenticated: inv.Bool("allow-unauthenticated"), AllowPlaintext: inv.Bool("allow-plaintext"),
		TrustedProxies: proxies,
		Limits:         webserver.Limits{Requests: inv.Int("max-requests")},
		Grace:          inv.Duration("grace"),
		Log:            log,
	}, nil
}

// networks reads addresses and networks.
func networks(words []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, word := range words {
		if address, err := netip.ParseAddr(word); err == nil {
			prefixes = append(prefixes, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", word)
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// webserviceBackend returns what carries out activities, and how to find out
// whether it could. Files that are handed over to it are kept in a directory.
func (inv *invocation) webserviceBackend(directory string) (
	backend func(context.Context, io.Writer) (service.Service, error), health func(context.Context) error, closeBackend func() error, err error,
) {
	if !inv.Bool("local") {
		bus := &dbusclient.Connection{SessionBus: inv.Bool("session-bus"), Directory: directory}
		return func(ctx context.Context, _ io.Writer) (service.Service, error) { return bus.Service(ctx) }, bus.Ping, bus.Close, nil
	}
	host, err := newHost()
	if err != nil {
		return nil, nil, nil, err
	}
	return func(_ context.Context, log io.Writer) (service.Service, error) {
		return service.NewLocal(host, service.LocalConfig{Log: log, Purpose: inv.name}), nil
	}, nil, func() error { return nil }, nil
}

// reloadOnHangup reads the files of the server again after each SIGHUP, until
// the function that it returns is called.
func reloadOnHangup(server *webserver.Server) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			_ = server.Reload() // what fails is logged
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
	}
}
