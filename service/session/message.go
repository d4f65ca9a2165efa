package session

import (
	"encoding/binary"
	"fmt"
)

// message is the content of an open or result frame.
//
// A request has the name of the operation, the claim to a lock that it is made
// with (see [service.EncodedClaim]), its scalar arguments in words, and its list
// argument in list. A result has the name of an outcome, and what was returned
// in list or the error in words.
type message struct {
	name  string
	claim string
	words []string
	list  []string
}

func (m message) encode() []byte {
	size := len(m.name) + len(m.claim) + 4*binary.MaxVarintLen32
	for _, s := range m.words {
		size += len(s) + binary.MaxVarintLen32
	}
	for _, s := range m.list {
		size += len(s) + binary.MaxVarintLen32
	}
	buf := appendString(appendString(make([]byte, 0, size), m.name), m.claim)
	return appendStrings(appendStrings(buf, m.words), m.list)
}

func appendString(buf []byte, s string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
}

func appendStrings(buf []byte, list []string) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(list)))
	for _, s := range list {
		buf = appendString(buf, s)
	}
	return buf
}

// decodeMessage reads a message; the strings are copies of what is in buf.
func decodeMessage(buf []byte) (message, error) {
	d := decoder{rest: buf}
	m := message{name: d.string(), claim: d.string(), words: d.strings(), list: d.strings()}
	if d.failed || len(d.rest) > 0 {
		return message{}, fmt.Errorf("%w: a malformed message of %d bytes", ErrProtocol, len(buf))
	}
	return m, nil
}

type decoder struct {
	rest   []byte
	failed bool
}

// number reads a number that cannot be greater than what is left, because it
// counts bytes or strings of at least one byte each.
func (d *decoder) number() int {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > uint64(len(d.rest)-size) {
		d.failed = true
		d.rest = nil
		return 0
	}
	d.rest = d.rest[size:]
	return int(n)
}

func (d *decoder) string() string {
	n := d.number()
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) strings() []string {
	var list []string
	for n := d.number(); n > 0 && !d.failed; n-- {
		list = append(list, d.string())
	}
	return list
}
