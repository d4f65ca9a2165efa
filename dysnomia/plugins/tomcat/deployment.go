package tomcat

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/catalina"
)

// grace is how long the parts of a verdict may come after each other: the log
// of the host after that of the server, an answer after the log.
const grace = 2 * time.Second

// deployment observes how the server deploys applications.
type deployment struct {
	settings
	log  *catalina.Log
	apps []*observed
}

// observed is an application and what was seen of it.
type observed struct {
	application
	// served says that there was an application at its path before.
	served   bool
	modified time.Time // the age of the WAR file before
	finished time.Time // when the log said so
	done     bool
	// asked is when the server was asked, the others are what was seen then.
	asked            time.Time
	unpacked, serves bool
	down             bool
	seen             string
}

// begin remembers what there is before the files are put into their places.
func (s settings) begin(ctx context.Context, apps []application) *deployment {
	d := &deployment{settings: s, log: s.server.Follow()}
	for _, app := range apps {
		o := &observed{application: app}
		if info, err := os.Lstat(app.war); err == nil {
			o.modified = info.ModTime()
		}
		o.served, _ = s.serves(ctx, app)
		d.apps = append(d.apps, o)
	}
	return d
}

// serves reports whether there is an application at the path, and otherwise
// what is seen there. Tomcat leads from the name of an application to its
// directory; an application may do something else, but then it is not "not
// found".
func (s settings) serves(ctx context.Context, app application) (bool, string) {
	if s.server.URL == "" {
		return false, "where Tomcat answers is not known: set tomcatPort"
	}
	path := app.location()
	answer, err := s.server.Get(ctx, path)
	switch {
	case err != nil:
		return false, err.Error()
	case answer.Status == 404 || answer.Status == 503:
		return false, fmt.Sprintf("%s%s answers %d", s.server.URL, path, answer.Status)
	}
	return true, ""
}

// await waits until the server has deployed all applications.
func (d *deployment) await(ctx context.Context, r *dysnomia.Request) error {
	for _, app := range d.apps {
		if err := d.refresh(ctx, app); err != nil {
			return err
		}
	}
	return await.Until(ctx, "Tomcat to deploy "+strings.Join(names(d.apps), ", "), d.deployTimeout, func(ctx context.Context) (bool, string, error) {
		log := d.log.Read()
		var missing []string
		for _, app := range d.apps {
			if app.done {
				continue
			}
			done, status, err := d.look(ctx, r, app, log)
			if err != nil {
				return false, "", err
			}
			if app.done = done; !done {
				missing = append(missing, fmt.Sprintf("%s: %s", app.name(), status))
			}
		}
		return len(missing) == 0, strings.Join(missing, "; "), nil
	})
}

// refresh makes the server look again at a WAR file that was there before, but
// has not become an application.
func (d *deployment) refresh(ctx context.Context, app *observed) error {
	info, err := os.Stat(app.war)
	if err != nil || !info.ModTime().Equal(app.modified) {
		return err
	}
	served, _ := d.serves(ctx, app.application)
	if served || d.server.URL == "" && app.isUnpacked() {
		app.done = true
		return nil
	}
	now := time.Now()
	return os.Chtimes(app.war, now, now)
}

// look decides whether an application is deployed. What the server answers and
// what it writes to its log complement each other: the log knows why something
// failed, but may be kept elsewhere; an answer does not tell two versions
// apart, nor the root application from nothing.
func (d *deployment) look(ctx context.Context, r *dysnomia.Request, app *observed, log map[string][]catalina.Record) (done bool, status string, err error) {
	// In this order: what was unpacked before the answer is what answers.
	unpacked := app.isUnpacked()
	verdict := catalina.Judge(log, app.war, app.descriptor)
	news := verdict.Finished && app.finished.IsZero()
	if news || time.Since(app.asked) > catalina.RequestInterval {
		app.serves, app.seen = d.serves(ctx, app.application)
		app.down = !app.serves && d.isDown(ctx)
		app.asked, app.unpacked = time.Now(), unpacked
	}
	if news {
		app.finished = time.Now() // a slow answer has not used up the grace
	}
	served, seen := app.serves, app.seen
	late := !app.finished.IsZero() && time.Since(app.finished) > grace
	switch {
	case verdict.Failed && (verdict.Reason != "" || late):
		return false, "", d.failure(app, verdict)
	case verdict.Failed:
		return false, "it does not start", nil
	case verdict.Finished && (served || d.server.URL == "" || app.context == ""):
		return true, "", nil
	case verdict.Finished && late:
		return false, "", fmt.Errorf("the log of Tomcat says that %s is deployed, but %s: does another program listen there?", app.name(), seen)
	case served && (!app.served || app.unpacked):
		return true, "", nil
	case app.down:
		return false, "", d.server.Ended()
	case d.server.URL == "" && unpacked && len(log) == 0:
		fmt.Fprintf(r.Stderr, "Tomcat has unpacked %s. Whether it has started it is not known: set tomcatPort.\n", app.name())
		return true, "", nil
	case served:
		seen = "the former version still answers"
	}
	return false, seen, nil
}

func (d *deployment) failure(app *observed, v catalina.Verdict) error {
	if v.Reason == "" {
		v.Reason = "see its log"
	}
	return fmt.Errorf("Tomcat cannot start %s: %s (log: %s/logs)", app.name(), v.Reason, d.server.Base)
}
