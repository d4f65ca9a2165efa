package dbusservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/godbus/dbus/v5"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbuswire"
)

// methods returns what is called for each method (protocol, 1.2 and 1.3). The
// types of the functions are the methods' signatures.
func (s *Server) methods() map[string]any {
	type message = dbus.Message
	type failure = *dbus.Error
	table := map[string]any{
		dbuswire.GetJobID:  s.getJobID,
		dbuswire.GetLogDir: func() (string, failure) { return s.logs.path, nil },
		dbuswire.Cancel:    s.cancelJob,
		dbuswire.Claim:     s.claim,
		"import": func(m message, id int32, file string) failure {
			return s.begin(m, id, job{title: "Importing: " + file, run: importClosure(file)})
		},
		"export": func(m message, id int32, paths []string) failure {
			return s.begin(m, id, job{"Exporting: " + list(paths), true, exportClosure(paths)})
		},
		"set": func(m message, id int32, profile, path string) failure {
			return s.begin(m, id, simple("Set profile: "+profile+" with derivation: "+path,
				func(r *running) error { return r.SetProfile(r.ctx, profile, path) }))
		},
		"query_installed": func(m message, id int32, profile string) failure {
			return s.begin(m, id, job{"Query installed derivations from profile: " + profile, true,
				func(r *running) ([]string, error) {
					manifest, err := r.QueryInstalled(r.ctx, profile)
					return []string{string(manifest)}, err
				}})
		},
		"collect_garbage": func(m message, id int32, deleteOld bool) failure {
			title := "Garbage collect"
			if deleteOld {
				title = "Garbage collect and remove old derivations"
			}
			return s.begin(m, id, simple(title, func(r *running) error { return r.CollectGarbage(r.ctx, deleteOld) }))
		},
		"lock": func(m message, id int32, profile string) failure {
			return s.begin(m, id, simple("Acquiring lock on profile: "+profile,
				func(r *running) error { return r.Lock(r.ctx, profile) }))
		},
		"unlock": func(m message, id int32, profile string) failure {
			return s.begin(m, id, simple("Releasing lock on profile: "+profile,
				func(r *running) error { return r.Unlock(r.ctx, profile) }))
		},
		"import_snapshots": func(m message, id int32, container, component string, paths []string) failure {
			return s.begin(m, id, simple("Import snapshots: "+list(paths),
				func(r *running) error { return r.RegisterSnapshots(r.ctx, container, component, paths) }))
		},
		"clean_snapshots": func(m message, id int32, keep int32, container, component string) failure {
			return s.begin(m, id, simple(cleanTitle(keep, container, component),
				func(r *running) error { return r.CleanSnapshots(r.ctx, int(keep), container, component) }))
		},
		"capture_config": func(m message, id int32) failure {
			return s.begin(m, id, job{"", true, captureConfig})
		},
	}
	for name, l := range lists {
		table[name] = func(m message, id int32, names []string) failure {
			return s.begin(m, id, job{l.title + list(names), true, func(r *running) ([]string, error) {
				return l.query(r.Service, r.ctx, names)
			}})
		}
	}
	for name, q := range snapshotQueries {
		table[name] = func(m message, id int32, container, component string) failure {
			return s.begin(m, id, job{q.title + container + " and component: " + component, true,
				func(r *running) ([]string, error) { return q.query(r.Service, r.ctx, container, component) }})
		}
	}
	for name, a := range activities {
		table[name] = func(m message, id int32, component, container, kind string, arguments []string) failure {
			title := fmt.Sprintf("%s: %s of type: %s in container: %s with arguments: %s",
				a.title, component, kind, container, list(withoutValues(arguments)))
			return s.begin(m, id, simple(title, func(r *running) error {
				return a.run(r.Service, r.ctx, service.Activity{
					Component: component, Container: container, Type: kind, Arguments: arguments, Output: r.log,
				})
			}))
		}
	}
	return table
}

func (s *Server) getJobID(call dbus.Message) (int32, *dbus.Error) {
	id, err := s.jobs.assign(sender(call))
	if err == nil {
		s.log.printf("Assigned job id: %d", id)
	}
	return id, err
}

func (s *Server) cancelJob(call dbus.Message, id int32) *dbus.Error {
	if err := checkSignature(call); err != nil {
		return err
	}
	return s.jobs.stopJob(id, sender(call))
}

