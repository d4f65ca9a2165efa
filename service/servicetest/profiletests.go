package servicetest

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/disnix-go/disnix/service"
)

var profileTests = []conformanceTest{
	{"a profile that was never set has no manifest", func(m *machine) {
		if manifest, err := m.QueryInstalled(m.Context(), "default"); err != nil || len(manifest) != 0 {
			m.Errorf("%q, %v", manifest, err)
		}
	}},
	{"the manifest is that of the path that was set", func(m *machine) {
		const manifest = "<profilemanifest version=\"2\">\n\t<services/>  </profilemanifest>"
		m.must(m.SetProfile(m.Context(), "default", m.profile("node", manifest)))
		got, err := m.QueryInstalled(m.Context(), "default")
		if err != nil || strings.TrimSuffix(string(got), "\n") != manifest {
			m.Errorf("%q, %v", got, err)
		}
	}},
	{"setting what is set makes no generation", func(m *machine) {
		one, two := m.profile("node", "1"), m.profile("node", "2")
		for _, path := range []string{one, one, two, two, one} {
			m.must(m.SetProfile(m.Context(), "default", path))
		}
		m.wantGenerations("default", one, two, one)
	}},
	{"protocol 3: a profile of a renamed target is set", func(m *machine) {
		before, after := m.profile("node", "1"), m.profile("renamed-node", "1")
		m.must(m.SetProfile(m.Context(), "default", before))
		m.must(m.SetProfile(m.Context(), "default", after))
		m.wantGenerations("default", before, after)
	}},
	{"protocol 4: what is queried is what was set", func(m *machine) {
		m.deploy("default", "a")
		dir, err := service.ProfileDir()
		m.must(err)
		fromLink, err := os.ReadFile(filepath.Join(dir, "default/profilemanifest.xml"))
		m.must(err)
		got, err := m.QueryInstalled(m.Context(), "default")
		if err != nil || strings.TrimSpace(string(got)) != strings.TrimSpace(string(fromLink)) {
			m.Errorf("%q, %v, want %q", got, err, fromLink)
		}
	}},
	{"an invalid path is not set", func(m *machine) {
		one := m.profile("node", "1")
		m.must(m.SetProfile(m.Context(), "default", one))
		m.wantError("set", m.SetProfile(m.Context(), "default", m.missing("x")), m.missing("x"))
		m.wantGenerations("default", one)
	}},
	{"profile names stay in their directory", func(m *machine) {
		path := m.profile("node", "1")
		for _, name := range []string{"a/b", "../a", ".."} {
			m.wantError("set "+name, m.SetProfile(m.Context(), name, path))
			m.wantError("lock "+name, m.Lock(m.Context(), name))
			m.wantError("unlock "+name, m.Unlock(m.Context(), name))
		}
	}},
	{"a lock notifies the services, and so does the unlock", func(m *machine) {
		m.deploy("default", "b", "a")
		m.must(m.Lock(m.Context(), "default"))
		m.wantCalls("lock a in box", "lock b in box")
		m.must(m.Unlock(m.Context(), "default"))
		m.wantCalls("unlock a in box", "unlock b in box")
	}},
	{"profiles are locked one by one", func(m *machine) {
		m.must(m.Lock(m.Context(), "default"))
		m.must(m.Lock(m.Context(), "default@other"))
		m.must(m.Unlock(m.Context(), "default"))
		m.must(m.Lock(m.Context(), "default"))
	}},
	{"protocol 5: who holds the lock is told, and services are left alone", func(m *machine) {
		m.deploy("default", "a")
		m.must(m.Lock(m.Context(), "default"))
		m.calls()
		holder, err := user.LookupId(strconv.Itoa(os.Geteuid()))
		m.must(err)
		m.wantError("lock again", m.Lock(m.Context(), "default"), holder.Username, "since", "--unlock")
		m.wantCalls()
		m.must(m.Unlock(m.Context(), "default"))
	}},
	{"protocol 5: services that did not refuse the lock are unlocked", func(m *machine) {
		m.deploy("default", "a", "b", "c")
		m.file("refuse", "lock b\n")
		m.wantError("lock", m.Lock(m.Context(), "default"), "-b")
		m.wantCalls("lock a in box", "lock b in box", "lock c in box", "unlock c in box", "unlock a in box")
		m.wantError("unlock", m.Unlock(m.Context(), "default"), "not locked")
	}},
	{"protocol 6: a missing provider of a container is an error", func(m *machine) {
		m.must(m.SetProfile(m.Context(), "default", m.profile("node", `<profilemanifest version="2">
			<services><service name="k"><name>x</name><pkg>`+m.add("x", "")+`</pkg><type>recorder</type></service></services>
			<serviceMappings><mapping><service>k</service><container>box</container><containerProvidedByService>gone</containerProvidedByService></mapping></serviceMappings>
			</profilemanifest>`)))
		m.wantError("lock", m.Lock(m.Context(), "default"), "gone", "box")
		m.wantCalls()
	}},
	{"observed 10: a lock that is held leaves no service locked", func(m *machine) {
		m.must(m.Lock(m.Context(), "default"))
		m.deploy("default", "a")
		m.wantError("lock again", m.Lock(m.Context(), "default"))
		m.wantCalls()
	}},
	{"observed 11: services hear of no unlock without a lock", func(m *machine) {
		m.deploy("default", "a")
		m.wantError("unlock", m.Unlock(m.Context(), "default"), "not locked")
		m.wantCalls()
	}},
	{"observed 2: a profile path of another length is set", func(m *machine) {
		long, short := m.profile("a-long-name-of-a-target", "1"), m.profile("n", "1")
		m.must(m.SetProfile(m.Context(), "default", long))
		m.must(m.SetProfile(m.Context(), "default", short))
		m.wantGenerations("default", long, short)
	}},
}

// wantGenerations checks the history of a profile.
func (m *machine) wantGenerations(profile string, want ...string) {
	m.Helper()
	dir, err := service.ProfileDir()
	m.must(err)
	generations, err := service.Generations(dir, profile)
	var got []string
	for _, g := range generations {
		got = append(got, g.Path)
	}
	m.want("generations", got, err, want...)
	if n := len(generations); n > 0 && !generations[n-1].Current {
		m.Error("the newest generation is not the current one")
	}
}
