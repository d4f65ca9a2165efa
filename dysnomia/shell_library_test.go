package dysnomia

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bash runs a script that has sourced the library for the module
// /m/mytype, a component and a container.
func bash(t *testing.T, s *State, component, container, script string) (stdout, stderr string, err error) {
	t.Helper()
	library, err := filepath.Abs("../share/dysnomia/util")
	check(t, err)
	cmd := exec.Command("bash", "-c", `source "$1"; composeUtilityVariables /m/mytype "$2" "$3"; `+script, "bash", library, component, container)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DYSNOMIA_STATEDIR=" + s.Dir}
	cmd.Dir = t.TempDir()
	var out, errors strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errors
	err = cmd.Run()
	return out.String(), errors.String(), err
}

func mustBash(t *testing.T, s *State, component, container, script string) string {
	t.Helper()
	stdout, stderr, err := bash(t, s, component, container, script)
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr)
	}
	return stdout
}

func TestShellLibraryNames(t *testing.T) {
	const store = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-"
	host := &Host{StoreDir: defaultStoreDir}
	for _, test := range []struct{ component, container, want string }{
		{store + "web-1.0", "tomcat", "mytype web-1.0 tomcat"},
		{"/opt/my web", "", "mytype my web mytype"},
		{store + "web/etc/y", store + "db", "mytype y db"},
		{"/nix/store/short", "a", "mytype short a"},
		{"/somewhere/0123456789abcdfghijklmnpqrsvwxyz-x", "./c", "mytype 0123456789abcdfghijklmnpqrsvwxyz-x c"},
	} {
		s := newState(t)
		got := mustBash(t, s, test.component, test.container, `echo "$typeIdentifier $componentName $containerName"`)
		if got != test.want+"\n" {
			t.Errorf("%s: %q, want %q", test.component, got, test.want)
		}
		if want := fmt.Sprintf("mytype %s %s", host.ComponentName(test.component), host.ContainerName(test.container, "mytype")); want != test.want {
			t.Errorf("the host calls %s %q, want %q", test.component, want, test.want)
		}
		got = mustBash(t, s, test.component, test.container,
			`test "$(determineComponentName "$2")" = "$componentName"; determineContainerName "$3" mytype`)
		if !strings.HasSuffix(test.want, " "+strings.TrimSuffix(got, "\n")) {
			t.Errorf("container of %s: %q", test.container, got)
		}
	}
}

func TestShellLibraryPlaces(t *testing.T) {
	s := newState(t)
	got := mustBash(t, s, "/p/my web", "c", "composeSnapshotsPath; composeGenerationsPath; composeChecksumPath; composeGarbagePath; composeActivatedPath")
	var want string
	for _, part := range []string{"snapshots", "generations", "checksums", "garbage", "activated"} {
		want += s.path(part, "c", "my web") + "\n"
	}
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := os.Lstat(s.Dir); err == nil {
		t.Error("directories were created")
	}
}

