// Package axis2 is the plugin for web services in Apache Axis2, which runs in
// Tomcat (modules page, section 17).
package axis2

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

// Plugin deploys service archives by putting them where Axis2 looks for them,
// and waits until it offers their services. The container properties are:
//
//	catalinaBaseDir  the directory of the Tomcat (default /var/tomcat)
//	axis2BaseDir     the directory of service archives (default: that of the web
//	                 application axis2 in this Tomcat)
//	tomcatPort       the port of its HTTP connector (default: that of the first
//	                 one in conf/server.xml)
//	timeout          seconds to wait for the directory and the server (default
//	                 30)
//	deployTimeout    seconds to wait until the services are there, or gone
//	                 (default 60)
//
// A component has archives in webapps/axis2/WEB-INF/services/*.aar, which are
// copied, and context files in conf/Catalina/, which are copied to the Tomcat's
// conf/Catalina/localhost/.
type Plugin struct{}

type settings struct {
	server                 *catalina.Server
	dir                    string // of service archives
	application            string // the path of Axis2 in URLs
	timeout, deployTimeout time.Duration
}

func readSettings(r *dysnomia.Request) (settings, error) {
	server, err := catalina.Find(r)
	if err != nil {
		return settings{}, err
	}
	s := settings{server: server}
	if s.dir, err = r.Directory("axis2BaseDir", filepath.Join(server.Base, "webapps/axis2/WEB-INF/services")); err != nil {
		return s, err
	}
	// What contains WEB-INF has the name of the application.
	s.application = "/" + filepath.Base(filepath.Dir(filepath.Dir(s.dir)))
	var early, late error
	s.timeout, early = r.Seconds("timeout", 30*time.Second)
	s.deployTimeout, late = r.Seconds("deployTimeout", time.Minute)
	return s, errors.Join(early, late)
}

// Activate deploys the services of the component and waits until Axis2 offers
// them. If it fails, none of them stays deployed.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	s, err := readSettings(r)
	if err != nil {
		return err
	}
	list, err := s.files(r.Component)
	if err != nil {
		return err
	}
	services, err := servicesOf(list)
	if err != nil {
		return err
	}
	if err := s.server.Await(ctx, s.dir, s.timeout); err != nil {
		return err
	}
	before, err := r.State.IsActive(r.Container, r.ComponentName)
	if err != nil {
		return err
	}
	if err := linkdir.Install(r, list); err != nil {
		return err
	}
	if err := s.await(ctx, r, services, true); err != nil {
		if before {
			return err
		}
		return errors.Join(err, s.undeploy(context.WithoutCancel(ctx), r, list, services))
	}
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

// Deactivate undeploys the services and waits until Axis2 does not offer them
// any more. If the server does not run, it does not.
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
	services, err := servicesOf(placed)
	if err != nil {
		return err
	}
	if err := s.undeploy(ctx, r, placed, services); err != nil {
		return err
	}
	return r.State.UnmarkActive(r.Container, r.ComponentName)
}

func (s settings) undeploy(ctx context.Context, r *dysnomia.Request, list []linkdir.Entry, services []string) error {
	if err := linkdir.Remove(r, list); err != nil {
		return fmt.Errorf("undeploy: %w", err)
	}
	return s.await(ctx, r, services, false)
}
