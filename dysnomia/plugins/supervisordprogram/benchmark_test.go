package supervisordprogram

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// BenchmarkActivate measures the plugin, with a server that runs every program
// at once.
func BenchmarkActivate(b *testing.B) {
	dir := b.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		b.Fatal(err)
	}
	var running atomic.Bool
	stub := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, answer(string(call), &running))
	})}
	go func() { _ = stub.Serve(listener) }()
	b.Cleanup(func() { _ = stub.Close() })
	s := &server{dir: dir}
	c := component(b, s, sleeper)
	c.Properties["supervisordServerUrl"] = "unix://" + filepath.Join(dir, "s")
	plugintest.Benchmark(b, config(s, nil), c)
}

func answer(call string, running *atomic.Bool) string {
	list := func(values string) string { return "<array><data>" + values + "</data></array>" }
	result := "<boolean>1</boolean>"
	switch {
	case strings.Contains(call, "getAllProcessInfo"):
		result = list("")
		if running.Load() {
			result = list("<value><struct><member><name>statename</name><value><string>RUNNING</string></value></member></struct></value>")
		}
	case strings.Contains(call, "getAllConfigInfo"):
		result = list("")
	case strings.Contains(call, "reloadConfig"):
		empty := "<value>" + list("") + "</value>"
		result = list("<value>" + list(empty+empty+empty) + "</value>")
	case strings.Contains(call, "addProcessGroup"):
		running.Store(true)
	case strings.Contains(call, "removeProcessGroup"):
		running.Store(false)
	}
	return fmt.Sprintf("<methodResponse><params><param><value>%s</value></param></params></methodResponse>", result)
}
