package supervisordprogram

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func response(value string) string {
	return "<?xml version='1.0'?><methodResponse><params><param><value>" + value + "</value></param></params></methodResponse>"
}

func TestDecodeResponse(t *testing.T) {
	for document, want := range map[string]any{
		response("plain"):                        "plain",
		response("<string>a &lt; b</string>"):    "a < b",
		response("<string></string>"):            "",
		response("<int> -7 </int>"):              -7,
		response("<i4>8</i4>"):                   8,
		response("<boolean>1</boolean>"):         true,
		response("<boolean>0</boolean>"):         false,
		response("<array><data></data></array>"): []any{},
		response("<array><data><value><int>1</int></value><value><string>x</string></value></data></array>"):                      []any{1, "x"},
		response("<struct>\n<member><name>k</name><value><array><data><value>v</value></data></array></value></member></struct>"): map[string]any{"k": []any{"v"}},
	} {
		got, err := decodeResponse(strings.NewReader(document))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v, want %#v", document, got, err, want)
		}
	}
	for _, document := range []string{"", "<html/>", "<methodResponse/>", response("<int>x</int>"), "<methodResponse><params>"} {
		if got, err := decodeResponse(strings.NewReader(document)); err == nil {
			t.Errorf("%s: %#v", document, got)
		}
	}
	_, err := decodeResponse(strings.NewReader("<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>10</int></value></member><member><name>faultString</name><value><string>BAD_NAME: x</string></value></member></struct></value></fault></methodResponse>"))
	var reported *fault
	if !errors.As(err, &reported) || reported.Code != faultBadName || err.Error() != "BAD_NAME: x" {
		t.Errorf("error: %v", err)
	}
}

func TestEncodeCall(t *testing.T) {
	got, err := encodeCall("m", "a<b&c", true, 3)
	want := `<?xml version="1.0"?><methodCall><methodName>m</methodName><params><param><value><string>a&lt;b&amp;c</string></value></param><param><value><boolean>1</boolean></value></param><param><value><int>3</int></value></param></params></methodCall>`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add(response("<array><data><value><int>1</int></value></data></array>"))
	f.Add("<methodResponse><fault><value>x</value></fault></methodResponse>")
	f.Fuzz(func(t *testing.T, document string) {
		result, err := decodeResponse(strings.NewReader(document))
		if err == nil {
			structs(result)
			_, _ = changedGroups(result)
		}
	})
}
