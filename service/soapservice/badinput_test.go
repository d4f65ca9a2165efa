package soapservice_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/soapservice"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
	"github.com/disnix-go/disnix/test/nixtest"
)

// multipartMessage has an envelope with this element, and parts by id.
func multipartMessage(element string, parts ...string) (http.Header, string) {
	message := "--B\r\nContent-ID: <root>\r\nContent-Type: application/xop+xml\r\n\r\n" + envelope(element)
	for i := 0; i+1 < len(parts); i += 2 {
		message += "\r\n--B\r\nContent-ID: <" + parts[i] + ">\r\n\r\n" + parts[i+1]
	}
	return http.Header{"Content-Type": {`multipart/related; boundary=B; start="<root>"; type="application/xop+xml"; start-info="text/xml"`}}, message + "\r\n--B--\r\n"
}

// include is a binary value that is a part.
func include(name, id string) string {
	return `<` + name + `><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:` + id + `"/></` + name + `>`
}

func TestBadInput(t *testing.T) {
	root := nixtest.Store(t)
	tmp := filepath.Join(root, "tmp")
	s := serveLocal(t, func(c *soapservice.Config, _ *webserver.Config) {
		c.MaxXML = 64 << 10
		c.MaxBody = 1 << 20
	})
	lock := `<lock ` + namespace + `><profile>p</profile></lock>`
	type message struct {
		header http.Header
		body   string
	}
	text := func(body string) message { return message{plainHeader(), body} }
	multi := func(element string, parts ...string) message {
		header, body := multipartMessage(element, parts...)
		return message{header, body}
	}
	for name, test := range map[string]struct {
		message message
		status  int
		want    []string // parts of the response
	}{
		"malformed XML":       {text("<x"), 500, []string{"Client", "not well-formed"}},
		"truncated XML":       {text(strings.TrimSuffix(envelope(lock), "</s:Body></s:Envelope>")), 500, []string{"Client", "not well-formed"}},
		"nothing":             {text(""), 500, []string{"Client", "empty"}},
		"huge XML":            {text(envelope(`<lock ` + namespace + `><profile>` + strings.Repeat("x", 100<<10) + `</profile></lock>`)), 413, []string{"Client", "longer than 65536 bytes"}},
		"a huge upload":       {multi(`<importLocalFile `+namespace+`>`+include("arg0", "a")+`</importLocalFile>`, "a", strings.Repeat("x", 2<<20)), 413, []string{"Client", "longer than 1048576 bytes"}},
		"a bomb of entities":  {text(`<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>` + envelope(lock)), 500, []string{"Client", "document type"}},
		"a foreign file":      {text(`<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>` + envelope(`<lock `+namespace+`><profile>&f;</profile></lock>`)), 500, []string{"Client", "document type"}},
		"deep XML":            {text(envelope(`<lock ` + namespace + `>` + strings.Repeat("<arg0>", 1000))), 500, []string{"Client", "deeper"}},
		"another type":        {message{http.Header{"Content-Type": {"application/json"}}, "{}"}, 415, []string{"Client", "application/json"}},
		"no type":             {message{http.Header{}, envelope(lock)}, 415, []string{"Client", "Content-Type"}},
		"a missing part":      {multi(`<importLocalFile ` + namespace + `>` + include("arg0", "a") + `</importLocalFile>`), 500, []string{"Server", "No MIME part found for content ID &#39;a&#39;"}},
		"parts cut off":       {message{multi("").header, strings.TrimSuffix(multi(lock).body, "--\r\n")}, 400, []string{"Client", "cut off"}},
		"an upload cut off":   {message{multi("").header, strings.TrimSuffix(multi(`<importLocalFile `+namespace+`>`+include("arg0", "a")+`</importLocalFile>`, "a", strings.Repeat("x", 1000)).body, "\r\n--B--\r\n")}, 400, []string{"Client", "cut off"}},
		"an unknown name":     {text(envelope(`<bogus ` + namespace + `/>`)), 500, []string{"Client", "The endpoint reference (EPR) for the Operation not found is http://", "the WSA Action = urn:x. If"}},
		"another namespace":   {text(envelope(`<lock xmlns="urn:y"/>`)), 500, []string{"Server", "namespace mismatch require http://service.disnix.nixos.org found urn:y"}},
		"no number":           {text(envelope(`<cleanSnapshots ` + namespace + `><keep>abc</keep></cleanSnapshots>`)), 500, []string{"Client", "Invalid value &quot;abc&quot; for element keep"}},
		"another version":     {message{http.Header{"Content-Type": {"application/soap+xml"}}, envelope(lock)}, 500, []string{"soapenv:VersionMismatch", "Transport level information does not match with SOAP Message namespace URI", "soap-envelope"}},
		"fewer paths":         {multi(`<importLocalSnapshots ` + namespace + `><a/><a/><a/></importLocalSnapshots>`), 500, []string{"Index 5 out of bounds for length 5"}},
		"fewer paths by item": {multi(`<importLocalSnapshots `+namespace+`><arg0>c</arg0><arg1>k</arg1><arg2>/s/1</arg2>`+include("item3", "a")+include("item3", "b")+`<item4>/s/1/a</item4></importLocalSnapshots>`, "a", "1", "b", "2"), 500, []string{"Server", "Index 1 out of bounds for length 1"}},
		"a null for a file":   {multi(`<importLocalSnapshots `+namespace+` xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><arg0>c</arg0><arg1>k</arg1><arg2>/s/1</arg2><item3 i:nil="true"/>`+include("item3", "a")+`<item4>/s/1/a</item4><item4>/s/1/b</item4></importLocalSnapshots>`, "a", "1"), 500, []string{"Client", "has no content"}},
		"no such service":     {text(envelope(`<lock ` + namespace + `><arg0>../../etc</arg0></lock>`)), 500, []string{"Server"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.TB = t
			test.message.header.Set("SOAPAction", `"urn:x"`)
			response, body := s.post(test.message.header, strings.NewReader(test.message.body))
			if response.StatusCode != test.status {
				t.Errorf("status %d: %s", response.StatusCode, body)
			}
			contains(t, strings.ReplaceAll(body, "'", "&#39;"), append(test.want, "Fault")...)
			wantEmpty(t, tmp)
			s.must(&soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse))
		})
	}
}

