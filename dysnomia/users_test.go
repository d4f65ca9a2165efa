package dysnomia

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The accounts that these tests create, with numbers and names that no other
// test program has. They need root.
var (
	testID    = 100_000 + 2*os.Getpid()
	number    = strconv.Itoa(testID)
	another   = strconv.Itoa(testID + 1)
	testUser  = "dysnotest-u" + number
	testGroup = "dysnotest-g" + number
)

// someHash is a valid hash of crypt(3) of no password anybody uses.
const someHash = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"

type accountTest struct {
	*Accounts
	log *bytes.Buffer
	dir string
}

// accounts prepares a component with the files of dysnomia-support, and
// deletes the test accounts afterwards, whatever happens.
func accounts(t *testing.T, files map[string]string) accountTest {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test creates users: run it as root")
	}
	cleanup := func() {
		_ = exec.Command("userdel", testUser).Run()
		_ = exec.Command("groupdel", testUser).Run()
		_ = exec.Command("groupdel", testGroup).Run()
	}
	cleanup()
	t.Cleanup(cleanup)
	dir := filepath.Join(t.TempDir(), "component")
	check(t, os.MkdirAll(filepath.Join(dir, "dysnomia-support"), 0o755))
	writeTree(t, filepath.Join(dir, "dysnomia-support"), files)
	log := &bytes.Buffer{}
	return accountTest{&Accounts{State: newState(t), Environment: os.Environ(), Log: log}, log, dir}
}

func userExists(name string) bool  { _, err := user.Lookup(name); return err == nil }
func groupExists(name string) bool { _, err := user.LookupGroup(name); return err == nil }

func (a accountTest) addAll(t *testing.T) {
	t.Helper()
	check(t, a.AddGroups(t.Context(), a.dir))
	check(t, a.AddUsers(t.Context(), a.dir))
}

func (a accountTest) deleteAll(t *testing.T) {
	t.Helper()
	check(t, a.DeleteUsers(t.Context(), a.dir))
	check(t, a.DeleteGroups(t.Context(), a.dir))
}

func TestUsersAndGroupsComeAndGo(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	a := accounts(t, map[string]string{
		"groups/" + testGroup: "gid=" + number + "\n",
		"users/" + testUser:   "uid=" + number + "\ngroup=" + testGroup + "\ndescription='A test user'\nhomeDir=" + home + "\ncreateHomeDir=1\nshell=/bin/sh",
	})
	a.addAll(t)
	a.addAll(t)
	found, err := user.Lookup(testUser)
	check(t, err)
	if found.Uid != number || found.Gid != number || found.Name != "A test user" || found.HomeDir != home {
		t.Errorf("user: %+v", found)
	}
	info, err := os.Stat(home)
	check(t, err)
	if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != testID {
		t.Errorf("the home directory belongs to %d", stat.Uid)
	}
	if !strings.Contains(a.log.String(), "User: "+testUser+" already exists!") {
		t.Errorf("log: %s", a.log)
	}
	a.deleteAll(t)
	a.deleteAll(t)
	if userExists(testUser) || groupExists(testGroup) {
		t.Error("they were not deleted")
	}
}

// TestAccountsOfWhatIsGone: the state directory knows which accounts a
// component has, and which of them others need.
func TestAccountsOfWhatIsGone(t *testing.T) {
	a := accounts(t, map[string]string{"groups/" + testGroup: "", "users/" + testUser: "group=" + testGroup})
	other := *a.Accounts
	other.Owner = "another"
	a.addAll(t)
	check(t, other.AddGroups(t.Context(), a.dir))
	check(t, os.RemoveAll(a.dir))
	check(t, a.Delete(t.Context(), a.dir))
	if userExists(testUser) || !groupExists(testGroup) {
		t.Errorf("user: %t, group: %t", userExists(testUser), groupExists(testGroup))
	}
	check(t, other.Delete(t.Context(), a.dir))
	if groupExists(testGroup) {
		t.Error("the group was not deleted")
	}
}

func TestExistingAccountsKeepTheirNumbers(t *testing.T) {
	a := accounts(t, map[string]string{"groups/" + testGroup: "gid=" + another})
	check(t, exec.Command("groupadd", "-g", number, testGroup).Run())
	a.addAll(t)
	want := testGroup + " already has gid: " + number + ", while: " + another + " was requested! Old gid will be retained!"
	if !strings.Contains(a.log.String(), want) {
		t.Errorf("log: %s", a.log)
	}
}

