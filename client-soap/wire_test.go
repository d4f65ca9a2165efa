package soapclient_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	soapclient "github.com/disnix-go/disnix/client-soap"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/test/nixtest"
)

// sent is a request as it arrives, without what is random in it.
type sent struct {
	header http.Header
	body   string
}

var random = regexp.MustCompile(`[0-9a-f]{32}`)

// recording returns a client of a service that records requests and answers
// with an empty message, and the requests.
func recording(t *testing.T) (*soapclient.Client, *[]sent) {
	t.Helper()
	requests := new([]sent)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err == nil {
				body, err = io.ReadAll(z)
			}
			if err != nil {
				t.Error(err)
			}
		}
		*requests = append(*requests, sent{r.Header.Clone(), random.ReplaceAllString(string(body), "X")})
		xmlAnswer(200, opening11+closing).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return dial(t, server.URL+"/service"), requests
}

// message is a request of the SOAP page, section 9.
func message(element, parts string) string {
	return "--MIMEBoundary_X\r\nContent-ID: <0.X@disnix>\r\nContent-Transfer-Encoding: binary\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\n\r\n" +
		`<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header/><soapenv:Body>` +
		element + "</soapenv:Body></soapenv:Envelope>\r\n" + parts + "--MIMEBoundary_X--\r\n"
}

// TestRequestsOnTheWire compares requests with those of the original client.
func TestRequestsOnTheWire(t *testing.T) {
	root := nixtest.Store(t)
	closure := exported(t, root, "content")
	raw, err := io.ReadAll(closure())
	if err != nil {
		t.Fatal(err)
	}
	include := func(n string) string {
		return `<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:` + n + `.X@disnix"></xop:Include>`
	}
	part := func(n, content string) string {
		return "--MIMEBoundary_X\r\nContent-ID: <" + n + ".X@disnix>\r\nContent-Transfer-Encoding: binary\r\nContent-Type: application/octet-stream\r\n\r\n" + content + "\r\n"
	}
	for name, test := range map[string]struct {
		run  func(*soapclient.Client) error
		want string
	}{
		"9.1": {func(c *soapclient.Client) error {
			_, err := c.PrintInvalid(t.Context(), []string{"/nix/store/aaaa-one", "/nix/store/bbbb-two"})
			return err
		}, message(`<printInvalid xmlns="http://service.disnix.nixos.org"><item0 xmlns="">/nix/store/aaaa-one</item0><item0 xmlns="">/nix/store/bbbb-two</item0></printInvalid>`, "")},
		"9.2": {func(c *soapclient.Client) error {
			return c.Activate(t.Context(), service.Activity{Component: "/nix/store/cccc-svc", Type: "process", Arguments: []string{"port=80", "host=x"}})
		}, message(`<activate xmlns="http://service.disnix.nixos.org"><arg0 xmlns="">/nix/store/cccc-svc</arg0><arg1 xmlns="">process</arg1><arg2 xmlns="">process</arg2><item3 xmlns="">port=80</item3><item3 xmlns="">host=x</item3></activate>`, "")},
		"9.3": {func(c *soapclient.Client) error {
			_, err := c.ImportClosure(t.Context(), closure())
			return err
		}, message(`<importLocalFile xmlns="http://service.disnix.nixos.org"><arg0 xmlns="">`+include("1")+`</arg0></importLocalFile>`, part("1", string(raw)))},
		"9.5": {func(c *soapclient.Client) error { return c.CleanSnapshots(t.Context(), 1, "", "") },
			message(`<cleanSnapshots xmlns="http://service.disnix.nixos.org"><arg0 xmlns="">1</arg0><item1 xmlns="" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"></item1><item1 xmlns="" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"></item1></cleanSnapshots>`, "")},
		"9.6": {func(c *soapclient.Client) error {
			return c.ImportSnapshot(t.Context(), "c", "k", "1", archive(t, map[string]string{"state": "one", "sub/more": "two"}))
		}, message(`<importLocalSnapshots xmlns="http://service.disnix.nixos.org"><arg0 xmlns="">c</arg0><arg1 xmlns="">k</arg1><arg2 xmlns="">/1</arg2><item3 xmlns="">`+include("1")+`</item3><item3 xmlns="">`+include("2")+`</item3><item4 xmlns="">/1/state</item4><item4 xmlns="">/1/sub/more</item4></importLocalSnapshots>`,
			part("1", "one")+part("2", "two"))},
		"false": {func(c *soapclient.Client) error { return c.CollectGarbage(t.Context(), false) },
			message(`<collectGarbage xmlns="http://service.disnix.nixos.org"><arg0 xmlns="">false</arg0></collectGarbage>`, "")},
	} {
		for _, compression := range []string{"none", "gzip"} {
			t.Run(name+", "+compression, func(t *testing.T) {
				t.Setenv("DISNIX_SOAP_CLIENT_COMPRESSION", compression)
				client, requests := recording(t)
				if err := test.run(client); err != nil {
					t.Fatal(err)
				}
				// Closures and snapshots need a second request.
				i := slices.IndexFunc(*requests, func(r sent) bool { return r.body == test.want })
				if i < 0 {
					t.Fatalf("got  %q\nwant %q", *requests, test.want)
				}
				checkHeader(t, (*requests)[i], compression)
			})
		}
	}
}

func checkHeader(t *testing.T, request sent, compression string) {
	t.Helper()
	got := random.ReplaceAllString(request.header.Get("Content-Type"), "X")
	const want = `multipart/related; boundary="MIMEBoundary_X"; type="application/xop+xml"; start="<0.X@disnix>"; start-info="text/xml"`
	if got != want || request.header.Get("SOAPAction") != `""` {
		t.Errorf("Content-Type %s, SOAPAction %s", got, request.header.Get("SOAPAction"))
	}
	if encoding := request.header.Get("Content-Encoding"); (encoding == "gzip") != (compression == "gzip") {
		t.Errorf("Content-Encoding %q", encoding)
	}
}
