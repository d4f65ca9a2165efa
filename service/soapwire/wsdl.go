package soapwire

import (
	"bytes"
	_ "embed" // of the WSDL
	"encoding/xml"
	"strings"
)

//go:embed DisnixWebService.wsdl
var wsdl string

// wsdlAddress is the beginning of the URLs in the WSDL.
const wsdlAddress = "http://localhost:8080" + ServicePath

// WSDL returns the description of the service, WSDL 1.1, with this URL of it.
func WSDL(serviceURL string) []byte {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(serviceURL)) // a buffer takes everything
	return []byte(strings.ReplaceAll(wsdl, wsdlAddress, escaped.String()))
}

// Schema returns the XML schema of the messages.
func Schema() []byte {
	const begin, end = "<xs:schema ", "</xs:schema>"
	_, rest, _ := strings.Cut(wsdl, begin)
	schema, _, _ := strings.Cut(rest, end)
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + begin +
		`xmlns:ns="` + Namespace + `" xmlns:xs="http://www.w3.org/2001/XMLSchema" ` + schema + end + "\n")
}
