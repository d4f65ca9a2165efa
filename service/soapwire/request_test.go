package soapwire

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// readBody reads a request in plain XML, whose body has this element.
func readBody(t *testing.T, element string) (*Request, error) {
	t.Helper()
	r, err := ReadRequest(http.Header{"Content-Type": {"text/xml"}}, strings.NewReader(envelope11+element+closing), DefaultXMLLimit, nil)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, err
}

func TestArgumentsAreMatchedAsTheOriginalDoes(t *testing.T) {
	const ns = `xmlns="http://service.disnix.nixos.org"`
	wanted := &Activate{Derivation: new("d"), Container: new("c"), Type_: new("t"), Arguments: texts("a=1", "b=2")}
	for name, test := range map[string]struct {
		element string
		want    any    // a request
		fault   string // or this
	}{
		"9.8: by name":                              {`<d:activate xmlns:d="http://service.disnix.nixos.org"><d:derivation>d</d:derivation><d:container>c</d:container><d:type>t</d:type><d:arguments>a=1</d:arguments><d:arguments>b=2</d:arguments></d:activate>`, wanted, ""},
		"by name, without namespaces":               {`<x:activate xmlns:x="http://service.disnix.nixos.org"><derivation>d</derivation><container>c</container><type>t</type><arguments>a=1</arguments><arguments>b=2</arguments></x:activate>`, wanted, ""},
		"by position, with wrong numbers":           {`<activate ` + ns + `><arg7>d</arg7><arg7>c</arg7><arg0>t</arg0><item9>a=1</item9><item9>b=2</item9></activate>`, wanted, ""},
		"by position, then by name":                 {`<activate ` + ns + `><arg0>d</arg0><container>c</container><arg2>t</arg2><arguments>a=1</arguments><arguments>b=2</arguments></activate>`, wanted, ""},
		"what is skipped is null":                   {`<activate ` + ns + `><type>t</type></activate>`, &Activate{Type_: new("t")}, ""},
		"arguments is not read as a name":           {`<activate ` + ns + `><derivation>d</derivation><arguments>a=1</arguments></activate>`, &Activate{Derivation: new("d"), Container: new("a=1")}, ""},
		"nulls":                                     {`<activate ` + ns + ` xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><item0 i:nil="true"/><item0 i:nil="1"/><arg0>t</arg0></activate>`, &Activate{Type_: new("t")}, ""},
		"an empty element is an empty text":         {`<activate ` + ns + `><arg0/><arg1></arg1></activate>`, &Activate{Derivation: new(""), Container: new("")}, ""},
		"white space is kept":                       {"<activate " + ns + "><arg0> d\n</arg0></activate>", &Activate{Derivation: new(" d\n")}, ""},
		"text in several pieces":                    {`<activate ` + ns + `><arg0>a<!-- c -->b<![CDATA[<c>]]>&amp;&#100;</arg0></activate>`, &Activate{Derivation: new("ab<c>&d")}, ""},
		"null is no entry of a list if it is alone": {`<printInvalid ` + ns + ` xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><item0 i:nil="true"/></printInvalid>`, &PrintInvalid{}, ""},
		"a null beside another entry of a list":     {`<importSnapshots ` + ns + ` xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><arg0/><arg1/><item2 i:nil="true"/><item2>s</item2></importSnapshots>`, &ImportSnapshots{Container: new(""), Component: new(""), Snapshots: []*string{nil, new("s")}}, ""},
		"a list ends with another name":             {`<importLocalSnapshots ` + ns + `><arg0>c</arg0><arg1>k</arg1><arg2>s</arg2><item3/><item4>p</item4><item4>q</item4></importLocalSnapshots>`, &ImportLocalSnapshots{Container: new("c"), Component: new("k"), Snapshot: new("s"), DataHandlers: []*Content{nil}, Paths: texts("p", "q")}, ""},
		"an empty list":                             {`<importSnapshots ` + ns + `><arg0>c</arg0><arg1>k</arg1></importSnapshots>`, &ImportSnapshots{Container: new("c"), Component: new("k")}, ""},
		"what is left over is ignored":              {`<lock ` + ns + `><arg0>p</arg0><arg1>x</arg1><bogus><deep/></bogus></lock>`, &Lock{Profile: new("p")}, ""},
		"nothing at all":                            {`<lock ` + ns + `/>`, &Lock{}, ""},
		"an unknown name":                           {`<activate ` + ns + `><derivation>d</derivation><bogus>x</bogus></activate>`, nil, "Index 4 out of bounds for length 4"},
		"names in another order":                    {`<set ` + ns + `><derivation>d</derivation><profile>p</profile></set>`, &Set{Derivation: new("d")}, ""},
		"names in another order, of three":          {`<activate ` + ns + `><container>c</container><derivation>d</derivation></activate>`, nil, "Index 4 out of bounds for length 4"},
		"a missing number":                          {`<cleanSnapshots ` + ns + `><container>c</container></cleanSnapshots>`, nil, "unknown"},
		"a missing boolean":                         {`<collectGarbage ` + ns + `/>`, nil, "unknown"},
		"a null number":                             {`<cleanSnapshots ` + ns + ` xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><keep i:nil="true"/></cleanSnapshots>`, nil, "unknown"},
		"no number":                                 {`<cleanSnapshots ` + ns + `><keep>abc</keep></cleanSnapshots>`, nil, `Invalid value "abc" for element keep`},
		"a number that is too large":                {`<cleanSnapshots ` + ns + `><keep>2147483648</keep></cleanSnapshots>`, nil, `Invalid value "2147483648" for element keep`},
		"a number":                                  {`<cleanSnapshots ` + ns + `><keep> -3 </keep></cleanSnapshots>`, &CleanSnapshots{Keep: -3}, ""},
		"no boolean":                                {`<collectGarbage ` + ns + `><deleteOld>yes</deleteOld></collectGarbage>`, nil, `Invalid value "yes" for element deleteOld`},
		"a boolean as a number":                     {`<collectGarbage ` + ns + `><deleteOld>1</deleteOld></collectGarbage>`, &CollectGarbage{DeleteOld: true}, ""},
		"another namespace":                         {`<lock xmlns="urn:x"/>`, nil, "namespace mismatch require http://service.disnix.nixos.org found urn:x"},
		"no namespace":                              {`<lock/>`, nil, "namespace mismatch require http://service.disnix.nixos.org found none"},
		"an unknown operation":                      {`<bogus ` + ns + `/>`, nil, `there is no operation "bogus"`},
		"an empty body":                             {``, nil, "the body of the message is empty"},
		"two operations":                            {`<lock ` + ns + `/><lock ` + ns + `/>`, nil, "more than one element"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := readBody(t, test.element)
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Fatalf("error %v, want %s", err, test.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if snapshots, ok := r.Message.(*ImportLocalSnapshots); ok { // its content is empty, but not nil
				if len(snapshots.DataHandlers) != 1 {
					t.Errorf("contents %v", snapshots.DataHandlers)
				}
				snapshots.DataHandlers = nil
				test.want.(*ImportLocalSnapshots).DataHandlers = nil
			}
			checkMessage(t, r.Message, test.want, nil)
		})
	}
}

