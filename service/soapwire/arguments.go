package soapwire

import (
	"encoding/xml"
	"reflect"
	"strconv"
	"strings"
)

// arguments fills a request from the children of its wrapper, by the rules of
// the original (SOAP page, 2.2): a child whose name begins with "arg" or "item"
// belongs to the parameter under the cursor, whatever its number; another one
// moves the cursor forward to the parameter of that name. A list also takes the
// directly following children of the same name. What is left after the last
// parameter is ignored.
type arguments struct {
	*message
	parameters []element
	request    reflect.Value
	given      []bool
}

// message is the envelope that is being read, and its parts.
type message struct {
	*document
	*parts
}

func (m *message) readArguments(request any) error {
	shape := shapeOf(request)
	a := &arguments{m, shape.elements, reflect.ValueOf(request).Elem(), make([]bool, len(shape.elements))}
	cursor, list := 0, ""
	for {
		child, found, err := a.child()
		if err != nil {
			return err
		}
		if !found {
			return a.complete()
		}
		name := child.Name.Local
		if list != "" && name != list { // the list has ended
			list = ""
			cursor++
		}
		if cursor >= len(a.parameters) {
			if err := a.skip(); err != nil {
				return err
			}
			continue
		}
		if !strings.HasPrefix(name, "arg") && !strings.HasPrefix(name, "item") {
			for a.parameters[cursor].name != name {
				if cursor++; cursor == len(a.parameters) {
					return serverFault("Index %d out of bounds for length %d", cursor, cursor)
				}
			}
		}
		if err := a.take(cursor, child); err != nil {
			return err
		}
		if a.parameters[cursor].kind.isList() {
			list = name
		} else {
			cursor++
		}
	}
}

// take reads the value of a parameter, or one more entry of a list.
func (a *arguments) take(i int, child xml.StartElement) error {
	a.given[i] = true
	return a.value(a.parameters[i], a.request.Field(a.parameters[i].field), child)
}

// complete checks that what cannot be null was given.
func (a *arguments) complete() error {
	for i, p := range a.parameters {
		if !a.given[i] && (p.kind == intKind || p.kind == boolKind) {
			return serverFault("unknown")
		}
		if list := a.request.Field(p.field); p.kind.isList() && list.Len() == 1 && list.Index(0).IsNil() {
			list.SetZero() // the only entry is null: the list is empty
		}
	}
	return nil
}

// value leaves the element, which was just entered, and sets the field from it.
func (m *message) value(e element, field reflect.Value, start xml.StartElement) error {
	if isNil(start) {
		if e.kind == intKind || e.kind == boolKind {
			return serverFault("unknown")
		}
		if e.kind.isList() {
			field.Set(reflect.Append(field, reflect.Zero(field.Type().Elem())))
		}
		return m.skip()
	}
	var value any
	if e.kind == binaryKind || e.kind == binariesKind {
		content, err := m.binaryValue()
		if err != nil {
			return err
		}
		value = content
	} else {
		text, err := m.text()
		if err != nil {
			return err
		}
		if value, err = parse(e, text); err != nil {
			return err
		}
	}
	if e.kind.isList() {
		field.Set(reflect.Append(field, reflect.ValueOf(value)))
	} else {
		field.Set(reflect.ValueOf(value))
	}
	return nil
}

// parse returns the value that a text stands for.
func parse(e element, text string) (any, error) {
	word := strings.Trim(text, " \t\r\n")
	switch e.kind {
	case intKind:
		if n, err := strconv.ParseInt(word, 10, 32); err == nil {
			return int32(n), nil
		}
	case boolKind:
		switch word {
		case "true", "1":
			return true, nil
		case "false", "0":
			return false, nil
		}
	default:
		return &text, nil
	}
	return nil, clientFault(`Invalid value "%.100s" for element %s`, text, e.name)
}

func isNil(start xml.StartElement) bool {
	switch attribute(start, instanceNamespace, "nil") {
	case "true", "1":
		return true
	default:
		return false
	}
}

// binaryValue reads a binary value: a reference to a part, or base64.
func (m *message) binaryValue() (*Content, error) {
	s := spooled{offset: m.size}
	href, err := m.binary(spoolWriter{m.parts})
	if err != nil {
		return nil, err
	}
	if href == "" {
		s.size = m.size - s.offset
		return m.inline(s), nil
	}
	id, err := contentID(href)
	if err != nil {
		return nil, err
	}
	return m.content(id), nil
}

// readResults fills a response from the children of its wrapper. Their names do
// not matter (SOAP page, 2.4).
func (m *message) readResults(response any) error {
	shape, value := shapeOf(response), reflect.ValueOf(response).Elem()
	for i := 0; ; {
		child, found, err := m.child()
		if err != nil || !found {
			return err
		}
		if i == len(shape.elements) {
			err = m.skip()
		} else {
			e := shape.elements[i]
			err = m.value(e, value.Field(e.field), child)
			if !e.kind.isList() {
				i++
			}
		}
		if err != nil {
			return err
		}
	}
}
