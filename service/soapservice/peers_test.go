package soapservice_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/service/soapservice"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
	"github.com/disnix-go/disnix/test/nixtest"
)

// wantRecord is what the plugin is asked for.
var wantRecord = func() (record string) {
	for _, activity := range []string{"activate", "deactivate", "snapshot", "restore", "collect-garbage"} {
		record += activity + " in box: hällo & ]]>\n"
	}
	return record
}()

// TestPeers lets clients that others have written call all operations
// of this machine, with a password. Each of them prints what it gets.
func TestPeers(t *testing.T) {
	peers, err := filepath.Abs("testdata/peers")
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string]func(t *testing.T, s *server) *exec.Cmd{
		"zeep, SOAP 1.1": func(*testing.T, *server) *exec.Cmd {
			return exec.Command("/usr/bin/python3", filepath.Join(peers, "zeep_client.py"), "1.1")
		},
		"zeep, SOAP 1.2": func(*testing.T, *server) *exec.Cmd {
			return exec.Command("/usr/bin/python3", filepath.Join(peers, "zeep_client.py"), "1.2")
		},
		"SOAP::Lite": func(*testing.T, *server) *exec.Cmd {
			return exec.Command("/usr/bin/perl", filepath.Join(peers, "soaplite_client.pl"))
		},
		"PHP": func(*testing.T, *server) *exec.Cmd {
			return exec.Command("php", filepath.Join(peers, "client.php"))
		},
		"node, MTOM": func(*testing.T, *server) *exec.Cmd {
			return exec.Command("node", filepath.Join(peers, "node/client.js"))
		},
		"gSOAP, base64": func(t *testing.T, s *server) *exec.Cmd { return exec.Command(gsoapClient(t, peers, s)) },
		"gSOAP, MTOM":   func(t *testing.T, s *server) *exec.Cmd { return exec.Command(gsoapClient(t, peers, s), "mtom") },
	} {
		t.Run(name, func(t *testing.T) {
			root := nixtest.Store(t)
			t.Cleanup(func() { wantEmpty(t, filepath.Join(root, "tmp")) })
			recordActivities(t, root)
			s := serveWithPassword(t, root)
			environment, want := peerScenario(t, root, s)
			cmd := command(t, s)
			cmd.Env = append(os.Environ(), environment...)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("%v: %s", err, &stderr)
			}
			if string(out) != want {
				t.Errorf("it prints\n%swant\n%s", out, want)
			}
			record, err := os.ReadFile(filepath.Join(root, "record"))
			if err != nil || string(record) != wantRecord {
				t.Errorf("the plugin was asked for %q, %v", record, err)
			}
			wantAllOperations(t, s)
		})
	}
}

// wantAllOperations checks in the log that all operations of the WSDL were asked
// for.
func wantAllOperations(t *testing.T, s *server) {
	t.Helper()
	names := regexp.MustCompile(`<wsdl:operation name="(\w+)">`).FindAllSubmatch(soapwire.WSDL(s.url), -1)
	if len(names) == 0 {
		t.Error("the WSDL has no operation")
	}
	for _, name := range names {
		line := regexp.MustCompile(`status=200 .* operation=` + string(name[1]) + `\b`)
		// The line is written when the client has its answer.
		eventually(t, string(name[1])+" was asked for", func() bool { return line.MatchString(s.log.String()) })
	}
}

// gsoap is the client that gSOAP and a C compiler have made of the WSDL.
var gsoap struct {
	sync.Once
	binary []byte
}

