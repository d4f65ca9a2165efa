package mysqldatabase

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/test/mariadbtest"
)

func request(b *testing.B, s *mariadbtest.Server, path string) *dysnomia.Request {
	b.Helper()
	properties := map[string]string{"mysqlUsername": "root", "mysqlPassword": mariadbtest.Root, "mysqlSocket": s.Socket}
	return &dysnomia.Request{
		Component: path, ComponentName: filepath.Base(path), Container: "mysql-database", Properties: properties,
		Environment: os.Environ(), State: &dysnomia.State{Dir: filepath.Join(b.TempDir(), "state")},
	}
}

// BenchmarkActivate is the activation of a component whose database exists,
// and of it what the server needs for the same statements.
func BenchmarkActivate(b *testing.B) {
	path := filepath.Join(b.TempDir(), "activated")
	if err := os.Mkdir(path, 0o755); err != nil {
		b.Fatal(err)
	}
	r := request(b, server, path)
	b.Run("plugin", func(b *testing.B) {
		for b.Loop() {
			if err := (Plugin{}).Activate(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("server", func(b *testing.B) {
		s, err := readSettings(r)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			pool, err := s.pool()
			if err != nil {
				b.Fatal(err)
			}
			session, err := s.connect(b.Context(), pool)
			if err != nil {
				b.Fatal(err)
			}
			d := &database{name: "activated", session: session, settings: s}
			if err := d.lock(b.Context(), "dysnomia-benchmark"); err != nil {
				b.Fatal(err)
			}
			for _, name := range []string{"activated", "dysnomia-unfinished"} {
				if _, err := d.exists(b.Context(), name); err != nil {
					b.Fatal(err)
				}
			}
			session.Close()
			pool.Close()
		}
	})
}

// BenchmarkLargeDatabase moves 200 MB of rows into a snapshot and back, by the
// plugin and by hand. Each round does both, so that what else the machine does
// concerns both.
func BenchmarkLargeDatabase(b *testing.B) {
	dir, err := os.MkdirTemp("", "large-") // on disk, as databases are
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := mariadbtest.NewAt(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			b.Error(err)
		}
	}()
	path := filepath.Join(b.TempDir(), "large")
	if err := os.MkdirAll(filepath.Join(path, "mysql-databases"), 0o755); err != nil {
		b.Fatal(err)
	}
	writeLargeSchema(b, filepath.Join(path, "mysql-databases", "a.sql"))
	r := request(b, s, path)
	if err := (Plugin{}).Activate(b.Context(), r); err != nil {
		b.Fatal(err)
	}
	settings, err := readSettings(r)
	if err != nil {
		b.Fatal(err)
	}
	options := filepath.Join(b.TempDir(), "options")
	if err := os.WriteFile(options, []byte(settings.clientOptions()), 0o600); err != nil {
		b.Fatal(err)
	}
	byHand := func(script string) time.Duration {
		begin := time.Now()
		cmd := osexec.Command("bash", "-euo", "pipefail", "-c", script, "bash", options, filepath.Join(dir, "dump.zst"))
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		return time.Since(begin)
	}
	byPlugin := func(run func() error) time.Duration {
		begin := time.Now()
		if err := run(); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	var hand, plugin [2]time.Duration
	rounds := 0
	for b.Loop() {
		r.State = &dysnomia.State{Dir: filepath.Join(dir, fmt.Sprint("state", rounds))}
		operations := [][2]func(){
			{func() {
				hand[0] += byHand(`mysqldump --defaults-file="$1" --single-transaction --quick large | zstd -q -f -o "$2"`)
			}, func() {
				plugin[0] += byPlugin(func() error { return Plugin{}.Snapshot(b.Context(), r) })
			}},
			{func() {
				hand[1] += byHand(`zstd -dcq "$2" | mysql --defaults-file="$1" large`)
			}, func() {
				plugin[1] += byPlugin(func() error { return Plugin{}.Restore(b.Context(), r) })
			}},
		}
		for _, both := range operations {
			for i := range both {
				settle(b, s)
				both[(i+rounds)%2]()
			}
		}
		rounds++
	}
	total := func(d [2]time.Duration) float64 { return (d[0] + d[1]).Seconds() / float64(rounds) }
	b.ReportMetric(total(hand), "byhand-s/op")
	b.ReportMetric(total(plugin), "plugin-s/op")
	b.ReportMetric(total(plugin)/total(hand), "plugin/byhand")
	b.ReportMetric(hand[0].Seconds()/float64(rounds), "byhand-dump-s/op")
	b.ReportMetric(plugin[0].Seconds()/float64(rounds), "plugin-dump-s/op")
	b.ReportMetric(peakMemory(b), "peak-MB")
	latest, err := r.State.LatestSnapshot(r.Container, r.ComponentName)
	if err != nil {
		b.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(latest, dumpFile)); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "snapshot-MB")
	}
}

// peakMemory is the most that this process ever had in memory, in megabytes.
func peakMemory(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes float64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		b.Fatal(err)
	}
	return kilobytes / 1e3
}

// settle waits until the server has written what the operations before have
// changed, which would slow down the next.
func settle(b *testing.B, s *mariadbtest.Server) {
	b.Helper()
	pool := s.Pool(b)
	defer pool.Close()
	if _, err := pool.Exec("SET GLOBAL innodb_max_dirty_pages_pct_lwm = 0.001; SET GLOBAL innodb_max_dirty_pages_pct = 0"); err != nil {
		b.Fatal(err)
	}
	err := await.Until(b.Context(), "the server to be idle", time.Minute, func(ctx context.Context) (bool, string, error) {
		var name string
		var dirty int
		err := pool.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'").Scan(&name, &dirty)
		return dirty == 0, fmt.Sprint(dirty, " pages are dirty"), err
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := pool.Exec("SET GLOBAL innodb_max_dirty_pages_pct = 90; SET GLOBAL innodb_max_dirty_pages_pct_lwm = 0"); err != nil {
		b.Fatal(err)
	}
}

func writeLargeSchema(b *testing.B, name string) {
	b.Helper()
	file, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 5000)
	for i := range words {
		letters := make([]byte, 3+random.IntN(7))
		for j := range letters {
			letters[j] = 'a' + byte(random.IntN(26))
		}
		words[i] = string(letters)
	}
	word := func() string { return words[random.IntN(len(words))] }
	fmt.Fprintln(w, "CREATE TABLE staff (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(60), email VARCHAR(80), room INT, notes TEXT, hired DATETIME, KEY (email));")
	for size, n := 0, 0; size < 200e6; {
		fmt.Fprint(w, "INSERT INTO staff VALUES ")
		for i := range 4000 {
			var notes []string
			for range 14 {
				notes = append(notes, word())
			}
			row := fmt.Sprintf("(NULL,'%s %s','%s.%s%d@example.org',%d,'%s','20%02d-%02d-%02d 10:00:00')",
				word(), word(), word(), word(), n, random.IntN(9999), strings.Join(notes, " "), random.IntN(27), 1+random.IntN(12), 1+random.IntN(28))
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprint(w, row)
			size += len(row)
			n++
		}
		fmt.Fprintln(w, ";")
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
}
