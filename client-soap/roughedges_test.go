package soapclient_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	soapclient "github.com/disnix-go/disnix/client-soap"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/nixtest"
)

func TestRoughEdge_soap1(t *testing.T) {
	t.Run("soap 1: authentication works for uploads that cannot be repeated", func(t *testing.T) {
		root := nixtest.Store(t)
		closure := exported(t, root, strings.Repeat("x", 1<<20))
		t.Setenv("DISNIX_SOAP_CLIENT_USERNAME", "admin")
		t.Setenv("DISNIX_SOAP_CLIENT_PASSWORD", "secret")
		challenges := 0
		client := dial(t, guarded(t, asOriginal(t, serve(t, toThisMachine(t))), &challenges))
		if _, err := client.ImportClosure(t.Context(), closure()); err != nil {
			t.Error(err)
		}
		if challenges != 0 {
			t.Errorf("%d requests were sent without the password", challenges)
		}
	})
}

// guarded returns the URL of a proxy with a password.
func guarded(t testing.TB, url string, challenges *int) string {
	return watching(t, url, func(r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "admin" || password != "secret" {
			*challenges++
		}
	})
}

func TestRoughEdge_soap2(t *testing.T) {
	nixtest.Store(t)
	for name, wrap := range map[string]func(testing.TB, string) string{
		"this service":           func(_ testing.TB, url string) string { return url },
		"that of the original's": asOriginal,
	} {
		client := dial(t, wrap(t, serve(t, toThisMachine(t))))
		export := func(id string) map[string]string {
			t.Helper()
			paths, err := client.ResolveSnapshots(t.Context(), []string{"c/k/" + id})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := client.ExportSnapshot(t.Context(), paths[0], &b); err != nil {
				t.Fatal(err)
			}
			return unpacked(t, &b)
		}
		t.Run("soap 2: a snapshot has all its files, with "+name, func(t *testing.T) {
			for id, files := range map[string]map[string]string{
				"several": {"a": "1", "b/c": "2", "b/d/e": "3"}, "one": {"a": "4"},
			} {
				if err := client.ImportSnapshot(t.Context(), "c", "k", id, archive(t, files)); err != nil {
					t.Fatal(err)
				}
				if got := export(id); !maps.Equal(got, files) {
					t.Errorf("%s: %q", id, got)
				}
			}
		})
	}
	t.Run("soap 2: an empty snapshot directory is a snapshot", func(t *testing.T) {
		client := dial(t, serve(t, toThisMachine(t)))
		if err := client.ImportSnapshot(t.Context(), "c", "k", "empty", archive(t, nil)); err != nil {
			t.Fatal(err)
		}
		paths, err := client.ResolveSnapshots(t.Context(), []string{"c/k/empty"})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*soapclient.Client{client, dial(t, asOriginal(t, serve(t, toThisMachine(t))))} {
			var b bytes.Buffer
			if err := c.ExportSnapshot(t.Context(), paths[0], &b); err != nil || len(unpacked(t, &b)) != 0 {
				t.Errorf("%v", err)
			}
		}
	})
}

func TestRoughEdge_soap4(t *testing.T) {
	t.Run("soap 4: a service cannot make the client write elsewhere", func(t *testing.T) {
		for _, name := range []string{"/s/first/../../etc/passwd", "/etc/passwd", "/s/first/../second/x", "../x"} {
			temporary(t)
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if strings.Contains(string(body), "exportRemoteSnapshotPaths") {
					xmlAnswer(200, opening11+"<r><return>/s/first/a</return><return>"+name+"</return></r>"+closing).ServeHTTP(w, r)
				} else {
					xmlAnswer(200, opening11+"<r><return>eA==</return><return>eA==</return></r>"+closing).ServeHTTP(w, r)
				}
			})
			err := answering(t, handler).ExportSnapshot(t.Context(), "/s/first", io.Discard)
			wantError(t, err, "export snapshot /s/first: the service names the file", "which is not below it")
		}
	})
}

func TestRoughEdge_soap6(t *testing.T) {
	t.Run("soap 6: a container and component that are not given are sent as empty texts", func(t *testing.T) {
		fake := new(servicetest.Fake)
		var bodies []string
		client := dial(t, watching(t, serve(t, to(fake)), func(r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(body))
			r.Body = io.NopCloser(bytes.NewReader(body))
		}))
		if _, err := client.QueryAllSnapshots(t.Context(), "", ""); err != nil {
			t.Error(err)
		}
		if _, err := client.QueryLatestSnapshot(t.Context(), "c", ""); err != nil {
			t.Error(err)
		}
		for i, want := range []string{`<arg0 xmlns=""></arg0><arg1 xmlns=""></arg1>`, `<arg0 xmlns="">c</arg0><arg1 xmlns=""></arg1>`} {
			if !strings.Contains(bodies[i], want) || strings.Contains(bodies[i], "nil") {
				t.Errorf("sent %s", bodies[i])
			}
		}
	})
}

func TestRoughEdge_soap9(t *testing.T) {
	t.Run("soap 9: transfers leave no temporary files", func(t *testing.T) {
		root := nixtest.Store(t)
		closure := exported(t, root, "content")
		temporary(t)
		client := dial(t, asOriginal(t, serve(t, toThisMachine(t))))
		paths, err := client.ImportClosure(t.Context(), closure())
		if err != nil {
			t.Fatal(err)
		}
		if err := client.ExportClosure(t.Context(), paths, io.Discard); err != nil {
			t.Error(err)
		}
		if err := client.ImportSnapshot(t.Context(), "c", "k", "first", archive(t, map[string]string{"a": "x"})); err != nil {
			t.Fatal(err)
		}
		resolved, err := client.ResolveSnapshots(t.Context(), []string{"c/k/first"})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.ExportSnapshot(t.Context(), resolved[0], failingWriter{}); err == nil {
			t.Error("written to what cannot be written to")
		}
	})
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestRoughEdge_soap10(t *testing.T) {
	t.Run("soap 10: a fault with control characters is read, and does not reach the terminal as it is", func(t *testing.T) {
		fault := opening11 + "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>\x1b[31mred\x00\x07 &#133;tail\n</faultstring><detail/></soapenv:Fault>" + closing
		err := answering(t, xmlAnswer(500, fault)).Lock(t.Context(), "default")
		var failure *soapclient.FailureError
		if !errors.As(err, &failure) || failure.Log != "?[31mred?? \uFFFDtail" {
			t.Errorf("%q", err)
		}
	})
}

func TestRoughEdge_soap11(t *testing.T) {
	t.Run("soap 11: the text of a fault counts, whether there is a detail or not", func(t *testing.T) {
		for _, detail := range []string{"<detail/>", "",
			`<detail><n:DisnixWebServiceException xmlns:n="http://service.disnix.nixos.org"><n:DisnixWebServiceException><n:Message>other</n:Message></n:DisnixWebServiceException></n:DisnixWebServiceException></detail>`} {
			err := answering(t, xmlAnswer(500, opening11+"<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>reason</faultstring>"+detail+"</soapenv:Fault>"+closing)).Lock(t.Context(), "p")
			wantError(t, err, "lock failed: reason")
		}
	})
}

func TestRoughEdge_soap14(t *testing.T) {
	t.Run("soap 14: the number that operations without a result return has no meaning", func(t *testing.T) {
		for _, number := range []string{"0", "1", "-1"} {
			if err := answering(t, xmlAnswer(200, opening11+"<lockResponse><return>"+number+"</return></lockResponse>"+closing)).Lock(t.Context(), "p"); err != nil {
				t.Error(err)
			}
		}
	})
}