func TestWrongURLsAndMethods(t *testing.T) {
	s := serve(t, new(servicetest.Fake))
	base := strings.TrimSuffix(s.url, soapwire.ServicePath)
	for _, test := range []struct {
		method, url string
		status      int
	}{
		{"POST", base + "/", 404},
		{"POST", base + "/DisnixWebService/services/Other", 404},
		{"POST", s.url + ".Other", 404},
		{"POST", s.url + "/lock/more", 404},
		{"GET", s.url, 405},
		{"GET", s.url + "?wsdl2", 405},
		{"GET", s.url + "/printInvalid?derivation=a", 405},
		{"PUT", s.url, 405},
		{"OPTIONS", s.url, 405},
		{"DELETE", s.url, 404}, // nothing is under way
		{"GET", s.url + "?wsdl", 200},
		{"GET", s.url + "?WSDL", 200},
		{"HEAD", s.url + "?xsd", 200},
		{"GET", s.url + "?xsd=xsd0", 200},
		{"GET", base + webserver.HealthPath, 200},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := s.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != test.status {
			t.Errorf("%s %s: %d, want %d", test.method, test.url, response.StatusCode, test.status)
		}
		if allow := response.Header.Get("Allow"); (allow == "POST, GET, HEAD, DELETE") != (test.status == http.StatusMethodNotAllowed) {
			t.Errorf("%s %s: allowed is %q", test.method, test.url, allow)
		}
	}
}

