package soapclient_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	soapclient "github.com/disnix-go/disnix/client-soap"
)

// canned is an answer that is always the same.
type canned struct {
	status int
	header map[string]string
	body   string
}

func (c canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for name, value := range c.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, c.body)
}

// answering returns a client of a service that always answers like that.
func answering(t testing.TB, handler http.Handler) *soapclient.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return dial(t, server.URL+"/service")
}

const (
	opening11 = `<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header/><soapenv:Body>`
	closing   = `</soapenv:Body></soapenv:Envelope>`
)

func xmlAnswer(status int, body string) canned {
	return canned{status, map[string]string{"Content-Type": "text/xml; charset=UTF-8"}, body}
}

// multipartAnswer is a message with an envelope and perhaps more.
func multipartAnswer(envelope, rest string) canned {
	return canned{200, map[string]string{"Content-Type": `multipart/related; boundary="B"; type="application/xop+xml"; start="<root>"; start-info="text/xml"`},
		"--B\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\nContent-ID: <root>\r\n\r\n" + envelope + "\r\n--B" + rest}
}

// included is the reply to exportRemoteFile with a reference to a part.
const included = opening11 + `<ns:exportRemoteFileResponse xmlns:ns="http://service.disnix.nixos.org"><ns:return><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:file"/></ns:return></ns:exportRemoteFileResponse>` + closing

// TestAnswersThatAreNoReplies checks what is said about them. No error repeats
// the password.
func TestAnswersThatAreNoReplies(t *testing.T) {
	t.Setenv("DISNIX_SOAP_CLIENT_USERNAME", "admin")
	t.Setenv("DISNIX_SOAP_CLIENT_PASSWORD", "xyzzy")
	page := map[string]string{"Content-Type": "text/html"}
	for name, test := range map[string]struct {
		answer canned
		want   []string
	}{
		"401":                      {canned{401, page, "<html><head><title>Unauthorized</title></head><body><h1>No</h1></body></html>"}, []string{`"401 Unauthorized" instead of a SOAP message ("Unauthorized No")`, `password of user "admin"`}},
		"403":                      {canned{403, page, ""}, []string{`"403 Forbidden" instead`, "client certificate"}},
		"404":                      {canned{404, nil, "nothing here"}, []string{"no DisnixWebService at http://127.0.0.1:", "/DisnixWebService/services/DisnixWebService"}},
		"413":                      {canned{413, page, ""}, []string{"client_max_body_size"}},
		"502":                      {canned{502, page, "<h1>Bad\x1b[31m Gateway</h1>"}, []string{`"502 Bad Gateway"`, "does not reach the service", "is not known"}},
		"503, as the original's":   {canned{503, page, ""}, []string{`"503 Service Unavailable"`, "overloaded"}},
		"504":                      {canned{504, page, ""}, []string{"proxy_read_timeout"}},
		"500 without a message":    {canned{500, nil, ""}, []string{`"500 Internal Server Error"`, "log of the server"}},
		"a redirection":            {canned{301, map[string]string{"Location": "https://elsewhere/x", "Content-Type": "text/xml"}, ""}, []string{`"https://elsewhere/x"`, "make it the address of the target"}},
		"an HTML page":             {canned{200, page, "<!DOCTYPE html><title>Welcome</title><script>x()</script>Login"}, []string{`("Welcome Login")`, "URL of DisnixWebService"}},
		"an HTML page as XML":      {xmlAnswer(502, "<html/>"), []string{`"502 Bad Gateway"`, "no SOAP envelope but <html>"}},
		"202 without a result":     {canned{202, nil, ""}, []string{"202 Accepted"}},
		"a document type":          {xmlAnswer(200, `<!DOCTYPE x [<!ENTITY a "a"><!ENTITY b "&a;&a;">]>`+opening11+`<captureConfigResponse><return>&b;</return></captureConfigResponse>`+closing), []string{"document type declaration"}},
		"deep XML":                 {xmlAnswer(200, opening11+strings.Repeat("<a>", 1000)), []string{"nested deeper than 64"}},
		"XML that is cut off":      {xmlAnswer(200, opening11+"<captureConfigResponse><return>{"), []string{"unexpected EOF", "no reply of DisnixWebService, or was cut off"}},
		"a control character":      {xmlAnswer(200, opening11+"<captureConfigResponse><return>\x01</return></captureConfigResponse>"+closing), []string{"illegal character"}},
		"no XML":                   {xmlAnswer(200, "x"), []string{"captureConfig: read the reply"}},
		"another encoding":         {canned{200, map[string]string{"Content-Type": "text/xml", "Content-Encoding": "br"}, "x"}, []string{"it must be gzip"}},
		"no gzip":                  {canned{200, map[string]string{"Content-Type": "text/xml", "Content-Encoding": "gzip"}, opening11}, []string{"not in the format gzip"}},
		"an empty body":            {xmlAnswer(200, opening11+closing), []string{"captureConfig: the reply has no result"}},
		"a message without a root": {multipartAnswer("", "--"), []string{"read the reply"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := answering(t, test.answer).CaptureConfig(t.Context())
			wantError(t, err, append(test.want, "captureConfig: ")...)
			if err != nil && strings.ContainsAny(err.Error(), "\x1b\x01") || strings.Contains(err.Error(), "xyzzy") {
				t.Errorf("%q", err)
			}
		})
	}
}