// TestOperationsAreThoseOfTheWSDL compares the table with the contract.
func TestOperationsAreThoseOfTheWSDL(t *testing.T) {
	table := operations()
	bindings := strings.Count(wsdl, `<soap:operation soapAction="urn:`)
	for name, request := range table {
		if !strings.Contains(wsdl, `<soap:operation soapAction="urn:`+name+`"`) {
			t.Errorf("%s is not in the WSDL", name)
		}
		for _, e := range shapeOf(request()).elements {
			if !strings.Contains(wsdl, `name="`+e.name+`"`) {
				t.Errorf("%s has no parameter %s", name, e.name)
			}
		}
	}
	if len(table) != bindings || bindings != 27 {
		t.Errorf("%d operations, and %d in the WSDL", len(table), bindings)
	}
}

func TestMessagesThatAreNotInOrder(t *testing.T) {
	lock := `<lock xmlns="http://service.disnix.nixos.org"><arg0>p</arg0></lock>`
	deep := strings.Repeat("<x>", 100) + strings.Repeat("</x>", 100)
	plain := func(mediaType, message string) (http.Header, string) {
		return http.Header{"Content-Type": {mediaType}}, message
	}
	for name, test := range map[string]struct {
		mediaType, encoding, message string
		want                         string
		code                         FaultCode
		status                       int
	}{
		"nothing":                    {"text/xml", "", "", "empty", Client, 0},
		"text":                       {"text/xml", "", "hello", "ends before", Client, 0},
		"truncated":                  {"text/xml", "", envelope11 + lock, "unexpected EOF", Client, 0},
		"a tag that is not closed":   {"text/xml", "", envelope11 + "<lock" + closing, "well-formed", Client, 0},
		"mismatched tags":            {"text/xml", "", envelope11 + "<lock xmlns='http://service.disnix.nixos.org'></b>" + closing, "well-formed", Client, 0},
		"no UTF-8":                   {"text/xml", "", envelope11 + "<lock xmlns='http://service.disnix.nixos.org'><arg0>\xff</arg0></lock>" + closing, "well-formed", Client, 0},
		"a control character":        {"text/xml", "", envelope11 + "<lock xmlns='http://service.disnix.nixos.org'><arg0>\x01</arg0></lock>" + closing, "well-formed", Client, 0},
		"a document type":            {"text/xml", "", "<!DOCTYPE lolz [<!ENTITY lol \"lol\">]>" + envelope11 + lock + closing, "document type", Client, 0},
		"an external entity":         {"text/xml", "", `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`, "document type", Client, 0},
		"an entity":                  {"text/xml", "", envelope11 + "<lock xmlns='http://service.disnix.nixos.org'><arg0>&lol;</arg0></lock>" + closing, "well-formed", Client, 0},
		"too deep":                   {"text/xml", "", envelope11 + "<lock xmlns='http://service.disnix.nixos.org'><arg0>" + deep + "</arg0></lock>" + closing, "deeper than 64", Client, 0},
		"too deep in the header":     {"text/xml", "", strings.Replace(envelope11, "<soapenv:Header/>", "<soapenv:Header>"+deep+"</soapenv:Header>", 1) + lock + closing, "deeper than 64", Client, 0},
		"too long":                   {"text/xml", "", envelope11 + "<lock xmlns='http://service.disnix.nixos.org'><arg0>" + strings.Repeat("x", 1<<20) + "</arg0></lock>" + closing, "longer than", Client, 413},
		"something after it":         {"text/xml", "", envelope11 + lock + closing + "<x/>", "after the envelope", Client, 0},
		"text after it":              {"text/xml", "", envelope11 + lock + closing + "x", "after the envelope", Client, 0},
		"something after the body":   {"text/xml", "", envelope11 + lock + "</soapenv:Body><x/></soapenv:Envelope>", "after the body", Client, 0},
		"no envelope":                {"text/xml", "", "<x/>", "no SOAP envelope", Client, 0},
		"no body":                    {"text/xml", "", `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>`, "no body", Client, 0},
		"another element":            {"text/xml", "", `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:X/></s:Envelope>`, "instead of a body", Client, 0},
		"an unknown version":         {"text/xml", "", `<s:Envelope xmlns:s="urn:x"><s:Body/></s:Envelope>`, "unknown version", VersionMismatch, 0},
		"1.1 announced as 1.2":       {"application/soap+xml", "", envelope11 + lock + closing, "Transport level information does not match with SOAP Message namespace URI", VersionMismatch, 0},
		"1.2 announced as 1.1":       {"text/xml", "", envelope12 + lock + closing, "Transport level information does not match", VersionMismatch, 0},
		"a header to be understood":  {"text/xml", "", strings.Replace(envelope11, "<soapenv:Header/>", `<soapenv:Header><t:x xmlns:t="urn:t" soapenv:mustUnderstand="1"/></soapenv:Header>`, 1) + lock + closing, "{urn:t}x is not understood", MustUnderstand, 0},
		"a header for the next one":  {"text/xml", "", strings.Replace(envelope11, "<soapenv:Header/>", `<soapenv:Header><t:x xmlns:t="urn:t" soapenv:mustUnderstand="true" soapenv:actor="http://schemas.xmlsoap.org/soap/actor/next"/></soapenv:Header>`, 1) + lock + closing, "{urn:t}x is not understood", MustUnderstand, 0},
		"JSON":                       {"application/json", "", "{}", "application/json", Client, 415},
		"no content type":            {"", "", envelope11 + lock + closing, "Content-Type", Client, 415},
		"a form":                     {"multipart/form-data; boundary=B", "", "--B--", "multipart/form-data", Client, 415},
		"Latin 1":                    {"text/xml; charset=ISO-8859-1", "", envelope11 + lock + closing, "must be UTF-8", Client, 415},
		"Latin 1 in the declaration": {"text/xml", "", `<?xml version="1.0" encoding="ISO-8859-1"?><x/>`, "must be UTF-8", Client, 0},
		"an unknown encoding":        {"text/xml", "br", "x", "must be gzip", Client, 415},
		"no gzip":                    {"text/xml", "gzip", envelope11 + lock + closing, "not in the format gzip", Client, 0},
		"no boundary":                {"multipart/related; type=\"application/xop+xml\"", "", "x", "no boundary", Client, 415},
		"no parts":                   {"multipart/related; boundary=B", "", "--B--\r\n", "no part with the envelope", Client, 0},
		"another start":              {`multipart/related; boundary=B; start="<r>"`, "", "--B\r\nContent-ID: <x>\r\n\r\n" + envelope11 + lock + closing + "\r\n--B--\r\n", "no part with the envelope", Client, 0},
		"an include of something":    {"text/xml", "", envelope11 + `<importLocalFile xmlns="http://service.disnix.nixos.org"><a><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="file:///etc/passwd"/></a></importLocalFile>` + closing, "Index 1", Server, 0},
		"an include of a file":       {"text/xml", "", envelope11 + `<importLocalFile xmlns="http://service.disnix.nixos.org"><arg0><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="file:///etc/passwd"/></arg0></importLocalFile>` + closing, "does not name a part", Client, 0},
		"no base64":                  {"text/xml", "", envelope11 + `<importLocalFile xmlns="http://service.disnix.nixos.org"><arg0>a!b</arg0></importLocalFile>` + closing, "not valid base64", Client, 0},
		"base64 that is cut off":     {"text/xml", "", envelope11 + `<importLocalFile xmlns="http://service.disnix.nixos.org"><arg0>YWJ</arg0></importLocalFile>` + closing, "not valid base64", Client, 0},
		"the end within base64":      {"text/xml", "", envelope11 + `<importLocalFile xmlns="http://service.disnix.nixos.org"><arg0>YWJj`, "ends within a binary value", Client, 0},
		"a reference within base64":  {"text/xml", "", envelope11 + `<importLocalFile xmlns="http://service.disnix.nixos.org"><arg0>YW&lt;Jj</arg0></importLocalFile>` + closing, "not valid base64", Client, 0},
	} {
		t.Run(name, func(t *testing.T) {
			header, message := plain(test.mediaType, test.message)
			header.Set("Content-Encoding", test.encoding)
			r, err := ReadRequest(header, strings.NewReader(message), 64<<10, nil)
			_ = r.Close()
			var fault *Fault
			if !errors.As(err, &fault) {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(fault.Text, test.want) || fault.Code != test.code || fault.Status != test.status {
				t.Errorf("got %+v", fault)
			}
		})
	}
}

// TestBodiesThatBreakOff tells them from messages that are not in order.
func TestBodiesThatBreakOff(t *testing.T) {
	contentType, message := multipartOf(envelope11+golden["9.3"].body+closing, []string{"closure"})
	lost := errors.New("connection lost")
	for i := range len(message) - len("--\r\n") {
		body := io.MultiReader(strings.NewReader(message[:i]), iotest.ErrReader(lost))
		r, err := ReadRequest(http.Header{"Content-Type": {contentType}}, body, DefaultXMLLimit, nil)
		if err == nil {
			err = readAll(r.Message.(*ImportLocalFile).DataHandler)
		}
		if !errors.Is(err, lost) {
			t.Fatalf("after %d bytes: %v", i, err)
		}
		_ = r.Close()
		r, err = ReadRequest(http.Header{"Content-Type": {contentType}}, strings.NewReader(message[:i]), DefaultXMLLimit, nil)
		if err == nil {
			err = readAll(r.Message.(*ImportLocalFile).DataHandler)
		}
		if err == nil {
			t.Fatalf("the first %d bytes were taken for the whole", i)
		}
		_ = r.Close()
	}
}

func readAll(c *Content) error {
	content, err := c.Open()
	if err == nil {
		_, err = io.Copy(io.Discard, content)
	}
	return err
}

// temporary points TMPDIR to an empty directory, which is returned.
func temporary(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

// TestContents reads binary values in every form and order.
func TestContents(t *testing.T) {
	include := func(id string) string {
		return `<item3><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:` + id + `"/></item3>`
	}
	part := func(id, content string) string { return "--B\r\nContent-ID: <" + id + ">\r\n\r\n" + content + "\r\n" }
	root := func(includes ...string) string {
		return part("root", envelope11+`<importLocalSnapshots xmlns="http://service.disnix.nixos.org"><arg0/><arg1/><arg2/>`+strings.Join(includes, "")+`</importLocalSnapshots>`+closing)
	}
	const end = "--B--\r\n"
	for name, test := range map[string]struct {
		message string
		order   []int // in which the contents are read
		want    []string
		spooled bool
	}{
		"in order":                   {root(include("a"), include("b")) + part("a", "1") + part("b", "2") + end, []int{0, 1}, []string{"1", "2"}, false},
		"parts in another order":     {root(include("a"), include("b")) + part("b", "2") + part("a", "1") + end, []int{0, 1}, []string{"1", "2"}, true},
		"read in another order":      {root(include("a"), include("b")) + part("a", "1") + part("b", "2") + end, []int{1, 0}, []string{"1", "2"}, true},
		"one part twice":             {root(include("a"), include("a")) + part("a", "1") + end, []int{0, 1}, []string{"1", "1"}, true},
		"parts that nobody mentions": {root(include("b")) + part("a", "1") + part("b", "2") + end, []int{0}, []string{"2"}, false},
		"the envelope last":          {part("a", "1") + root(include("a")) + end, []int{0}, []string{"1"}, true},
		"the envelope in the middle": {part("a", "1") + root(include("a"), include("b")) + part("b", "2") + end, []int{0, 1}, []string{"1", "2"}, true},
		"escaped ids":                {root(include("a%40b%2Bc")) + part("a@b+c", "1") + end, []int{0}, []string{"1"}, false},
		"an empty part":              {root(include("a")) + part("a", "") + end, []int{0}, []string{""}, false},
		"base64":                     {root("<item3>YWJj</item3>", "<item3> \nZ&#xD;\nGV\tm<![CDATA[Z2hp]]> </item3>") + end, []int{1, 0}, []string{"abc", "defghi"}, true},
		"base64 and parts":           {root("<item3>YWJj</item3>", include("a")) + part("a", "1") + end, []int{0, 1}, []string{"abc", "1"}, true},
		"empty values":               {root("<item3/>", "<item3></item3>", "<item3><!-- x --></item3>") + end, []int{0, 1, 2}, []string{"", "", ""}, false},
		"white space":                {root("<item3> </item3>\n ", "<item3>\n</item3>") + end, []int{0, 1}, []string{"", ""}, false},
		"a part in base64":           {root(include("a")) + "--B\r\nContent-ID: <a>\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj\r\nZGVm\r\n" + end, []int{0}, []string{"abcdef"}, false},
		"a quoted part":              {root(include("a")) + "--B\r\nContent-ID: <a>\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db\r\n" + end, []int{0}, []string{"a=b"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := temporary(t)
			header := http.Header{"Content-Type": {`multipart/related; boundary=B; start="<root>"`}}
			r, err := ReadRequest(header, iotest.OneByteReader(strings.NewReader(test.message)), DefaultXMLLimit, nil)
			if err != nil {
				t.Fatal(err)
			}
			contents := r.Message.(*ImportLocalSnapshots).DataHandlers
			got := make([]string, len(contents))
			for _, i := range test.order {
				reader, err := contents[i].Open()
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(reader)
				if err != nil {
					t.Fatal(err)
				}
				got[i] = string(content)
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got %q", got)
			}
			if spooled := r.parts.file != nil; spooled != test.spooled {
				t.Errorf("in a temporary file: %v", spooled)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("files with a name: %v, %v", left, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if err := contents[0].Close(); err != nil {
				t.Errorf("closed again: %v", err)
			}
		})
	}
}

func TestMissingPart(t *testing.T) {
	contentType, message := multipartOf(envelope11+golden["9.3"].body+closing, nil)
	r, err := ReadRequest(http.Header{"Content-Type": {contentType}}, strings.NewReader(message), DefaultXMLLimit, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = r.Message.(*ImportLocalFile).DataHandler.Open()
	var fault *Fault
	if !errors.As(err, &fault) || fault.Text != "No MIME part found for content ID 'ID1'" || fault.Code != Server {
		t.Errorf("error %#v", err)
	}
}

func TestCompressedRequest(t *testing.T) {
	contentType, message := multipartOf(envelope11+golden["9.3"].body+closing, []string{"closure"})
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	_, _ = io.WriteString(w, message)
	_ = w.Close()
	header := http.Header{"Content-Type": {contentType}, "Content-Encoding": {"gzip"}}
	r, err := ReadRequest(header, &compressed, DefaultXMLLimit, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	checkMessage(t, r.Message, golden["9.3"].request, golden["9.3"].files)
}

// TestLargeBase64 checks that a binary value in the XML is not counted as XML.
func TestLargeBase64(t *testing.T) {
	temporary(t)
	content := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	message := envelope11 + `<importLocalFile xmlns="http://service.disnix.nixos.org"><arg0>` + base64.StdEncoding.EncodeToString(content) + `</arg0></importLocalFile>` + closing
	r, err := ReadRequest(http.Header{"Content-Type": {"text/xml"}}, strings.NewReader(message), 1<<10, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reader, err := r.Message.(*ImportLocalFile).DataHandler.Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
