package soapwire

import (
	"bytes"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// anyText is any text that XML can hold.
var anyText = rapid.StringOf(rapid.Rune().Filter(isChar))

// TestWhatIsWrittenIsRead writes any message in every form, and reads it.
func TestWhatIsWrittenIsRead(t *testing.T) {
	names := make([]string, 0, len(operations()))
	for name := range operations() {
		names = append(names, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		request := operations()[rapid.SampledFrom(names).Draw(t, "operation")]()
		files := fill(t, request)
		version := rapid.SampledFrom([]Version{Soap11, Soap12}).Draw(t, "version")
		e := NewEncoder(version, rapid.Bool().Draw(t, "multipart"))
		positional := rapid.Bool().Draw(t, "positional")
		if r, ok := request.(*ImportLocalSnapshots); ok && positional && len(r.DataHandlers) == 0 {
			r.Paths = nil // by position, a list after an empty one is taken for it: so the original does
		}
		var message bytes.Buffer
		if err := e.Request(&message, request, positional); err != nil {
			t.Fatal(err)
		}
		r, err := ReadRequest(http.Header{"Content-Type": {e.ContentType("urn:x")}}, &message, DefaultXMLLimit, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if r.Version != version || r.Multipart != e.multipart {
			t.Errorf("version %v, multipart %v", r.Version, r.Multipart)
		}
		compare(t, r.Message, request, files)
	})
}

// fill gives the fields of a message any value. It returns what its contents
// are.
func fill(t *rapid.T, message any) (files []string) {
	value := reflect.ValueOf(message).Elem()
	for i := range value.NumField() {
		switch field := value.Field(i).Addr().Interface().(type) {
		case **string:
			if rapid.Bool().Draw(t, "given") {
				*field = new(anyText.Draw(t, "text"))
			}
		case *[]*string:
			*field = texts(rapid.SliceOfN(anyText, 0, 4).Draw(t, "texts")...)
		case *int32:
			*field = rapid.Int32().Draw(t, "number")
		case *bool:
			*field = rapid.Bool().Draw(t, "boolean")
		case **Content:
			files = append(files, string(rapid.SliceOf(rapid.Byte()).Draw(t, "file")))
			*field = file(files[len(files)-1])
		case *[]*Content:
			for range rapid.IntRange(0, 3).Draw(t, "files") {
				files = append(files, string(rapid.SliceOf(rapid.Byte()).Draw(t, "file")))
				*field = append(*field, file(files[len(files)-1]))
			}
		}
	}
	return files
}

// compare is checkMessage for properties. Line ends of other systems were
// escaped, so they arrive as they are.
func compare(t *rapid.T, got, want any, files []string) {
	sent, wanted := reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem()
	var contents []*Content
	for i := range wanted.NumField() {
		switch field := sent.Field(i).Interface().(type) {
		case *Content:
			contents = append(contents, field)
		case []*Content:
			contents = append(contents, field...)
		default:
			if list, ok := field.([]*string); ok && len(list) == 0 && wanted.Field(i).Len() == 0 {
				continue
			}
			if sent.Type().Field(i).Name != "XMLName" && !reflect.DeepEqual(field, wanted.Field(i).Interface()) {
				t.Fatalf("%s of %T: %v", sent.Type().Field(i).Name, got, field)
			}
		}
	}
	if len(contents) != len(files) {
		t.Fatalf("%d contents, want %d", len(contents), len(files))
	}
	for i, content := range contents {
		reader, err := content.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(reader); err != nil || string(got) != files[i] {
			t.Fatalf("content %d: %q, %v", i, got, err)
		}
	}
}

// TestRoughEdge_soap10 sends any bytes as the text of a fault.
func TestRoughEdge_soap10(t *testing.T) {
	t.Run("soap 10: control characters in a log do not spoil the fault", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			log := string(rapid.SliceOf(rapid.Byte()).Draw(t, "log"))
			e := NewEncoder(rapid.SampledFrom([]Version{Soap11, Soap12}).Draw(t, "version"), rapid.Bool().Draw(t, "multipart"))
			var message bytes.Buffer
			if err := e.Fault(&message, &Fault{Text: log, Detail: NewDetail(log)}); err != nil {
				t.Fatal(err)
			}
			_, err := ReadReply(http.Header{"Content-Type": {e.ContentType("")}}, io.NopCloser(&message), new(LockResponse), DefaultXMLLimit)
			fault, ok := err.(*Fault)
			if !ok {
				t.Fatalf("error %v", err)
			}
			want := strings.Map(func(c rune) rune {
				if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF {
					return utf8.RuneError
				}
				return c
			}, strings.ToValidUTF8(log, "\uFFFD"))
			if fault.Text != want || *fault.Detail.DisnixWebServiceException.Message != want {
				t.Fatalf("%q became %q", log, fault.Text)
			}
		})
	})
}

func TestTextThatXMLCannotHoldIsNotSent(t *testing.T) {
	for _, text := range []string{"\x00", "a\x01b", "\xff", "\uFFFE", "secret\x1b"} {
		err := NewEncoder(Soap11, true).Request(io.Discard, &Lock{Profile: &text}, true)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzReadRequest checks that no input makes the reader panic, hang or leave
// anything behind, and that what it takes for a message is one.
func FuzzReadRequest(f *testing.F) {
	for _, test := range golden {
		contentType, message := multipartOf(envelope11+test.body+closing, test.files)
		f.Add(contentType, "", message)
		f.Add("text/xml", "", envelope11+test.body+closing)
		f.Add("application/soap+xml", "", envelope12+test.body+closing)
	}
	f.Add("text/xml", "gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00")
	f.Fuzz(func(t *testing.T, contentType, encoding, message string) {
		header := http.Header{"Content-Type": {contentType}, "Content-Encoding": {encoding}}
		r, err := ReadRequest(header, strings.NewReader(message), 64<<10, nil)
		if err == nil && r.Message == nil {
			t.Error("a request without a message")
		}
		if err == nil {
			value := reflect.ValueOf(r.Message).Elem()
			for i := range value.NumField() {
				switch field := value.Field(i).Interface().(type) {
				case *Content:
					if field != nil {
						_ = readAll(field)
					}
				case []*Content:
					for _, content := range field {
						if content != nil {
							_ = readAll(content)
						}
					}
				}
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzReadReply does the same with replies.
func FuzzReadReply(f *testing.F) {
	for _, response := range []any{&PrintInvalidResponse{Return_: texts("a")}, &LockResponse{}, &ExportRemoteFileResponse{Return_: file("x")}} {
		for _, multipart := range []bool{true, false} {
			e := NewEncoder(Soap11, multipart)
			var message bytes.Buffer
			if err := e.Reply(&message, response); err != nil {
				f.Fatal(err)
			}
			f.Add(e.ContentType(""), message.String())
		}
	}
	f.Fuzz(func(t *testing.T, contentType, message string) {
		header := http.Header{"Content-Type": {contentType}}
		for _, response := range []any{new(PrintInvalidResponse), new(LockResponse), new(ExportRemoteSnapshotsResponse)} {
			reply, _ := ReadReply(header, io.NopCloser(strings.NewReader(message)), response, 64<<10)
			if snapshots, ok := response.(*ExportRemoteSnapshotsResponse); ok {
				for _, content := range snapshots.Return_ {
					if content != nil {
						_ = readAll(content)
					}
				}
			}
			if err := reply.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