func TestRepliesWithoutAResultAreEnough(t *testing.T) {
	for name, answer := range map[string]canned{
		"202":              {202, nil, ""},
		"an empty wrapper": xmlAnswer(200, opening11+"<lockResponse/>"+closing),
		"another number":   xmlAnswer(200, opening11+"<x:lockResponse xmlns:x='urn:x'><a>7</a></x:lockResponse>"+closing),
	} {
		t.Run(name, func(t *testing.T) {
			if err := answering(t, answer).Lock(t.Context(), "default"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestContentsThatAreMissing(t *testing.T) {
	for name, test := range map[string]struct {
		answer canned
		want   string
	}{
		"no part":             {multipartAnswer(included, "--"), "the reply lacks a part: No MIME part found for content ID 'file'"},
		"another part":        {multipartAnswer(included, "\r\nContent-ID: <other>\r\n\r\nx\r\n--B--"), "the reply lacks a part"},
		"a part without end":  {multipartAnswer(included, "\r\nContent-ID: <file>\r\n\r\nhalf of"), "unexpected EOF"},
		"null":                {xmlAnswer(200, opening11+"<exportRemoteFileResponse/>"+closing), "the reply has no content"},
		"no valid base64":     {xmlAnswer(200, opening11+"<exportRemoteFileResponse><return>%%%</return></exportRemoteFileResponse>"+closing), "not valid base64"},
		"a foreign reference": {multipartAnswer(strings.Replace(included, "cid:file", "file:///etc/passwd", 1), "--"), "does not name a part"},
	} {
		t.Run(name, func(t *testing.T) {
			temporary(t)
			var b strings.Builder
			err := answering(t, test.answer).ExportClosure(t.Context(), []string{"/a"}, &b)
			wantError(t, err, "exportRemoteFile: ", test.want)
			var failure *soapclient.FailureError
			if errors.As(err, &failure) {
				t.Errorf("it is taken for a failure of the operation: %v", err)
			}
		})
	}
	t.Run("base64 in the envelope", func(t *testing.T) {
		temporary(t)
		var b strings.Builder
		answer := xmlAnswer(200, opening11+"<exportRemoteFileResponse><return>YWJj\n ZGVm</return></exportRemoteFileResponse>"+closing)
		if err := answering(t, answer).ExportClosure(t.Context(), []string{"/a"}, &b); err != nil || b.String() != "abcdef" {
			t.Errorf("%q, %v", &b, err)
		}
	})
}

// endless is a reply that never ends.
type endless struct{}

func (endless) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	_, err := io.WriteString(w, opening11+"<queryRequisitesResponse>")
	for line := "<return>" + strings.Repeat("x", 64<<10) + "</return>"; err == nil; {
		_, err = io.WriteString(w, line)
	}
}

func TestHugeRepliesAreRefused(t *testing.T) {
	client := answering(t, endless{})
	client.LimitReplies(1 << 20)
	paths, err := client.QueryRequisites(t.Context(), []string{"/a"})
	wantError(t, err, "queryRequisites: ", "longer than 1048576 bytes")
	if len(paths) != 0 {
		t.Errorf("%d paths are returned all the same", len(paths))
	}
}

func TestFaults(t *testing.T) {
	fault := func(text string) canned {
		return xmlAnswer(500, opening11+"<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>"+text+"</faultstring><detail/></soapenv:Fault>"+closing)
	}
	for name, test := range map[string]struct {
		answer canned
		want   string
	}{
		"one line":    {fault("no &amp; no\n"), "DisnixWebService: lock failed: no & no"},
		"a whole log": {fault("one\ntwo\n"), "DisnixWebService: lock failed:\none\ntwo"},
		"no text":     {fault(""), "the service answers with a fault that has no text"},
		"status 200":  {canned{200, map[string]string{"Content-Type": "text/xml"}, fault("no").body}, "DisnixWebService: lock failed: no"},
		"SOAP 1.2": {canned{500, map[string]string{"Content-Type": "application/soap+xml"}, strings.NewReplacer(
			"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope",
			"<faultcode>soapenv:Server</faultcode><faultstring>no</faultstring>", "<soapenv:Code><soapenv:Value>soapenv:Receiver</soapenv:Value></soapenv:Code><soapenv:Reason><soapenv:Text>no</soapenv:Text></soapenv:Reason>").Replace(fault("no").body)},
			"DisnixWebService: lock failed: no"},
	} {
		t.Run(name, func(t *testing.T) {
			err := answering(t, test.answer).Lock(t.Context(), "default")
			var failure *soapclient.FailureError
			if !errors.As(err, &failure) || failure.Operation != "lock" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
