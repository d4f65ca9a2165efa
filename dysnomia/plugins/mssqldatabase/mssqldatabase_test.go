package mssqldatabase

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// sqlcmd is a stand-in for the client, with databases that are files. Its log
// has all arguments.
const sqlcmd = `#!/usr/bin/env perl
use strict;
my $dir = $ENV{databases};
open(my $log, ">>", "$dir/.log"); print $log join(" ", @ARGV), "\n"; close $log;
my %o;
while (@ARGV) { my $a = shift; $o{$a} = $a =~ /^-[SUQdi]$/ ? shift : 1; }
sub fail { print "Msg $_[0], Level 16, State 1\n$_[1]\n"; exit 1 }
-e "$dir/.down" and fail(53, "Named Pipes Provider: Could not open a connection to SQL Server.");
$o{"-U"} ne "sa" || $ENV{SQLCMDPASSWORD} eq "s3cret" or fail(18456, "Login failed for user 'sa'.");
$o{"-b"} or die "without -b";
sub name { my $n = shift; $n =~ s/\]\]/]/g; "$dir/db-$n" }
if ($o{"-Q"} =~ /WHERE name = N'(.*)'\) THEN/) {
    my $n = $1; $n =~ s/''/'/g;
    printf "%s\n-------\n%s\n", " " x 7, -e "$dir/db-$n" ? "present" : "absent ";
} elsif ($o{"-Q"} =~ /^CREATE DATABASE \[(.*)\]$/) {
    open(my $f, ">", name($1)) or die; close $f;
} elsif ($o{"-Q"} =~ /^DROP DATABASE \[(.*)\]$/) {
    unlink name($1) or fail(3701, "Cannot drop the database.");
} elsif ($o{"-i"}) {
    open(my $in, "<", $o{"-i"}) or die; my $sql = join "", <$in>;
    $sql =~ /SYNTAX ERROR/ and fail(102, "Incorrect syntax near 'ERROR'.");
    open(my $f, ">>", "$dir/db-$o{'-d'}") or die; print $f $sql;
} else { die "unknown: $o{'-Q'}" }
`

var config = plugintest.Config{
	Type:   "mssql-database",
	Plugin: Plugin{},
	New: func(t *testing.T) plugintest.Component {
		return component(t, map[string]string{"a.sql": "CREATE TABLE a;\n"})
	},
	Broken: func(t *testing.T) plugintest.Component {
		return component(t, map[string]string{"a.sql": "SYNTAX ERROR"})
	},
}

func component(t *testing.T, scripts map[string]string) plugintest.Component {
	t.Helper()
	dir := t.TempDir()
	client := filepath.Join(dir, ".sqlcmd")
	if err := os.WriteFile(client, []byte(sqlcmd), 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for name, content := range scripts {
		files["mssql-databases/"+name] = content
	}
	properties := map[string]string{"sqlcmd": client, "databases": dir, "msSqlUsername": "sa", "msSqlPassword": "s3cret"}
	return plugintest.NewComponent(t, "mssql-database", properties, files)
}

func fixture(t *testing.T, scripts map[string]string) *plugintest.Fixture {
	t.Helper()
	return plugintest.NewFixture(t, config, component(t, scripts))
}

func database(f *plugintest.Fixture, name string) string {
	content, err := os.ReadFile(filepath.Join(f.Properties["databases"], "db-"+name))
	if err != nil {
		return err.Error()
	}
	return string(content)
}

func TestConformance(t *testing.T) { plugintest.Run(t, config) }

func TestSchema(t *testing.T) {
	f := fixture(t, map[string]string{"b.sql": "INSERT 1;\n", "a.sql": "CREATE TABLE a;\n", "README": "no"})
	f.Do(dysnomia.Activate, dysnomia.Activate, dysnomia.Deactivate)
	f.Expect("")
	if got := database(f, "component"); got != "CREATE TABLE a;\nINSERT 1;\n" {
		t.Errorf("%q", got)
	}
	f = fixture(t, nil)
	f.Do(dysnomia.Activate)
	if got := database(f, "component"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestFailures(t *testing.T) {
	f := fixture(t, map[string]string{"a.sql": "CREATE TABLE a;\n", "b.sql": "SYNTAX ERROR"})
	err := f.Run(t.Context(), dysnomia.Activate)
	if err == nil || !strings.Contains(err.Error(), "b.sql") || !strings.Contains(err.Error(), "Incorrect syntax") {
		t.Errorf("error: %v", err)
	}
	if got := database(f, "component"); !strings.Contains(got, "no such file") {
		t.Errorf("an incomplete database is left: %q", got)
	}
	f = fixture(t, nil)
	f.Properties["msSqlPassword"] = "wrong-s3cret"
	err = f.Run(t.Context(), dysnomia.Activate)
	if err == nil || !strings.Contains(err.Error(), "Login failed") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error: %v", err)
	}
	f = fixture(t, nil)
	if err := os.WriteFile(filepath.Join(f.Properties["databases"], ".down"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "Could not open a connection") {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
	f.Properties["sqlcmd"] = "no-such-client"
	if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "no-such-client") {
		t.Errorf("error: %v", err)
	}
}

func TestRoughEdge_modules24(t *testing.T) {
	t.Run("modules 24: a schema that failed is not taken for complete later", func(t *testing.T) {
		f := fixture(t, map[string]string{"a.sql": "CREATE TABLE a;\n", "b.sql": "SYNTAX ERROR"})
		for range 2 {
			if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "b.sql") {
				t.Errorf("error: %v", err)
			}
			f.Expect("")
		}
	})
	t.Run("modules 24: deactivation keeps the database", func(t *testing.T) {
		f := fixture(t, map[string]string{"a.sql": "CREATE TABLE a;\n"})
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		if got := database(f, "component"); got != "CREATE TABLE a;\n" {
			t.Errorf("%q", got)
		}
	})
}

func TestShellHelp(t *testing.T) {
	f := fixture(t, nil)
	f.Do(dysnomia.Shell)
	if !strings.Contains(f.Stderr, "-U 'sa' -d 'component'") || strings.Contains(f.Stderr, "s3cret") {
		t.Error(f.Stderr)
	}
}

func TestRoughEdge_modules29(t *testing.T) {
	t.Run("modules 29, item 8: the password is not in the arguments", func(t *testing.T) {
		f := fixture(t, map[string]string{"a.sql": ""})
		f.Do(dysnomia.Activate)
		log, err := os.ReadFile(filepath.Join(f.Properties["databases"], ".log"))
		if err != nil || strings.Contains(string(log), "s3cret") || strings.Count(string(log), "\n") != 3 {
			t.Errorf("%s, %v", log, err)
		}
	})
	t.Run("modules 29, item 13: any name is quoted", func(t *testing.T) {
		const name = "it's a-[db]; DROP"
		f := fixture(t, nil)
		path := filepath.Join(filepath.Dir(f.Path), name)
		if err := os.Rename(f.Path, path); err != nil {
			t.Fatal(err)
		}
		f.Path = path
		f.Do(dysnomia.Activate, dysnomia.Activate)
		if got := database(f, name); got != "" {
			t.Errorf("%q", got)
		}
	})
}
