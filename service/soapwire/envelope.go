package soapwire

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// end leaves the body and the envelope.
func (m *message) end() error {
	for m.depth > 1 {
		if _, more, err := m.child(); err != nil || more {
			if more {
				err = clientFault("the body of the message has more than one element")
			}
			return err
		}
	}
	for m.depth > 0 {
		if _, more, err := m.child(); err != nil || more {
			if more {
				err = clientFault("there is an element after the body of the message")
			}
			return err
		}
	}
	return m.finish()
}

// readEnvelope enters the body. It returns the version of SOAP of the envelope,
// or, in case of doubt, the one that was announced.
func (m *message) readEnvelope(announced envelope) (Version, error) {
	envelope, _, err := m.child()
	if err != nil {
		return *announced.version, err
	}
	version, err := envelopeVersion(envelope, announced)
	if err != nil {
		return version, err
	}
	for {
		child, found, err := m.child()
		switch {
		case err != nil:
			return version, err
		case !found:
			return version, clientFault("the message has no body")
		case child.Name.Space == envelope.Name.Space && child.Name.Local == "Body":
			return version, nil
		case child.Name.Space == envelope.Name.Space && child.Name.Local == "Header":
			err = m.readHeader(version)
		default:
			err = clientFault("the envelope has the element %.100s instead of a body", child.Name.Local)
		}
		if err != nil {
			return version, err
		}
	}
}

func envelopeVersion(envelope xml.StartElement, announced envelope) (Version, error) {
	version := Soap11
	switch {
	case envelope.Name.Local != "Envelope":
		return *announced.version, clientFault("the message is no SOAP envelope but <%.100s>", envelope.Name.Local)
	case envelope.Name.Space == soap12Namespace:
		version = Soap12
	case envelope.Name.Space != soap11Namespace:
		return *announced.version, &Fault{Code: VersionMismatch, Text: fmt.Sprintf("the envelope is of an unknown version of SOAP: %.200q", envelope.Name.Space)}
	}
	if announced.strict && *announced.version != version {
		return *announced.version, &Fault{Code: VersionMismatch, Text: "Transport level information does not match with SOAP Message namespace URI"}
	}
	return version, nil
}

// readHeader leaves the header. Nothing in it is understood but addresses,
// which are not needed.
func (m *message) readHeader(version Version) error {
	for {
		block, found, err := m.child()
		if err != nil || !found {
			return err
		}
		switch attribute(block, version.namespace(), "mustUnderstand") {
		case "1", "true":
			if block.Name.Space != addressingNamespace && isForUs(block, version) {
				return &Fault{Code: MustUnderstand, Text: fmt.Sprintf("the header {%.200s}%.100s is not understood", block.Name.Space, block.Name.Local)}
			}
		}
		if err := m.skip(); err != nil {
			return err
		}
	}
}

// isForUs tells whether a header is for the receiver of the message, or for
// whoever passes it on.
func isForUs(block xml.StartElement, version Version) bool {
	actor := attribute(block, version.namespace(), "actor")
	if version == Soap12 {
		actor = attribute(block, version.namespace(), "role")
	}
	switch actor {
	case "", "http://schemas.xmlsoap.org/soap/actor/next",
		soap12Namespace + "/role/next", soap12Namespace + "/role/ultimateReceiver":
		return true
	default:
		return false
	}
}

// readFault leaves a fault, whose element was just entered.
func (m *message) readFault() (*Fault, error) {
	fault := new(Fault)
	for {
		child, found, err := m.child()
		if err != nil || !found {
			return fault, err
		}
		switch child.Name.Local {
		case "faultcode":
			err = m.readFaultCode(fault)
		case "Code":
			err = m.inside("Value", func() error { return m.readFaultCode(fault) })
		case "faultstring":
			fault.Text, err = m.text()
		case "Reason":
			err = m.inside("Text", func() (err error) { fault.Text, err = m.text(); return })
		case "detail", "Detail":
			err = m.readDetail(fault)
		default:
			err = m.skip()
		}
		if err != nil {
			return nil, err
		}
	}
}

// inside reads the children with a name, and leaves the current element.
func (m *message) inside(name string, read func() error) error {
	for {
		child, found, err := m.child()
		if err != nil || !found {
			return err
		}
		if child.Name.Local == name {
			err = read()
		} else {
			err = m.skip()
		}
		if err != nil {
			return err
		}
	}
}

func (m *message) readFaultCode(fault *Fault) error {
	text, err := m.text()
	_, code, found := strings.Cut(strings.TrimSpace(text), ":")
	if !found {
		code = strings.TrimSpace(text)
	}
	switch code {
	case "Client", "Sender":
		fault.Code = Client
	case "VersionMismatch":
		fault.Code = VersionMismatch
	case "MustUnderstand":
		fault.Code = MustUnderstand
	default:
		fault.Code = Server
	}
	return err
}

func (m *message) readDetail(fault *Fault) error {
	const exception = "DisnixWebServiceException"
	return m.inside(exception, func() error {
		return m.inside(exception, func() error {
			return m.inside("Message", func() error {
				text, err := m.text()
				fault.Detail = NewDetail(text)
				return err
			})
		})
	})
}
