package tomcat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/catalina"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// undeploy removes the files of the component and waits until the server has
// let go of the applications.
func (s settings) undeploy(ctx context.Context, r *dysnomia.Request, list []linkdir.Entry) error {
	apps := applications(list)
	unpacked := make([]bool, len(apps))
	log := s.server.Follow()
	for i, app := range apps {
		unpacked[i] = app.hasTracker()
	}
	if err := linkdir.Remove(r, list); err != nil {
		return err
	}
	return await.Until(ctx, "Tomcat to undeploy "+strings.Join(names(apps), ", "), s.deployTimeout, func(ctx context.Context) (bool, string, error) {
		records := log.Read()
		var left []string
		for i, app := range apps {
			unpacked[i] = unpacked[i] || app.hasTracker()
			status, err := s.remains(ctx, app, unpacked[i], records)
			if err != nil {
				return false, "", err
			}
			if status != "" {
				left = append(left, app.name()+": "+status)
			}
		}
		return len(left) == 0, strings.Join(left, "; "), nil
	})
}

// remains returns what is left of an application whose files were removed, or
// nothing. A WAR file that is there belongs to somebody else. Of a directory
// that the server has unpacked, it deletes one file after the other.
func (s settings) remains(ctx context.Context, app application, unpacked bool, log map[string][]catalina.Record) (string, error) {
	if _, err := os.Lstat(app.war); err == nil {
		return "", nil
	}
	if s.isDown(ctx) {
		return "", app.discard()
	}
	if _, err := os.Lstat(app.dir); unpacked && !errors.Is(err, fs.ErrNotExist) {
		return app.dir + " is still there: see whether Tomcat runs, and autoDeploy is on in its conf/server.xml", nil
	}
	if app.context == "" || catalina.Undeployed(log, app.logName()) {
		return "", nil
	}
	// The root application may answer to everything, but it does not lead to
	// directories that it does not have.
	if s.server.URL == "" {
		return "", nil
	}
	answer, err := s.server.Get(ctx, app.location())
	if err == nil && answer.RedirectsTo(app.context+"/") {
		return fmt.Sprintf("%s%s still answers", s.server.URL, app.location()), nil
	}
	return "", nil
}

// isDown reports whether it is certain that the server does not run.
func (s settings) isDown(ctx context.Context) bool {
	if s.server.URL == "" {
		return false
	}
	return catalina.IsDown(s.server.Connect(ctx))
}

// discard deletes what the server has unpacked.
func (a application) discard() error {
	if !a.hasTracker() {
		return nil // not from a WAR file
	}
	if err := os.RemoveAll(a.dir); err != nil {
		return fmt.Errorf("delete what Tomcat has unpacked: %w", err)
	}
	return nil
}

func names[A interface{ name() string }](apps []A) []string {
	list := make([]string, len(apps))
	for i, app := range apps {
		list[i] = app.name()
	}
	return list
}
