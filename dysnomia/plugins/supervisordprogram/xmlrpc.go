package supervisordprogram

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The part of XML-RPC (http://xmlrpc.com/spec.md) that supervisord uses.

// fault is an error that supervisord reports.
type fault struct {
	Code int
	Text string
}

func (f *fault) Error() string { return f.Text }

// The codes of faults, from supervisor.xmlrpc.Faults.
const (
	faultUnknownMethod = 1
	faultBadName       = 10
	faultNotRunning    = 70
	faultAlreadyAdded  = 90
	faultAlreadyStart  = 60
)

// encodeCall writes a call whose arguments are strings, booleans and integers.
func encodeCall(method string, arguments ...any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0"?><methodCall><methodName>`)
	if err := xml.EscapeText(&b, []byte(method)); err != nil {
		return nil, err
	}
	b.WriteString(`</methodName><params>`)
	for _, argument := range arguments {
		b.WriteString(`<param><value>`)
		switch argument := argument.(type) {
		case string:
			b.WriteString(`<string>`)
			if err := xml.EscapeText(&b, []byte(argument)); err != nil {
				return nil, err
			}
			b.WriteString(`</string>`)
		case bool:
			value := 0
			if argument {
				value = 1
			}
			fmt.Fprintf(&b, `<boolean>%d</boolean>`, value)
		case int:
			fmt.Fprintf(&b, `<int>%d</int>`, argument)
		default:
			return nil, fmt.Errorf("an argument of type %T cannot be sent", argument)
		}
		b.WriteString(`</value></param>`)
	}
	b.WriteString(`</params></methodCall>`)
	return b.Bytes(), nil
}

// value is an element <value> as it is in the document.
type value struct {
	Text    string     `xml:",chardata"`
	String  *string    `xml:"string"`
	Int     *string    `xml:"int"`
	I4      *string    `xml:"i4"`
	Boolean *string    `xml:"boolean"`
	Array   *valueList `xml:"array>data"`
	Struct  *struct {
		Members []struct {
			Name  string `xml:"name"`
			Value value  `xml:"value"`
		} `xml:"member"`
	} `xml:"struct"`
}

type valueList struct {
	Values []value `xml:"value"`
}

// decodeResponse returns the result of a call: a string, int, bool, []any or
// map[string]any; or the [*fault] that it ended with.
func decodeResponse(document io.Reader) (any, error) {
	var response struct {
		XMLName xml.Name `xml:"methodResponse"`
		Params  []value  `xml:"params>param>value"`
		Fault   *value   `xml:"fault>value"`
	}
	if err := xml.NewDecoder(document).Decode(&response); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if response.Fault != nil {
		return nil, decodeFault(*response.Fault)
	}
	if len(response.Params) != 1 {
		return nil, errors.New("read the answer: it is not that of a call")
	}
	return response.Params[0].decode()
}

func decodeFault(v value) error {
	decoded, err := v.decode()
	if err != nil {
		return err
	}
	members, _ := decoded.(map[string]any)
	code, _ := members["faultCode"].(int)
	text, _ := members["faultString"].(string)
	return &fault{Code: code, Text: text}
}

func (v value) decode() (any, error) {
	switch {
	case v.Struct != nil:
		members := make(map[string]any, len(v.Struct.Members))
		for _, m := range v.Struct.Members {
			decoded, err := m.Value.decode()
			if err != nil {
				return nil, err
			}
			members[m.Name] = decoded
		}
		return members, nil
	case v.Array != nil:
		list := make([]any, 0, len(v.Array.Values))
		for _, element := range v.Array.Values {
			decoded, err := element.decode()
			if err != nil {
				return nil, err
			}
			list = append(list, decoded)
		}
		return list, nil
	case v.Int != nil:
		return integer(*v.Int)
	case v.I4 != nil:
		return integer(*v.I4)
	case v.Boolean != nil:
		return strings.TrimSpace(*v.Boolean) == "1", nil
	case v.String != nil:
		return *v.String, nil
	}
	return v.Text, nil
}

func integer(text string) (int, error) {
	number, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("read the answer: %.20q is not a number", text)
	}
	return number, nil
}