func TestShellLibraryDefaults(t *testing.T) {
	s := newState(t)
	got := mustBash(t, s, "/p/web", "c", `checkContainersPath; checkComponentsPath; unset DYSNOMIA_STATEDIR; HOME=/h; id() { echo 0; }; checkStateDir
echo $DYSNOMIA_CONTAINERS_PATH $DYSNOMIA_COMPONENTS_PATH $DYSNOMIA_STATEDIR; DYSNOMIA_STATEDIR=; id() { echo 1000; }; checkStateDir; echo $DYSNOMIA_STATEDIR`)
	if want := "/etc/dysnomia/containers /etc/dysnomia/components /var/state/dysnomia\n/h/.dysnomia\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShellLibraryMarkersAreOurs(t *testing.T) {
	s := newState(t)
	do := func(script, want string) {
		t.Helper()
		mustBash(t, s, "/p/my web", "my c", script)
		if got := marked(t, s, "my c", "my web"); got != want {
			t.Errorf("after %s: %q, want %q", script, got, want)
		}
	}
	do("unmarkComponentAsActive; unmarkComponentAsGarbage", "")
	do("markComponentAsActive; markComponentAsActive", "active")
	markers, err := s.Activated("my c")
	check(t, err)
	if len(markers) != 1 || markers[0].Path != "/p/my web" {
		t.Errorf("markers: %+v", markers)
	}
	do("markComponentAsGarbage; componentMarkedAsGarbage; markComponentAsGarbage", "garbage")
	do("markComponentAsActive; ! componentMarkedAsGarbage", "active")
	do("unmarkComponentAsActive; unmarkComponentAsActive", "")

	check(t, s.MarkActive("my c", "my web", "/p/my web"))
	do("! componentMarkedAsGarbage; markComponentAsGarbage", "garbage")
	check(t, s.MarkActive("my c", "my web", "/p/my web"))
	check(t, s.MarkGarbage("my c", "my web"))
	do("componentMarkedAsGarbage; unmarkComponentAsGarbage", "")

	t.Run("host 17: deactivating what was never activated", func(t *testing.T) {
		do("markComponentAsGarbage", "")
	})
	t.Run("host 18: names that lead elsewhere are refused", func(t *testing.T) {
		for _, name := range []string{"..", ".", "a/b", ""} {
			_, _, err := bash(t, s, "/p/web", "c", "containerName="+strconv.Quote(name)+"; markComponentAsActive")
			if err == nil {
				t.Errorf("container %q was accepted", name)
			}
		}
	})
}

// put makes a snapshot in place, as shell modules do it.
const put = `path=$(composeSnapshotsPath)/$id; mkdir -p "$path/sub dir"; echo "$id" >"$path/state"; echo x >"$path/sub dir/a b"
ln -s "sub dir" "$path/link"; createGenerationSymlink "$id"; `

func TestShellLibrarySnapshotsAreOurs(t *testing.T) {
	s := newState(t)
	for i := 1; i <= 11; i++ {
		mustBash(t, s, "/p/my web", "c", fmt.Sprintf("id=id%d; ", i)+put)
	}
	history, err := s.QueryAll("c", "my web")
	check(t, err)
	var ids []string
	for i, g := range history {
		ids = append(ids, g.ID)
		if g.Number != i+1 {
			t.Errorf("generation %d: %+v", i+1, g)
		}
		if err := s.Check(g); err != nil {
			t.Error(err)
		}
	}
	if len(ids) != 11 || ids[0] != "id1" || ids[9] != "id10" || ids[10] != "id11" {
		t.Errorf("ids: %v", ids)
	}
	mustBash(t, s, "/p/my web", "c", "createGenerationSymlink id11; createGenerationSymlink id3")
	history, err = s.QueryAll("c", "my web")
	check(t, err)
	if last := history[len(history)-1]; last.Number != 12 || last.ID != "id3" {
		t.Errorf("last generation: %+v", last)
	}

	t.Run("the newest is found, also if ours made it", func(t *testing.T) {
		n, err := s.NewSnapshot("c", "my web")
		check(t, err)
		defer n.Discard()
		writeTree(t, n.Path, map[string]string{"state": "ours"})
		check(t, n.Commit("our id"))
		latest, err := s.LatestSnapshot("c", "my web")
		check(t, err)
		if got := mustBash(t, s, "/p/my web", "c", "determineLastSnapshot"); got != latest+"\n" {
			t.Errorf("%q, want %q", got, latest)
		}
		if got := mustBash(t, s, "/p/other", "c", "determineLastSnapshot"); got != "" {
			t.Errorf("of another component: %q", got)
		}
	})
	t.Run("a missing snapshot is not registered", func(t *testing.T) {
		for _, id := range []string{"missing", "..", "a/b", ""} {
			if _, _, err := bash(t, s, "/p/my web", "c", "createGenerationSymlink "+strconv.Quote(id)); err == nil {
				t.Errorf("%q was registered", id)
			}
		}
	})
}