// claim takes note of the lock on behalf of which a job is going to run.
func (s *Server) claim(call dbus.Message, id int32, text string) *dbus.Error {
	if err := checkSignature(call); err != nil {
		return err
	}
	ctx, err := service.WithEncodedClaim(s.ctx, text)
	if err != nil {
		return dbusError("InvalidArgs", err.Error())
	}
	claim, ok := service.ClaimOf(ctx)
	if !ok {
		return dbusError("InvalidArgs", "the claim to a lock is empty")
	}
	return s.jobs.claim(id, sender(call), claim)
}

// lists are the methods from a list to lines.
var lists = map[string]struct {
	title string
	query func(service.Service, context.Context, []string) ([]string, error)
}{
	"print_invalid":           {"Print invalid: ", service.Service.PrintInvalid},
	"realise":                 {"Realising: ", service.Service.Realise},
	"query_requisites":        {"Query requisites from derivations: ", service.Service.QueryRequisites},
	"print_missing_snapshots": {"Print missing snapshots: ", service.Service.PrintMissingSnapshots},
	"resolve_snapshots":       {"Resolve snapshots: ", service.Service.ResolveSnapshots},
}

// snapshotQueries are the methods from a container and component to lines.
var snapshotQueries = map[string]struct {
	title string
	query func(service.Service, context.Context, string, string) ([]string, error)
}{
	"query_all_snapshots":   {"Query all snapshots from container: ", service.Service.QueryAllSnapshots},
	"query_latest_snapshot": {"Query latest snapshot from container: ", service.Service.QueryLatestSnapshot},
}

// activities are the methods that run a plugin.
var activities = map[string]struct {
	title string
	run   func(service.Service, context.Context, service.Activity) error
}{
	"activate":     {"activate", service.Service.Activate},
	"deactivate":   {"deactivate", service.Service.Deactivate},
	"delete_state": {"collect-garbage", service.Service.DeleteState},
	"snapshot":     {"snapshot", service.Service.Snapshot},
	"restore":      {"restore", service.Service.Restore},
}

// simple is a job without results.
func simple(title string, run func(*running) error) job {
	return job{title: title, run: func(r *running) ([]string, error) { return nil, run(r) }}
}

// list shows a list as the original's logs do.
func list(words []string) string {
	var line strings.Builder
	for _, word := range words {
		line.WriteString(word + " ")
	}
	return line.String()
}

// withoutValues replaces the values of properties, which may be secret.
func withoutValues(arguments []string) []string {
	names := make([]string, len(arguments))
	for i, argument := range arguments {
		names[i] = "***"
		if name, _, ok := strings.Cut(argument, "="); ok {
			names[i] = name + "=***"
		}
	}
	return names
}

func cleanTitle(keep int32, container, component string) string {
	title := "Clean old snapshots"
	if container != "" {
		title += " for container: " + container
	}
	if component != "" {
		title += " for component: " + component
	}
	return fmt.Sprintf("%s num of generations to keep: %d!", title, keep)
}

// importClosure imports a file of the caller. Anything but a regular file
// could block for ever.
func importClosure(path string) func(*running) ([]string, error) {
	return func(r *running) ([]string, error) {
		file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			defer file.Close()
			var info os.FileInfo
			if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() {
				err = errors.New("it is not a regular file")
			}
		}
		if err != nil {
			r.server.log.printf("Cannot open closure file: [%s]", path)
			return nil, fmt.Errorf("open closure file %s: %w", path, err)
		}
		_, err = r.ImportClosure(r.ctx, file)
		return nil, err
	}
}

// exportClosure answers with the name of a file that the caller removes. The
// content of the Nix store is no secret.
func exportClosure(paths []string) func(*running) ([]string, error) {
	return func(r *running) ([]string, error) {
		return one(r.temporaryFile(0o644, func(w io.Writer) error { return r.ExportClosure(r.ctx, paths, w) }))
	}
}

// captureConfig answers with the name of a file that only the caller can read,
// and that it removes: containers have passwords.
func captureConfig(r *running) ([]string, error) {
	config, err := r.CaptureConfig(r.ctx)
	if err != nil {
		return nil, err
	}
	return one(r.temporaryFile(0o600, func(w io.Writer) error {
		_, err := io.WriteString(w, config)
		return err
	}))
}

func one(result string, err error) ([]string, error) { return []string{result}, err }
