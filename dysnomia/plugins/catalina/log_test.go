package catalina

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	began = "21-Nov-2026 13:47:50.969 INFO [Catalina-utility-2] org.apache.catalina.startup.HostConfig.deployWAR Deploying web application archive [/base/webapps/app.war]\n"
	ended = "21-Nov-2026 13:47:50.978 INFO [Catalina-utility-2] org.apache.catalina.startup.HostConfig.deployWAR Deployment of web application archive [/base/webapps/app.war] has finished in [9] ms\n"
	// The same in French, with the blank that the language has in numbers.
	endedFrench = "21-nov.-2026 13:47:50.978 INFOS [Catalina-utility-2] org.apache.catalina.startup.HostConfig.deployWAR Le déploiement de l'archive [/base/webapps/app.war] s'est terminé en [1 009] ms\n"
	noContext   = "21-Nov-2026 13:47:50.970 SEVERE [Catalina-utility-2] org.apache.catalina.core.StandardContext.startInternal Context [/app] startup failed due to previous errors\n"
	otherFailed = "21-Nov-2026 13:47:50.970 SEVERE [Catalina-utility-1] org.apache.catalina.core.StandardContext.startInternal Context [/other] startup failed due to previous errors\n"
	exception   = "21-Nov-2026 13:47:50.970 SEVERE [Catalina-utility-2] org.apache.catalina.core.StandardContext.listenerStart Exception sending context initialized event\n" +
		"\tjava.lang.IllegalStateException: no luck\n\t\tat demo.Listener.init(Listener.java:3)\n\tCaused by: java.io.IOException: no database\n\t\tat demo.Db.open(Db.java:7)\n\t\t... 24 more\n"
	exceptionBefore = "21-Nov-2026 13:47:50.960 SEVERE [Catalina-utility-2] org.apache.catalina.core.StandardContext.listenerStart Error configuring\n" +
		"\tjava.lang.ClassNotFoundException: of.another.Application\n"
	exceptionAfter = "21-Nov-2026 13:47:50.990 SEVERE [Catalina-utility-2] org.apache.catalina.core.StandardContext.listenerStart Error configuring\n" +
		"\tjava.lang.ClassNotFoundException: of.the.Next\n"
	noArchive = "21-Nov-2026 13:47:50.978 SEVERE [Catalina-utility-2] org.apache.catalina.startup.HostConfig.deployWAR Error deploying web application archive [/base/webapps/app.war]\n" +
		"\tjava.lang.IllegalStateException: Error starting child\n"
)

// logs is the directory of a server's log files.
type logs struct {
	t      *testing.T
	server *Server
}

func newLogs(t *testing.T) logs {
	t.Helper()
	l := logs{t, &Server{Base: t.TempDir()}}
	if err := os.Mkdir(filepath.Join(l.server.Base, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l logs) write(name, text string) {
	l.t.Helper()
	file, err := os.OpenFile(filepath.Join(l.server.Base, "logs", name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		l.t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		l.t.Fatal(err)
	}
}

// TestLogThatIsNoFile: what the account of the server puts there is neither
// followed nor waited for.
func TestLogThatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	for name, make := range map[string]func(path string) error{
		"link": func(path string) error {
			private := filepath.Join(dir, "private")
			return errors.Join(os.WriteFile(private, []byte(began), 0o600), os.Symlink(private, path))
		},
		"pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		path := filepath.Join(dir, name)
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		f := new(logFile)
		if f.read(path); len(f.records) != 0 {
			t.Errorf("%s: %v", name, f.records)
		}
	}
}

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		server, host string
		want         Verdict
	}{
		"nothing":                   {want: Verdict{}},
		"it has begun":              {server: began},
		"it has ended":              {server: began + ended, want: Verdict{Finished: true}},
		"in another language":       {server: began + endedFrench, want: Verdict{Finished: true}},
		"another one has begun":     {server: began + noContext + ended + began},
		"another one has ended":     {server: began + noContext + ended + began + ended, want: Verdict{Finished: true}},
		"a former one has ended":    {server: ended},
		"another application fails": {server: began + otherFailed + ended, want: Verdict{Finished: true}},
		"it fails": {server: began + exception + noContext + ended,
			want: Verdict{true, true, "Exception sending context initialized event: java.io.IOException: no database"}},
		"the reason is in the log of the host": {server: began + noContext + ended, host: exception,
			want: Verdict{true, true, "Exception sending context initialized event: java.io.IOException: no database"}},
		"the thread deploys others, which fail, too": {server: began + noContext + ended, host: exceptionBefore + exception + exceptionAfter,
			want: Verdict{true, true, "Exception sending context initialized event: java.io.IOException: no database"}},
		"only others have said why": {server: began + noContext + ended, host: exceptionBefore + exceptionAfter, want: Verdict{Finished: true, Failed: true}},
		"the reason is not there":   {server: began + noContext + ended, want: Verdict{Finished: true, Failed: true}},
		"it is no archive": {server: began + noArchive + ended,
			want: Verdict{true, true, "Error deploying web application archive [/base/webapps/app.war]: java.lang.IllegalStateException: Error starting child"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLogs(t)
			l.write("catalina.2026-11-21.log", began+noContext+ended) // of former times
			log := l.server.Follow()
			l.write("catalina.2026-11-21.log", test.server)
			l.write("localhost.2026-11-21.log", test.host)
			l.write("localhost_access_log.2026-11-21.log", noContext)
			if got := Judge(log.Read(), "/base/webapps/app.war"); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestLogGrows(t *testing.T) {
	l := newLogs(t)
	log := l.server.Follow()
	text := began + exception + noContext + ended
	for len(text) > 0 { // also in the middle of lines
		n := min(50, len(text))
		l.write("catalina.out", text[:n])
		text = text[n:]
		log.Read()
	}
	if got := Judge(log.Read(), "/base/webapps/app.war"); !got.Failed || !strings.HasSuffix(got.Reason, "no database") {
		t.Errorf("got %+v", got)
	}
	t.Run("and is rotated", func(t *testing.T) {
		if err := os.Truncate(filepath.Join(l.server.Base, "logs/catalina.out"), 0); err != nil {
			t.Fatal(err)
		}
		l.write("catalina.out", began+ended)
		if got := Judge(log.Read(), "/base/webapps/app.war"); got != (Verdict{Finished: true}) {
			t.Errorf("got %+v", got)
		}
	})
}

func TestUndeployed(t *testing.T) {
	l := newLogs(t)
	log := l.server.Follow()
	l.write("catalina.out", "21-Nov-2026 13:47:50.969 INFO [x] org.apache.catalina.startup.HostConfig.undeploy Undeploying context [/app]\n")
	if records := log.Read(); !Undeployed(records, "/app") || Undeployed(records, "/application") {
		t.Errorf("records: %+v", records)
	}
}

func TestServerWithoutLog(t *testing.T) {
	if got := (&Server{Base: t.TempDir()}).Follow().Read(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func FuzzLog(f *testing.F) {
	f.Add(began + exception + ended)
	f.Add("\tat nowhere\n[] \n")
	f.Fuzz(func(_ *testing.T, text string) {
		file := new(logFile)
		for line := range strings.Lines(text) {
			file.add(line)
		}
		log := map[string][]Record{"catalina.out": file.records}
		Judge(log, "/base/webapps/app.war")
		Undeployed(log, "/app")
	})
}
