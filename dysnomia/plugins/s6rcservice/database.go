package s6rcservice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
)

// isLive reports whether s6-rc was initialised since the machine was started.
func (d *deployment) isLive() bool {
	_, err := os.Stat(d.liveDir)
	return err == nil
}

// apply compiles the definitions into a new database and makes s6-rc use it.
// Services that are in both databases go on. A database that is not used in the
// end is deleted.
func (d *deployment) apply(ctx context.Context) error {
	database := d.newDatabase()
	if _, err := tool.Run(ctx, d.r, "s6-rc-compile", database, d.serviceDir); err != nil {
		return d.abandon(database, fmt.Errorf("compile the services in %s: %w", d.serviceDir, err))
	}
	if d.isLive() {
		if _, err := tool.Run(ctx, d.r, "s6-rc-update", "-t", d.milliseconds(), "-l", d.liveDir, database); err != nil {
			return d.abandon(database, fmt.Errorf("let s6-rc use a new database: %w", err))
		}
	} else if _, err := tool.Run(ctx, d.r, "s6-rc-init", "-t", d.milliseconds(), "-c", database, "-l", d.liveDir, d.scanDir); err != nil {
		return d.abandon(database, fmt.Errorf("initialise s6-rc: %w: is s6-svscan running on %s?", err, d.scanDir))
	}
	if err := d.point(database); err != nil {
		return err
	}
	return d.cleanUp()
}

// newDatabase is a name that no database has ever had: an old one of the same
// name would be used as it is.
func (d *deployment) newDatabase() string {
	return filepath.Join(d.compileDir, fmt.Sprintf("compiled-%d-%d", time.Now().UnixNano(), os.Getpid()))
}

// abandon deletes a database, unless s6-rc has begun to use it.
func (d *deployment) abandon(database string, reason error) error {
	if d.used() == database {
		return reason
	}
	if err := os.RemoveAll(database); err != nil {
		return fmt.Errorf("%w; delete the database: %w", reason, err)
	}
	return reason
}

// used is the database that s6-rc uses, or nothing.
func (d *deployment) used() string {
	target, _ := os.Readlink(filepath.Join(d.liveDir, "compiled"))
	return target
}

// link is where the start scripts of the machine look for the database.
func (d *deployment) link() string { return filepath.Join(d.compileDir, "compiled") }

func (d *deployment) point(database string) error {
	temporary := filepath.Join(d.compileDir, ".dysnomia-compiled")
	_ = os.Remove(temporary) // of a crash
	if err := os.Symlink(database, temporary); err != nil {
		return fmt.Errorf("link the database of s6-rc: %w", err)
	}
	if err := os.Rename(temporary, d.link()); err != nil {
		return fmt.Errorf("link the database of s6-rc: %w", err)
	}
	return nil
}

// disposable are the names of databases that this plugin makes, or the
// original. Others belong to the administrator.
var disposable = regexp.MustCompile(`^compiled-(\d+-\d+|(activate|deactivate)-.*)$`)

// cleanUp deletes databases that nobody uses: the one before, and those that
// crashes have left.
func (d *deployment) cleanUp() error {
	entries, err := os.ReadDir(d.compileDir)
	if err != nil {
		return fmt.Errorf("find old databases of s6-rc: %w", err)
	}
	current, err := os.Readlink(d.link())
	if err != nil {
		return fmt.Errorf("find the database of s6-rc: %w", err)
	}
	for _, entry := range entries {
		database := filepath.Join(d.compileDir, entry.Name())
		if !disposable.MatchString(entry.Name()) || database == current || database == d.used() {
			continue
		}
		if err := os.RemoveAll(database); err != nil {
			return fmt.Errorf("delete an old database of s6-rc: %w", err)
		}
	}
	return nil
}

func (d *deployment) milliseconds() string { return fmt.Sprint(d.timeout.Milliseconds()) }

// change brings services up or down and waits for that. Those that they need,
// or that need them, follow.
func (d *deployment) change(ctx context.Context, direction string, names []string) error {
	verb := map[string]string{"-u": "start", "-d": "stop"}[direction]
	args := append([]string{"-t", d.milliseconds(), "-l", d.liveDir, direction, "change"}, names...)
	if _, err := tool.Run(ctx, d.r, "s6-rc", args...); err != nil {
		return fmt.Errorf("%s %s: %w", verb, strings.Join(names, ", "), err)
	}
	active, err := d.active(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.Contains(active, name) != (direction == "-u") {
			return fmt.Errorf("%s %s: s6-rc says that it did not", verb, name)
		}
	}
	return nil
}

// active returns the services that are up.
func (d *deployment) active(ctx context.Context) ([]string, error) {
	if !d.isLive() {
		return nil, nil
	}
	out, err := tool.Run(ctx, d.r, "s6-rc", "-l", d.liveDir, "-a", "list")
	if err != nil {
		return nil, fmt.Errorf("list the services of s6-rc: %w", err)
	}
	return strings.Fields(out), nil
}

// settle is how long a service must run that does not tell when it is ready. It
// is longer in tests of services that do not.
var settle = 100 * time.Millisecond

// checkRunning checks that the processes of services stay: s6-rc takes one that
// does not notify it for started as soon as there is a process.
func (d *deployment) checkRunning(ctx context.Context, names []string) error {
	for _, name := range names {
		dir := filepath.Join(d.liveDir, "servicedirs", name)
		if _, err := os.Stat(dir); err != nil {
			continue // one that has no process
		}
		pid, since := "", time.Now()
		err := await.Until(ctx, "service "+name+" to stay up", settle+time.Second, func(ctx context.Context) (bool, string, error) {
			if time.Since(since) < settle && exists(pid) {
				return false, "process " + pid, nil // there is no need to ask
			}
			out, err := tool.Run(ctx, d.r, "s6-svstat", "-o", "pid,exitcode", dir)
			if err != nil {
				return false, "", err
			}
			now, exitCode, _ := strings.Cut(strings.TrimSpace(out), " ")
			if now == "-1" || pid != "" && now != pid {
				return false, "", fmt.Errorf("its process has ended, the last exit code is %s", exitCode)
			}
			pid = now
			return time.Since(since) >= settle, "process " + pid, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// exists reports whether there is a process with that id.
func exists(pid string) bool {
	number, err := strconv.Atoi(pid)
	if err != nil || number <= 0 {
		return false
	}
	err = syscall.Kill(number, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
