package tomcat

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestNewApplication(t *testing.T) {
	for name, want := range map[string]application{
		"shop.war":         {dir: "/base/webapps/shop", context: "/shop", descriptor: "/base/conf/Catalina/localhost/shop.xml"},
		"shop#admin.war":   {dir: "/base/webapps/shop#admin", context: "/shop/admin", descriptor: "/base/conf/Catalina/localhost/shop#admin.xml"},
		"shop##2.0.war":    {dir: "/base/webapps/shop##2.0", context: "/shop", descriptor: "/base/conf/Catalina/localhost/shop##2.0.xml"},
		"a#b##3.war":       {dir: "/base/webapps/a#b##3", context: "/a/b", descriptor: "/base/conf/Catalina/localhost/a#b##3.xml"},
		"ROOT.war":         {dir: "/base/webapps/ROOT", context: "", descriptor: "/base/conf/Catalina/localhost/ROOT.xml"},
		"ROOT##1.war":      {dir: "/base/webapps/ROOT##1", context: "", descriptor: "/base/conf/Catalina/localhost/ROOT##1.xml"},
		"my shop.more.war": {dir: "/base/webapps/my shop.more", context: "/my shop.more", descriptor: "/base/conf/Catalina/localhost/my shop.more.xml"},
	} {
		want.war = "/base/webapps/" + name
		if got := newApplication(want.war); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if got := newApplication("/base/webapps/shop##2.war").logName(); got != "/shop##2" {
		t.Errorf("in the log: %s", got)
	}
}

func TestIsUnpacked(t *testing.T) {
	app := newApplication(filepath.Join(t.TempDir(), "webapps/shop.war"))
	if err := os.MkdirAll(filepath.Dir(app.tracker()), 0o755); err != nil {
		t.Fatal(err)
	}
	if app.isUnpacked() {
		t.Error("without a WAR file")
	}
	for _, file := range []string{app.war, app.tracker()} {
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	war := time.Unix(1000, 123456789)
	for mark, want := range map[time.Time]bool{
		time.Unix(1000, 123000000): true, // as Java writes it
		time.Unix(1000, 0):         true, // as older versions do
		time.Unix(1000, 124000000): false,
		time.Unix(1, 0):            false,
	} {
		for file, at := range map[string]time.Time{app.war: war, app.tracker(): mark} {
			if err := os.Chtimes(file, at, at); err != nil {
				t.Fatal(err)
			}
		}
		if got := app.isUnpacked(); got != want {
			t.Errorf("marked %v: %t", mark, got)
		}
	}
}