func TestShellLibraryChecksumsAreOurs(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"b": "B", "a b": "blank", `c\d`: "backslash", "e\nf": "newline", "-x": "dash", "g'\"": "quotes",
		"dir/x": "X", "dir-y": "1", "dir y": "2", "dir!/z": "3", "empty": ""})
	check(t, os.MkdirAll(filepath.Join(dir, "no files"), 0o755))
	for link, target := range map[string]string{"a": "b", "a !": "x y", "dir/l": "/nix/store/x", "k\\": "\\n"} {
		check(t, os.Symlink(target, filepath.Join(dir, link)))
	}
	file := filepath.Join(dir, "b")
	empty := t.TempDir()
	for _, path := range []string{dir, file, empty} {
		want, err := Checksum(path)
		check(t, err)
		got := mustBash(t, newState(t), "/p/web", "c", `computeOutputHash "`+path+`" >sum; cat sum; test "sha256:$hash" = "$(cat sum)"`)
		if got != want {
			t.Errorf("%s: %s, ours is %s", path, got, want)
		}
	}
	one := t.TempDir()
	writeTree(t, one, map[string]string{"state": "content"})
	if got, want := mustBash(t, newState(t), "/p/web", "c", "serializeDirectory "+one), ".\n./state\n\ncontent"; got != want {
		t.Errorf("stream: %q, want %q", got, want)
	}
}

func TestShellLibraryRaces(t *testing.T) {
	s := newState(t)
	var commands []*exec.Cmd
	library, err := filepath.Abs("../share/dysnomia/util")
	check(t, err)
	for i := range 6 {
		cmd := exec.Command("bash", "-c", "source "+library+"; composeUtilityVariables /m/t /p/web c; id=shell"+strconv.Itoa(i)+"; "+put)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DYSNOMIA_STATEDIR=" + s.Dir}
		check(t, cmd.Start())
		commands = append(commands, cmd)
		store(t, s, "c", "web", fmt.Sprint(i))
	}
	for _, cmd := range commands {
		check(t, cmd.Wait())
	}
	history, err := s.QueryAll("c", "web")
	check(t, err)
	numbers := []int{}
	for _, g := range history {
		numbers = append(numbers, g.Number)
		check(t, s.Check(g))
	}
	if !slices.Equal(numbers, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}) {
		t.Errorf("host 14: generations %v", numbers)
	}
}

func TestShellLibraryWaiting(t *testing.T) {
	s := newState(t)
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"file": ""})
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	check(t, err)
	defer listener.Close()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer port.Close()
	_, number, err := net.SplitHostPort(port.Addr().String())
	check(t, err)
	for script, message := range map[string]string{
		"waitForFile $d/file 1":                         "",
		"waitForDirectory $d 1":                         "",
		"waitForSocket $d/socket 1":                     "",
		"waitForAnyFileType $d/file 0 f":                "",
		"waitForPort " + number + " 1":                  "",
		"(sleep 0.2; touch $d/n) & waitForFile $d/n 60": "",
		"waitForFile $d/missing 0; echo not reached":    "does not appear within 0 seconds!",
		"waitForFile $d 1; echo not reached":            "to be a file, but it is not!",
		"waitForDirectory $d/file 1":                    "to be a directory, but it is not!",
		"waitForSocket $d/file 1":                       "to be a UNIX domain socket, but it is not!",
		"waitForPort 1 0; echo not reached":             "The port: 1 did not become available within 0 seconds!",
		"attemptSeveralTimes true 1":                    "",
		"attemptSeveralTimes 'test -e /nonexistent' 1":  "Still does not work after 1 attempts!",
		"attemptSeveralTimes 'mkdir $d/a/b' 1":          "Still does not work",
	} {
		stdout, stderr, err := bash(t, s, "/p/web", "c", "d="+dir+"; "+script)
		if (err != nil) != (message != "") || !strings.Contains(stderr, message) || stdout != "" {
			t.Errorf("%s: %v\n%s%s", script, err, stdout, stderr)
		}
	}
	t.Run("modules 29.4: a failing command is tried again", func(t *testing.T) {
		mustBash(t, s, "/p/web", "c", "try() { if [ -e $d/tried ]; then return 0; fi; touch $d/tried; return 1; }; d="+dir+"; attemptSeveralTimes try 2")
	})
}