// TestPaths sends requests to all URLs that the original accepts.
func TestPaths(t *testing.T) {
	fake := new(servicetest.Fake)
	s := serve(t, fake, func(c *soapservice.Config, _ *webserver.Config) { c.PathPrefix = "/target1/" })
	base := strings.TrimSuffix(s.url, soapwire.ServicePath)
	for _, url := range []string{
		s.url, s.url + "/", s.url + "/printInvalid", base + "/target1" + soapwire.ServicePath,
		s.url + ".DisnixWebServiceHttpSoap11Endpoint/", s.url + ".DisnixWebServiceHttpSoap12Endpoint/",
		s.url + ".DisnixWebServiceHttpEndpoint/", s.url + ".DisnixWebServiceHttpSoap11Endpoint",
	} {
		s := *s
		s.url = url
		var response soapwire.PrintInvalidResponse
		s.must(&soapwire.PrintInvalid{Derivation: texts("/x")}, &response)
		if len(response.Return_) != 1 {
			t.Errorf("%s: %v", url, response.Return_)
		}
	}
	response, err := s.client.Get(s.url + "?wsdl")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	wsdl, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(wsdl), `location="`+base+`/target1`+soapwire.ServicePath+`.DisnixWebServiceHttpSoap11Endpoint/"`)
	published := strings.ReplaceAll(string(wsdl), base+"/target1", "http://localhost:8080")
	if contract, err := os.ReadFile("../soapwire/DisnixWebService.wsdl"); err != nil || published != string(contract) {
		t.Errorf("what is published is not the contract: %v", err)
	}
	if strings.Contains(string(wsdl), "localhost:8080") || response.Header.Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Errorf("%s", response.Header)
	}
}

// TestFormsOfReplies asks in both versions of SOAP, with and without Accept.
func TestFormsOfReplies(t *testing.T) {
	fake := new(servicetest.Fake)
	fake.AddValid("/p")
	s := serve(t, fake)
	multipartHeader, multipart := multipartMessage(`<exportRemoteFile ` + namespace + `><item0>/p</item0></exportRemoteFile>`)
	plain := envelope(`<exportRemoteFile ` + namespace + `><item0>/p</item0></exportRemoteFile>`)
	soap12 := strings.ReplaceAll(plain, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
	for name, test := range map[string]struct {
		header    http.Header
		body      string
		accept    string
		wantType  string
		multipart bool
	}{
		"multipart":                   {multipartHeader, multipart, "", `start-info="text/xml"`, true},
		"multipart, plain wanted":     {multipartHeader, multipart, "text/xml", "text/xml; charset=UTF-8", false},
		"plain":                       {plainHeader(), plain, "", "text/xml; charset=UTF-8", false},
		"plain, anything accepted":    {plainHeader(), plain, "*/*", `start-info="text/xml"`, true},
		"plain, multipart accepted":   {plainHeader(), plain, "text/xml, multipart/related", `start-info="text/xml"`, true},
		"plain, any multipart":        {plainHeader(), plain, "text/xml, multipart/*;q=0.5", `start-info="text/xml"`, true},
		"plain, no multipart":         {plainHeader(), plain, "*/*, multipart/related;q=0", "text/xml; charset=UTF-8", false},
		"SOAP 1.2":                    {http.Header{"Content-Type": {"application/soap+xml"}}, soap12, "", `application/soap+xml; charset=UTF-8; action="urn:exportRemoteFileResponse"`, false},
		"SOAP 1.2, anything accepted": {http.Header{"Content-Type": {`application/soap+xml; action="urn:x"`}}, soap12, "*/*", `start-info="application/soap+xml"; action="urn:exportRemoteFileResponse"`, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.TB = t
			header := test.header.Clone()
			if test.accept != "" {
				header.Set("Accept", test.accept)
			}
			response, body := s.post(header, strings.NewReader(test.body))
			contentType := response.Header.Get("Content-Type")
			if response.StatusCode != 200 || !strings.HasSuffix(contentType, test.wantType) || strings.HasPrefix(contentType, "multipart/related") != test.multipart {
				t.Errorf("%d, %s", response.StatusCode, contentType)
			}
			var got soapwire.ExportRemoteFileResponse
			reply, err := soapwire.ReadReply(response.Header, io.NopCloser(strings.NewReader(body)), &got, soapwire.DefaultXMLLimit)
			if err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			var want bytes.Buffer
			if err := fake.ExportClosure(t.Context(), []string{"/p"}, &want); err != nil {
				t.Fatal(err)
			}
			if read(t, got.Return_) != want.String() {
				t.Error("the closure differs")
			}
			_ = reply.Close()
		})
	}
}