// gsoapClient builds the client once, and returns a copy of it.
func gsoapClient(t *testing.T, peers string, s *server) string {
	t.Helper()
	dir := t.TempDir()
	gsoap.Do(func() {
		response, err := s.client.Do(s.get("?wsdl"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		wsdl, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		nixtest.File(t, dir, "service.wsdl", string(wsdl))
		for _, args := range [][]string{
			{"wsdl2h", "-c", "-P", "-o", "service.h", "service.wsdl"},
			{"soapcpp2", "-c", "-C", "-L", "-x", "service.h"},
			{"gcc", "-O0", "-o", "client", "-I.", filepath.Join(peers, "gsoap_client.c"), "soapC.c", "soapClient.c", "-lgsoapssl", "-lssl", "-lcrypto", "-lz"},
		} {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", args[0], err, out)
			}
		}
		if gsoap.binary, err = os.ReadFile(filepath.Join(dir, "client")); err != nil {
			t.Fatal(err)
		}
	})
	client := filepath.Join(dir, "gsoap-client")
	if err := os.WriteFile(client, gsoap.binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return client
}

// get returns a request for a description.
func (s *server) get(query string) *http.Request {
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.url+query, nil)
	if err != nil {
		s.Fatal(err)
	}
	request.SetBasicAuth(s.user, s.password)
	return request
}

// recordActivities makes a plugin that writes what it is asked for to a file.
func recordActivities(t *testing.T, root string) {
	t.Helper()
	plugin := nixtest.File(t, root, "modules/recorder", "#!/bin/sh\necho \"$1 in $3: $greeting\" >> "+root+"/record\n")
	if err := os.Chmod(plugin, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DYSNOMIA_MODULES_PATH", filepath.Dir(plugin))
	t.Setenv("DYSNOMIA_CONTAINERS_PATH", filepath.Dir(nixtest.File(t, root, "containers/box", "type=recorder\n")))
	t.Setenv("DYSNOMIA_PROPERTIES", nixtest.File(t, root, "properties", "hostname=here\n"))
}

func serveWithPassword(t *testing.T, root string) *server {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	users := nixtest.File(t, root, "users", "admin:"+string(hash)+"\n")
	s := serveLocal(t, func(_ *soapservice.Config, c *webserver.Config) { c.PasswordFile = users })
	s.user, s.password = "admin", "secret"
	return s
}

// profile adds a profile without services to the Nix store.
func profile(t *testing.T, root string) string {
	t.Helper()
	manifest := nixtest.File(t, root, "sources/profile/profilemanifest.xml", "<profilemanifest version=\"2\">\n</profilemanifest>\n")
	out, err := nix.Output(t.Context(), "nix-store", "--add", filepath.Dir(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// peerScenario returns the environment of a client and what it has to print.
func peerScenario(t *testing.T, root string, s *server) (environment []string, want string) {
	t.Helper()
	good, _ := store(t, root, "good", "good")
	uploaded, closure := store(t, root, "uploaded", strings.Repeat("\x00\xff\r\n--B--", 20_000))
	if _, err := nix.Output(t.Context(), "nix-store", "--delete", uploaded); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(root, "store", strings.Repeat("0", 32)+"-missing")
	environment = []string{
		"SOAP_URL=" + s.url, "SOAP_USER=admin", "SOAP_PASSWORD=secret",
		"PROFILE=" + profile(t, root), "GOOD=" + good, "MISSING=" + missing, "UPLOADED=" + uploaded,
		"CLOSURE=" + nixtest.File(t, root, "closure", string(closure)),
	}
	return environment, fmt.Sprintf(`printInvalid: %s
printInvalid of nothing: 
queryRequisites: %s
lock: 0
lock again: fault true
unlock: 0
importLocalFile: 0
printInvalid of it: 
exportRemoteFile: %x
realise: %s
importm: 0
activate: 0
deactivate: 0
snapshot: 0
restore: 0
deleteState: 0
importLocalSnapshots: 0
queryAllSnapshots: box/a/id
queryLatestSnapshot: box/a/id
printMissingSnapshots: box/a/other
exportRemoteSnapshotPaths: /1 /d/2
exportRemoteSnapshots: 6f6e65 0074776f
importSnapshots: 0
cleanSnapshots: 0
queryAllSnapshots: 
captureConfig: True
set: 0
queryInstalled: <profilemanifest version="2">|</profilemanifest>|
collectGarbage: 0
`, missing, good, sha256.Sum256(closure), good)
}