func TestRoughEdge_host19_emptySupportDirectory(t *testing.T) {
	a := accounts(t, nil)
	for _, kind := range []string{"users", "groups"} {
		check(t, os.MkdirAll(filepath.Join(a.dir, "dysnomia-support", kind), 0o755))
	}
	here := t.TempDir()
	writeTree(t, here, map[string]string{testUser: "", testGroup: ""})
	t.Chdir(here)
	a.addAll(t)
	if userExists(testUser) || groupExists(testGroup) {
		t.Error("a file of the current directory was taken for a specification")
	}
	if err := a.AddUsers(t.Context(), filepath.Join(a.dir, "missing")); err == nil || !strings.Contains(err.Error(), "is not valid!") {
		t.Errorf("missing path: %v", err)
	}
}

func TestRoughEdge_host20_passwordsAndEnvironment(t *testing.T) {
	t.Run("host 20: the password is in no argument", func(t *testing.T) {
		a := accounts(t, map[string]string{"users/" + testUser: "password='" + someHash + "'"})
		bin, log := t.TempDir(), filepath.Join(t.TempDir(), "arguments")
		for _, name := range []string{"useradd", "chpasswd"} {
			real, err := exec.LookPath(name)
			check(t, err)
			script := "#!/bin/sh\necho \"$0 $*\" >> " + log + "\nexec " + real + " \"$@\"\n"
			check(t, os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755))
		}
		a.Environment = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
		a.addAll(t)
		arguments, err := os.ReadFile(log)
		check(t, err)
		if !bytes.Contains(arguments, []byte("useradd ")) || bytes.Contains(arguments, []byte("$6$")) {
			t.Errorf("arguments: %s", arguments)
		}
		shadow, err := os.ReadFile("/etc/shadow")
		check(t, err)
		if !bytes.Contains(shadow, []byte("\n"+testUser+":"+someHash+":")) {
			t.Error("the password was not set")
		}
	})
	t.Run("host 20: a readable password is refused and not repeated", func(t *testing.T) {
		a := accounts(t, map[string]string{"users/" + testUser: "password=secret"})
		err := a.AddUsers(t.Context(), a.dir)
		if err == nil || strings.Contains(err.Error(), "secret") || userExists(testUser) {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("host 20: the environment is no part of the specification", func(t *testing.T) {
		a := accounts(t, map[string]string{"users/" + testUser: ""})
		a.Environment = append(os.Environ(), "uid="+another, "shell=/bin/evil", "homeDir=/evil", "createHomeDir=1")
		a.addAll(t)
		found, err := user.Lookup(testUser)
		check(t, err)
		if found.Uid == another || found.HomeDir != "/dev/null" {
			t.Errorf("user: %+v", found)
		}
	})
}

func TestRoughEdge_host21_deletion(t *testing.T) {
	specification := map[string]string{"users/" + testUser: "", "groups/" + testGroup: ""}
	t.Run("host 21: accounts that existed before are kept", func(t *testing.T) {
		a := accounts(t, specification)
		check(t, exec.Command("useradd", "-M", testUser).Run())
		check(t, exec.Command("groupadd", testGroup).Run())
		a.addAll(t)
		a.deleteAll(t)
		if !userExists(testUser) || !groupExists(testGroup) {
			t.Error("they were deleted")
		}
	})
	t.Run("host 21: accounts that Dysnomia knows nothing of are kept", func(t *testing.T) {
		a := accounts(t, specification)
		check(t, exec.Command("useradd", "-M", testUser).Run())
		a.deleteAll(t)
		if !userExists(testUser) {
			t.Error("it was deleted")
		}
	})
	t.Run("host 21: shared accounts go with the last component", func(t *testing.T) {
		a := accounts(t, specification)
		a.addAll(t)
		other := a
		other.Accounts = &Accounts{State: a.State, Owner: "other", Environment: a.Environment, Log: a.log}
		other.addAll(t)
		a.deleteAll(t)
		a.deleteAll(t)
		if !userExists(testUser) || !groupExists(testGroup) {
			t.Fatal("they were deleted although another component needs them")
		}
		other.deleteAll(t)
		if userExists(testUser) || groupExists(testGroup) {
			t.Error("they were not deleted")
		}
	})
	t.Run("host 21: running processes are waited for and named", func(t *testing.T) {
		a := accounts(t, specification)
		a.addAll(t)
		found, err := user.Lookup(testUser)
		check(t, err)
		uid, err := strconv.Atoi(found.Uid)
		check(t, err)
		process := exec.Command("sleep", "600")
		process.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid)}}
		check(t, process.Start())
		running, err := awaitProcesses(t.Context(), found.Uid, 0)
		if err != nil || len(running) != 1 || running[0] != strconv.Itoa(process.Process.Pid) {
			t.Errorf("running: %v, %v", running, err)
		}
		go func() { _ = process.Process.Kill(); _ = process.Wait() }()
		a.deleteAll(t)
		if userExists(testUser) {
			t.Error("it was not deleted")
		}
	})
	t.Run("an interrupted creation is completed, and the account is ours", func(t *testing.T) {
		a := accounts(t, specification)
		record := accountRecord{Created: true, Owners: []string{a.dir}}
		check(t, a.State.writeFile(a.State.accountPath(account{kind: users, name: testUser}), []byte(`{"created":true,"owners":["`+a.dir+`"]}`), 0o644))
		check(t, exec.Command("useradd", "-M", testUser).Run())
		a.addAll(t)
		record, err := a.State.accountRecord(account{kind: users, name: testUser})
		check(t, err)
		if !record.Complete {
			t.Errorf("record: %+v", record)
		}
		a.deleteAll(t)
		if userExists(testUser) {
			t.Error("it was not deleted")
		}
	})
}

