package soapwire

import (
	"bytes"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// texts makes the list of a message.
func texts(values ...string) []*string {
	list := make([]*string, len(values))
	for i := range values {
		list[i] = &values[i]
	}
	return list
}

func file(content string) *Content {
	return NewContent("", func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
}

const (
	envelope11 = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header/><soapenv:Body>`
	envelope12 = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://www.w3.org/2003/05/soap-envelope"><soapenv:Header/><soapenv:Body>`
	closing    = `</soapenv:Body></soapenv:Envelope>`
)

// golden are the messages of the SOAP page, section 9: requests as the original
// client sends them.
var golden = map[string]struct {
	request any
	body    string
	files   []string // of the parts
}{
	"9.1": {&PrintInvalid{Derivation: texts("/nix/store/aaaa-one", "/nix/store/bbbb-two")},
		`<printInvalid xmlns="http://service.disnix.nixos.org"><item0 xmlns="">/nix/store/aaaa-one</item0><item0 xmlns="">/nix/store/bbbb-two</item0></printInvalid>`, nil},
	"9.2": {&Activate{Derivation: new("/nix/store/cccc-svc"), Container: new("process"), Type_: new("process"), Arguments: texts("port=80", "host=x")},
		`<activate xmlns="http://service.disnix.nixos.org"><arg0 xmlns="">/nix/store/cccc-svc</arg0><arg1 xmlns="">process</arg1><arg2 xmlns="">process</arg2><item3 xmlns="">port=80</item3><item3 xmlns="">host=x</item3></activate>`, nil},
	"9.3": {&ImportLocalFile{DataHandler: file("closure")},
		`<importLocalFile xmlns="http://service.disnix.nixos.org"><arg0 xmlns=""><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:ID1"></xop:Include></arg0></importLocalFile>`, []string{"closure"}},
	"9.5": {&CleanSnapshots{Keep: 1},
		`<cleanSnapshots xmlns="http://service.disnix.nixos.org"><arg0 xmlns="">1</arg0><item1 xmlns="" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"></item1><item1 xmlns="" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"></item1></cleanSnapshots>`, nil},
	"9.6": {&ImportLocalSnapshots{Container: new("c"), Component: new("k"), Snapshot: new("/s/1"),
		DataHandlers: []*Content{file("one"), file("two")}, Paths: texts("/s/1/state", "/s/1/sub/more")},
		`<importLocalSnapshots xmlns="http://service.disnix.nixos.org"><arg0 xmlns="">c</arg0><arg1 xmlns="">k</arg1><arg2 xmlns="">/s/1</arg2>` +
			`<item3 xmlns=""><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:ID1"></xop:Include></item3>` +
			`<item3 xmlns=""><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:ID2"></xop:Include></item3>` +
			`<item4 xmlns="">/s/1/state</item4><item4 xmlns="">/s/1/sub/more</item4></importLocalSnapshots>`, []string{"one", "two"}},
	"a null before what is not": {&QueryAllSnapshots{Component: new("k")},
		`<queryAllSnapshots xmlns="http://service.disnix.nixos.org"><item0 xmlns="" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"></item0><arg0 xmlns="">k</arg0></queryAllSnapshots>`, nil},
	"an empty list": {&ImportSnapshots{Container: new("c"), Component: new("k")},
		`<importSnapshots xmlns="http://service.disnix.nixos.org"><arg0 xmlns="">c</arg0><arg1 xmlns="">k</arg1></importSnapshots>`, nil},
	"false": {&CollectGarbage{},
		`<collectGarbage xmlns="http://service.disnix.nixos.org"><arg0 xmlns="">false</arg0></collectGarbage>`, nil},
	"nothing": {&CaptureConfig{}, `<captureConfig xmlns="http://service.disnix.nixos.org"></captureConfig>`, nil},
}

// multipartOf is the message that the original client makes of an envelope.
func multipartOf(envelope string, files []string) (contentType, body string) {
	var b strings.Builder
	b.WriteString("--B\r\nContent-ID: <ROOT>\r\nContent-Transfer-Encoding: binary\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\n\r\n" + envelope)
	for i, file := range files {
		b.WriteString("\r\n--B\r\nContent-ID: <ID" + string(rune('1'+i)) + ">\r\nContent-Transfer-Encoding: binary\r\nContent-Type: application/octet-stream\r\n\r\n" + file)
	}
	b.WriteString("\r\n--B--\r\n")
	return `multipart/related; boundary="B"; type="application/xop+xml"; start="<ROOT>"; start-info="text/xml"`, b.String()
}

// plain replaces what is random in a message.
func plain(e *Encoder, message string) string {
	message = strings.ReplaceAll(message, e.boundary(), "B")
	message = strings.ReplaceAll(message, e.rootID(), "ROOT")
	return regexp.MustCompile(`([0-9]+)\.`+e.id+`@disnix`).ReplaceAllString(message, "ID$1")
}

func TestRequestsAreWrittenAsTheOriginalDoes(t *testing.T) {
	for name, test := range golden {
		t.Run(name, func(t *testing.T) {
			wantType, want := multipartOf(envelope11+test.body+closing, test.files)
			e := NewEncoder(Soap11, true)
			var b bytes.Buffer
			if err := e.Request(&b, test.request, true); err != nil {
				t.Fatal(err)
			}
			if got := plain(e, b.String()); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if got := plain(e, e.ContentType("urn:x")); got != wantType {
				t.Errorf("got  %s\nwant %s", got, wantType)
			}
		})
	}
}

func TestRequestsOfTheOriginalAreRead(t *testing.T) {
	for name, test := range golden {
		t.Run(name, func(t *testing.T) {
			contentType, body := multipartOf(envelope11+test.body+closing, test.files)
			r, err := ReadRequest(http.Header{"Content-Type": {contentType}}, strings.NewReader(body), DefaultXMLLimit, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			checkMessage(t, r.Message, test.request, test.files)
			if r.Version != Soap11 || !r.Multipart || r.Operation != OperationOf(test.request) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// checkMessage compares messages, and the contents of the first with files.
func checkMessage(t *testing.T, got, want any, files []string) {
	t.Helper()
	wanted, sent := reflect.ValueOf(want).Elem(), reflect.ValueOf(got).Elem()
	if sent.Type() != wanted.Type() {
		t.Fatalf("got a %T, want a %T", got, want)
	}
	var contents []*Content
	for i := range wanted.NumField() {
		switch field := sent.Field(i).Interface().(type) {
		case *Content:
			contents = append(contents, field)
		case []*Content:
			contents = append(contents, field...)
		case []*string:
			if len(field) != wanted.Field(i).Len() || len(field) > 0 && !reflect.DeepEqual(field, wanted.Field(i).Interface()) {
				t.Errorf("%s: %v", sent.Type().Field(i).Name, field)
			}
		default:
			if !reflect.DeepEqual(field, wanted.Field(i).Interface()) {
				t.Errorf("%s: %v", sent.Type().Field(i).Name, field)
			}
		}
	}
	if len(contents) != len(files) {
		t.Fatalf("%d contents, want %d", len(contents), len(files))
	}
	for i, content := range contents {
		r, err := content.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != files[i] {
			t.Errorf("content %d: %q, %v", i, got, err)
		}
	}
}

func TestRepliesAsTheOriginalMakesThem(t *testing.T) {
	for name, test := range map[string]struct {
		response any
		body     string
		files    []string
	}{
		"9.1": {&PrintInvalidResponse{Return_: texts("/nix/store/bbbb-two")},
			`<ns:printInvalidResponse xmlns:ns="http://service.disnix.nixos.org"><ns:return>/nix/store/bbbb-two</ns:return></ns:printInvalidResponse>`, nil},
		"9.2": {&ActivateResponse{},
			`<ns:activateResponse xmlns:ns="http://service.disnix.nixos.org"><ns:return>0</ns:return></ns:activateResponse>`, nil},
		"9.4": {&ExportRemoteFileResponse{Return_: file("closure")},
			`<ns:exportRemoteFileResponse xmlns:ns="http://service.disnix.nixos.org"><ns:return><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:ID1"></xop:Include></ns:return></ns:exportRemoteFileResponse>`, []string{"closure"}},
		"an empty list": {&RealiseResponse{},
			`<ns:realiseResponse xmlns:ns="http://service.disnix.nixos.org"></ns:realiseResponse>`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			wantType, want := multipartOf(envelope11+test.body+closing, test.files)
			e := NewEncoder(Soap11, true)
			var b bytes.Buffer
			if err := e.Reply(&b, test.response); err != nil {
				t.Fatal(err)
			}
			if got := plain(e, b.String()); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			got := reflect.New(reflect.TypeOf(test.response).Elem()).Interface()
			reply, err := ReadReply(http.Header{"Content-Type": {wantType}}, io.NopCloser(strings.NewReader(want)), got, DefaultXMLLimit)
			if err != nil {
				t.Fatal(err)
			}
			checkMessage(t, got, test.response, test.files)
			if err := reply.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		version Version
		fault   *Fault
		want    string
	}{
		"9.7": {Soap11, &Fault{Text: "line 1\nline 2 <&>\n"},
			envelope11 + "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>line 1\nline 2 &lt;&amp;&gt;\n</faultstring><detail></detail></soapenv:Fault>" + closing},
		"of SOAP 1.2": {Soap12, &Fault{Code: Client, Text: "no"},
			envelope12 + `<soapenv:Fault><soapenv:Code><soapenv:Value>soapenv:Sender</soapenv:Value></soapenv:Code><soapenv:Reason><soapenv:Text xml:lang="en-US">no</soapenv:Text></soapenv:Reason><soapenv:Detail></soapenv:Detail></soapenv:Fault>` + closing},
		"with a detail": {Soap11, &Fault{Code: MustUnderstand, Text: "t", Detail: NewDetail("d")},
			envelope11 + `<soapenv:Fault><faultcode>soapenv:MustUnderstand</faultcode><faultstring>t</faultstring><detail><ns:DisnixWebServiceException xmlns:ns="http://service.disnix.nixos.org"><ns:DisnixWebServiceException><ns:Message>d</ns:Message></ns:DisnixWebServiceException></ns:DisnixWebServiceException></detail></soapenv:Fault>` + closing},
	} {
		t.Run(name, func(t *testing.T) {
			e := NewEncoder(test.version, false)
			var b bytes.Buffer
			if err := e.Fault(&b, test.fault); err != nil {
				t.Fatal(err)
			}
			if b.String() != test.want {
				t.Errorf("got  %s\nwant %s", b.String(), test.want)
			}
			header := http.Header{"Content-Type": {e.ContentType("")}}
			_, err := ReadReply(header, io.NopCloser(&b), new(LockResponse), DefaultXMLLimit)
			if got, ok := err.(*Fault); !ok || !reflect.DeepEqual(got, test.fault) {
				t.Errorf("read: %#v", err)
			}
		})
	}
}
