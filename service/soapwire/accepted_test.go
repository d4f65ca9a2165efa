package soapwire

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestMessagesThatAreAccepted sends what is in order, but unusual.
func TestMessagesThatAreAccepted(t *testing.T) {
	const lock = `<lock xmlns="http://service.disnix.nixos.org"><arg0>p</arg0></lock>`
	withHeader := func(block string) string {
		return strings.Replace(envelope11, "<soapenv:Header/>", "<soapenv:Header>"+block+"</soapenv:Header>", 1) + lock + closing
	}
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	_, _ = io.WriteString(w, envelope11+lock+closing)
	_ = w.Close()
	for name, test := range map[string]struct{ mediaType, encoding, message string }{
		"a header with an address":     {"text/xml", "", withHeader(`<a:Action xmlns:a="http://www.w3.org/2005/08/addressing" soapenv:mustUnderstand="1">urn:lock</a:Action>`)},
		"a header for somebody else":   {"text/xml", "", withHeader(`<t:x xmlns:t="urn:t" soapenv:mustUnderstand="1" soapenv:actor="urn:other"/>`)},
		"a header of no importance":    {"text/xml", "", withHeader(`<t:x xmlns:t="urn:t" soapenv:mustUnderstand="0"><y/></t:x>`)},
		"parts without a start":        {"multipart/related; boundary=B", "", "--B\r\nContent-ID: <x>\r\n\r\n" + envelope11 + lock + closing + "\r\n--B--\r\n"},
		"the old name of gzip":         {"text/xml", "x-gzip", compressed.String()},
		"a part before the envelope":   {`multipart/related; boundary=B; start="<x>"`, "", "--B\r\nContent-ID: <y>\r\n\r\nY\r\n--B\r\nContent-ID: <x>\r\n\r\n" + envelope11 + lock + closing + "\r\n--B--\r\n"},
		"a byte order mark":            {"text/xml", "", "\ufeff" + envelope11 + lock + closing},
		"comments around the envelope": {"text/xml", "", "<?xml version='1.0'?><!-- x -->" + envelope11 + lock + closing + "<!-- y -->\n"},
	} {
		t.Run(name, func(t *testing.T) {
			temporary(t)
			header := http.Header{"Content-Type": {test.mediaType}, "Content-Encoding": {test.encoding}}
			r, err := ReadRequest(header, strings.NewReader(test.message), DefaultXMLLimit, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			checkMessage(t, r.Message, &Lock{Profile: new("p")}, nil)
		})
	}
}

// TestVersionOfAFault is that of the message, as far as it is known.
func TestVersionOfAFault(t *testing.T) {
	for mediaType, want := range map[string]Version{
		"text/xml":             Soap11,
		"application/soap+xml": Soap12,
		`multipart/related; boundary=B; type="application/soap+xml"`:                                         Soap12,
		`multipart/related; boundary=B; type="application/xop+xml"; start-info="application/soap+xml"`:       Soap12,
		`multipart/related; boundary=B; type="application/xop+xml"; start-info="text/xml"; action="urn:foo"`: Soap11,
	} {
		r, err := ReadRequest(http.Header{"Content-Type": {mediaType}}, strings.NewReader("--B\r\n\r\nhello\r\n--B--"), DefaultXMLLimit, nil)
		if _ = r.Close(); err == nil || r.Version != want {
			t.Errorf("%s: version %v, %v", mediaType, r.Version, err)
		}
	}
}

func TestTooManyParts(t *testing.T) {
	p := newParts()
	p.source = &rememberingReader{Reader: strings.NewReader("--B\r\n\r\nlast\r\n--B\r\n\r\none more\r\n--B--")}
	p.reader = newPartReader(bufio.NewReaderSize(p.source, partBuffer), "B")
	p.count = maxParts - 1
	if _, _, _, err := p.next(); err != nil {
		t.Errorf("the last part: %v", err)
	}
	_, _, _, err := p.next()
	var fault *Fault
	if !errors.As(err, &fault) || fault.Status != http.StatusRequestEntityTooLarge || !strings.Contains(fault.Text, "more than 100000 parts") {
		t.Errorf("error %v", err)
	}
}

// TestResultsThatNobodyAskedFor are passed over.
func TestResultsThatNobodyAskedFor(t *testing.T) {
	message := envelope11 + `<r xmlns="urn:x"><a>file</a><b>more</b><c><d/></c></r>` + closing
	response := new(ExportResponse)
	reply, err := ReadReply(http.Header{"Content-Type": {"text/xml"}}, io.NopCloser(strings.NewReader(message)), response, DefaultXMLLimit)
	if err != nil || !reflect.DeepEqual(response, &ExportResponse{Return_: new("file")}) {
		t.Errorf("%v, %v", response, err)
	}
	if err := reply.Close(); err != nil {
		t.Error(err)
	}
}