func TestRoughEdge_host22_homeDirectories(t *testing.T) {
	t.Run("host 22: an empty home directory goes, one with files is kept and named", func(t *testing.T) {
		home := filepath.Join(t.TempDir(), "home")
		a := accounts(t, map[string]string{"users/" + testUser: "createHomeDir=1\nhomeDir=" + home})
		a.addAll(t)
		writeTree(t, home, map[string]string{"precious": ""})
		a.deleteAll(t)
		if _, err := os.Stat(filepath.Join(home, "precious")); err != nil || !strings.Contains(a.log.String(), home) {
			t.Errorf("%v; log: %s", err, a.log)
		}
		check(t, os.RemoveAll(home))
		check(t, os.Mkdir(home, 0o755))
		a.addAll(t)
		a.deleteAll(t)
		if _, err := os.Stat(home); err == nil {
			t.Error("the empty home directory was kept")
		}
	})
	t.Run("host 22: a home directory alone belongs to its user", func(t *testing.T) {
		home := filepath.Join(t.TempDir(), "a", "home")
		a := accounts(t, map[string]string{"users/" + testUser: "createHomeDirOnly=1\ncreateHomeDir=1\nhomeDir=" + home})
		check(t, exec.Command("useradd", "-M", "-u", number, testUser).Run())
		a.addAll(t)
		a.deleteAll(t)
		info, err := os.Stat(home)
		check(t, err)
		if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != testID {
			t.Errorf("it belongs to %d", stat.Uid)
		}
		if !userExists(testUser) {
			t.Error("the user was deleted")
		}
	})
}

func TestAccountMistakesAreReportedTogether(t *testing.T) {
	a := accounts(t, map[string]string{
		"users/" + testUser: "uid=many\nhomeDir=relative\ndescription='a:b'",
		"users/-rf":         "",
	})
	err := a.AddUsers(t.Context(), a.dir)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"many", "relative", "a:b", "-rf"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	if userExists(testUser) {
		t.Error("a user was created all the same")
	}
}

func TestFailingUserAddIsReportedAndForgotten(t *testing.T) {
	a := accounts(t, map[string]string{"users/" + testUser: "group=dysnotest-missing"})
	if err := a.AddUsers(t.Context(), a.dir); err == nil || !strings.Contains(err.Error(), "dysnotest-missing") {
		t.Errorf("error: %v", err)
	}
	if _, err := os.Stat(a.State.accountPath(account{kind: users, name: testUser})); err == nil {
		t.Error("it is remembered")
	}
}
