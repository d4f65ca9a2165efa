package mongodatabase

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

func TestWithoutSecrets(t *testing.T) {
	for args, want := range map[string][2]string{
		"--gzip --excludeCollection=log":                  {"--gzip --excludeCollection=log", ""},
		"--username=me --password=s'e\"c --gzip":          {"--username=me --gzip", "password: \"s'e\\\"c\"\n"},
		"--password secret -u me":                         {"-u me", "password: \"secret\"\n"},
		"-p secret":                                       {"", "password: \"secret\"\n"},
		"-psecret":                                        {"", "password: \"secret\"\n"},
		"--uri=mongodb://me:secret@localhost/ --gzip":     {"--gzip", "uri: \"mongodb://me:secret@localhost/\"\n"},
		"--sslPEMKeyPassword x --ssl --config=/etc/mongo": {"error", ""},
		"--ssl --config=/etc/mongo":                       {"--ssl --config=/etc/mongo", ""},
		"--gzip --password":                               {"error", ""},
	} {
		others, config, err := withoutSecrets(strings.Fields(args))
		got := strings.Join(others, " ")
		if err != nil {
			got = "error"
		}
		if got != want[0] || config != want[1] {
			t.Errorf("%s: %q, %q, %v", args, got, config, err)
		}
	}
}

// TestPasswordIsPrivate: what is in the arguments of the container does not get
// into those of the programs.
func TestPasswordIsPrivate(t *testing.T) {
	f := fixture(t, map[string]string{"a.js": "db.createCollection(\"one\")\n"})
	seen := filepath.Join(t.TempDir(), "seen")
	for name, script := range map[string]string{"mongodump": dumpStandIn, "mongorestore": restoreStandIn} {
		put(t, filepath.Join(f.Properties["tools"], name), "#!/bin/bash\nport="+f.Properties["mongoPort"]+"\nroot='"+f.Properties["root"]+"'\n"+`
echo "$*" >> `+seen+`
for arg in "$@"; do case $arg in --config=*) stat -c %a "${arg#--config=}" >> `+seen+`; cat "${arg#--config=}" >> `+seen+` ;; esac; done
`+script)
	}
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	f.Properties["mongoDumpArgs"], f.Properties["mongoRestoreArgs"] = "--username=me --password=secret", "-p secret"
	f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore)
	content, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	if len(lines) != 9 { // one dump and two restores
		t.Fatalf("seen: %q", lines)
	}
	for i := 0; i < len(lines); i += 3 {
		if strings.Contains(lines[i], "secret") || lines[i+1] != "600" || lines[i+2] != `password: "secret"` {
			t.Errorf("seen: %q", lines[i:i+3])
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