// TestSlowClients holds back the headers or the body of a request.
func TestSlowClients(t *testing.T) {
	temporary(t)
	s := serve(t, new(servicetest.Fake), func(_ *soapservice.Config, c *webserver.Config) {
		c.Limits.HeaderTime = 2 * time.Second
		c.Limits.StallTime = 2 * time.Second
	})
	address := strings.TrimPrefix(strings.TrimSuffix(s.url, soapwire.ServicePath), "http://")
	var group sync.WaitGroup
	for name, test := range map[string]struct{ sent, want string }{
		"in the headers":  {"POST / HTTP/1.1\r\nHost: x\r\n", ""},
		"before the body": {"POST " + soapwire.ServicePath + " HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n", "HTTP/1.1 408 Request Timeout"},
		"in the body":     {"POST " + soapwire.ServicePath + " HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<x", "HTTP/1.1 408 Request Timeout"},
	} {
		group.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, test.sent); err != nil {
				t.Error(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
			line, _ := bufio.NewReader(conn).ReadString('\n')
			if strings.TrimSpace(line) != test.want {
				t.Errorf("%s: answer %q", name, line)
			}
		})
	}
	group.Wait()
	s.must(&soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse))
}

// TestPanic checks that a mistake of ours affects one operation only.
func TestPanic(t *testing.T) {
	fake := &servicetest.Fake{Hook: func(_ context.Context, call servicetest.Call) error {
		if call.Operation == "activate" {
			panic("a mistake")
		}
		return nil
	}}
	s := serve(t, fake)
	_, err := s.ask(t.Context(), &soapwire.Activate{Type_: new("t")}, new(soapwire.ActivateResponse), nil)
	if err == nil || !strings.Contains(err.Error(), "internal error") || strings.Contains(err.Error(), "a mistake") {
		t.Errorf("error %v", err)
	}
	contains(t, s.log.String(), `panic="a mistake"`, "badinput_test.go")
	s.must(&soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse))
}

// brokenExport fails after it has sent some of a closure.
type brokenExport struct{ servicetest.Fake }

func (*brokenExport) ExportClosure(_ context.Context, paths []string, w io.Writer) error {
	if paths[0] == "/late" {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
	}
	return errors.New("the disk is broken")
}

func TestFailureInTheMiddleOfADownload(t *testing.T) {
	s := serve(t, service.Service(new(brokenExport)))
	_, err := s.ask(t.Context(), &soapwire.ExportRemoteFile{Derivation: texts("/early")}, new(soapwire.ExportRemoteFileResponse), nil)
	if err == nil || err.Error() != "the disk is broken" {
		t.Errorf("before anything was sent: %v", err)
	}
	var response soapwire.ExportRemoteFileResponse
	reply, err := s.ask(t.Context(), &soapwire.ExportRemoteFile{Derivation: texts("/late")}, &response, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Close()
	reader, err := response.Return_.Open()
	if err == nil {
		_, err = io.Copy(io.Discard, reader)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after a megabyte: %v", err)
	}
	eventually(t, "it is in the log", func() bool { return strings.Contains(s.log.String(), "the disk is broken") })
}

// TestAuditLine checks that a line tells who has asked for what, but no secrets.
func TestAuditLine(t *testing.T) {
	fake := &servicetest.Fake{Hook: func(_ context.Context, call servicetest.Call) error {
		if call.Operation == "deactivate" {
			return fmt.Errorf("deactivate: no")
		}
		return nil
	}}
	s := serve(t, fake)
	s.must(&soapwire.Activate{Derivation: new("/c\nforged=line"), Container: new("box"), Type_: new("t"), Arguments: texts("password=hunter2")}, new(soapwire.ActivateResponse))
	header := http.Header{soapwire.RequestIDHeader: {"chosen.id"}}
	if _, err := s.ask(t.Context(), &soapwire.Deactivate{Derivation: new("/c"), Arguments: texts("password=hunter2")}, new(soapwire.DeactivateResponse), header); err == nil {
		t.Error("no fault")
	}
	log := s.log.String()
	contains(t, log, "operation=activate derivation=/c container=box type=t", "status=200", "remote=127.0.0.1",
		"id=chosen.id", "operation=deactivate", "status=500", `error="deactivate: no"`, "level=WARN")
	if strings.Contains(log, "hunter2") || strings.Contains(log, "\nforged") {
		t.Errorf("log %s", log)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(log), "\n") {
		if strings.Count(line, " took=") != 1 {
			t.Errorf("line %s", line)
		}
	}
}
