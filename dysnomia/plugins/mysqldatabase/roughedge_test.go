package mysqldatabase

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

func TestRoughEdge_modules18(t *testing.T) {
	t.Run("modules 18: a dot in a name matches no other database", func(t *testing.T) {
		execute(t, "CREATE DATABASE bad1")
		t.Cleanup(func() { execute(t, "DROP DATABASE bad1") })
		f := fixture(t, "b.d1", map[string]string{"a.sql": notes})
		f.Do(dysnomia.Activate)
		f.Expect("active")
		expect(t, "notes", "SHOW TABLES FROM `b.d1`")
	})
	t.Run("modules 18: a name with a dash is quoted", func(t *testing.T) {
		f := fixture(t, "a-b", nil)
		f.Do(dysnomia.Activate)
		if !exists(t, "a-b") {
			t.Error("it was not created")
		}
	})
	t.Run("modules 18: a failing schema leaves no database that the next activation accepts", func(t *testing.T) {
		f := fixture(t, "half", map[string]string{"a.sql": notes, "b.sql": "SELECT 1;\nINSERT INTO nowhere VALUES (1);\n"})
		fails(t, f, dysnomia.Activate, "b.sql", "line 2", "nowhere")
		f.Expect("")
		if exists(t, "half") {
			t.Error("half a database has stayed")
		}
		fails(t, f, dysnomia.Activate, "nowhere")
	})
	t.Run("modules 18: an unreachable server is reported once", func(t *testing.T) {
		f := fixture(t, "unreachable", nil)
		f.Properties["mysqlSocket"], f.Properties["timeout"] = "/nonexistent/socket", "0"
		err := fails(t, f, dysnomia.Activate, "/nonexistent/socket")
		if strings.Count(err.Error(), "wait for") != 1 || f.Stdout+f.Stderr != "" {
			t.Errorf("error: %v, output: %s%s", err, f.Stdout, f.Stderr)
		}
	})
	t.Run("modules 18: routines and events are in a dump", func(t *testing.T) {
		f := fixture(t, "dumped", map[string]string{"a.sql": everything})
		f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Deactivate, dysnomia.CollectGarbage)
		f.Properties["timeout"] = "600"
		f.Do(dysnomia.Restore) // also without a database
		expectEverything(t, "dumped")
	})
	t.Run("modules 18: tables that were created after the snapshot vanish", func(t *testing.T) {
		f := fixture(t, "vanish", map[string]string{"a.sql": notes})
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		execute(t, "CREATE TABLE vanish.later (x INT)")
		f.Do(dysnomia.Restore)
		expect(t, "notes", "SHOW TABLES FROM vanish")
	})
	t.Run("modules 18: every operation waits for the server", func(t *testing.T) {
		f := fixture(t, "waits", nil)
		f.Properties["mysqlSocket"], f.Properties["timeout"] = "/nonexistent/socket", "0"
		fails(t, f, dysnomia.Snapshot, "did not happen within 0s")
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	t.Run("modules 29, item 5: equal content has the same id, whichever program made the dump", func(t *testing.T) {
		for _, line := range []string{`/*M!999999\- enable the sandbox mode */ `, `/*!999999\- enable the sandbox mode */`} {
			if !skipVersions([]byte(line)) {
				t.Errorf("%s is part of the content", line)
			}
		}
		if skipVersions([]byte("INSERT INTO `t` VALUES (1);")) {
			t.Error("rows are not part of the content")
		}
		one, two := fixture(t, "same-1", map[string]string{"a.sql": notes}), fixture(t, "same-2", map[string]string{"a.sql": notes})
		one.Do(dysnomia.Activate)
		two.Do(dysnomia.Activate)
		execute(t, "INSERT INTO `same-1`.notes VALUES (1, 'a'), (2, 'b'); INSERT INTO `same-2`.notes VALUES (2, 'b'); INSERT INTO `same-2`.notes VALUES (1, 'a')")
		one.Do(dysnomia.Snapshot)
		two.Do(dysnomia.Snapshot)
		if a, b := generations(t, one), generations(t, two); a[0] != b[0] {
			t.Errorf("%v and %v", a, b)
		}
	})
	t.Run("modules 29, item 6: a failing dump registers no snapshot", func(t *testing.T) {
		f := fixture(t, "unregistered", nil)
		f.Do(dysnomia.Activate)
		tools(t, f, map[string]string{"mariadb-dump": "echo half; exit 1"})
		fails(t, f, dysnomia.Snapshot, "exit status 1")
		if got := generations(t, f); len(got) != 0 {
			t.Errorf("generations: %v", got)
		}
	})
	// Item 7, a restore that is complete or not done at all, is
	// TestRestoreOfWhatDoesNotFit; item 8, passwords on command lines, is
	// TestPasswordIsPrivate; item 10, ports that are not used, is
	// TestSeveralServers; item 13, names that are not quoted, is
	// TestAwkwardNames.
	t.Run("modules 29, item 12: deactivating what was never activated succeeds", func(t *testing.T) {
		f := fixture(t, "never", nil)
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
}
