// Package tomcat is the plugin for web applications in Apache Tomcat
// (modules page, section 16).
package tomcat

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/catalina"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// Plugin deploys WAR files by putting them where the server's auto-deployer
// looks for them, and waits for the server to say what became of them. The
// container properties are:
//
//	catalinaBaseDir  the server's directory (default /var/tomcat)
//	tomcatPort       the port of its HTTP connector (default: that of the first
//	                 one in conf/server.xml)
//	timeout          seconds to wait for the server to be there (default 10)
//	deployTimeout    seconds to wait for it to deploy or undeploy (default 60)
//
// A component has WAR files anywhere in webapps/, which are copied to the
// server's webapps/, and context files in conf/Catalina/, which are copied to
// its conf/Catalina/localhost/. Copies, because a server tells versions by the
// time of modification, which is the same for everything in the Nix store.
//
// What the server says is taken from its log and from its answers over HTTP.
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

// settings are what the properties say.
type settings struct {
	server                 *catalina.Server
	timeout, deployTimeout time.Duration
}

func readSettings(r *dysnomia.Request) (s settings, err error) {
	if s.server, err = catalina.Find(r); err != nil {
		return s, err
	}
	var early, late error
	s.timeout, early = r.Seconds("timeout", 10*time.Second)
	s.deployTimeout, late = r.Seconds("deployTimeout", time.Minute)
	return s, errors.Join(early, late)
}

func (s settings) webapps() string { return filepath.Join(s.server.Base, "webapps") }

// Activate deploys the applications of the component. It succeeds when the
// server has started all of them. If it fails, none of them stays deployed.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	s, err := readSettings(r)
	if err != nil {
		return err
	}
	list, err := s.files(r.Component)
	if err != nil {
		return err
	}
	if err := s.server.Await(ctx, s.webapps(), s.timeout); err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintf(r.Stderr, "There is no WAR file in %s/webapps: there is nothing to deploy.\n", r.Component)
	} else if err := s.deploy(ctx, r, list); err != nil {
		return err
	}
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

func (s settings) deploy(ctx context.Context, r *dysnomia.Request, list []linkdir.Entry) error {
	before, err := r.State.IsActive(r.Container, r.ComponentName)
	if err != nil {
		return err
	}
	d := s.begin(ctx, applications(list))
	if err := linkdir.Install(r, list); err != nil {
		return err
	}
	err = d.await(ctx, r)
	if err == nil || before {
		return err
	}
	if undo := s.undeploy(context.WithoutCancel(ctx), r, list); undo != nil {
		err = errors.Join(err, fmt.Errorf("undo the deployment: %w", undo))
	}
	return err
}

// Deactivate undeploys the applications and waits until the server has let go
// of them. If the server does not run, what it has unpacked is deleted:
// otherwise it would deploy that when it is started again.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	s, err := readSettings(r)
	if err != nil {
		return err
	}
	// A component that is gone is known from the record.
	list, _ := s.files(r.Component)
	placed, err := linkdir.Installed(r, list)
	if err != nil {
		return err
	}
	active, err := r.State.IsActive(r.Container, r.ComponentName)
	if err != nil {
		return err
	}
	if active {
		placed = append(placed, list...)
	}
	if err := s.undeploy(ctx, r, placed); err != nil {
		return err
	}
	return r.State.UnmarkActive(r.Container, r.ComponentName)
}

// ShellHelp says where the server is.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	s, err := readSettings(r)
	if err != nil {
		return err.Error() + "\n"
	}
	help := fmt.Sprintf("This is a shell session for the web applications of %s in Tomcat\n\nServer: %s\nLog:    %s\n",
		r.ComponentName, s.server.Base, filepath.Join(s.server.Base, "logs"))
	list, _ := s.files(r.Component)
	for _, app := range applications(list) {
		help += fmt.Sprintf("Application: %s%s/\n", s.server.URL, app.context)
	}
	return help
}
