package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"
)

// record is one line of a journal: eight hexadecimal digits, the CRC-32C of
// what follows them and a blank, which is the record as JSON.
type record struct {
	Kind recordKind `json:"kind"`
	Time time.Time  `json:"time"`
	// Deployment is set in the first record.
	Deployment *Description `json:"deployment,omitempty"`
	// Run is set when a coordinator begins to work.
	Run *Run `json:"run,omitempty"`
	// Phase is set when a phase begins.
	Phase Phase `json:"phase,omitempty"`
	// ID connects the begin and the end of an action.
	ID     int     `json:"id,omitempty"`
	Action *Action `json:"action,omitempty"` // of a begin
	// Error is why an action failed; empty after a success. It is also how the
	// locks were lost.
	Error string `json:"error,omitempty"`
}

type recordKind string

const (
	deploymentRecord recordKind = "deployment"
	runRecord        recordKind = "run"
	phaseRecord      recordKind = "phase"
	beginRecord      recordKind = "begin"
	endRecord        recordKind = "end"
	lostRecord       recordKind = "lost"
	closedRecord     recordKind = "closed"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// prefix is the length of the checksum and the blank.
const prefix = 9

func (r record) encode() ([]byte, error) {
	document, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	line := make([]byte, 0, prefix+len(document)+1)
	line = fmt.Appendf(line, "%08x ", crc32.Checksum(document, castagnoli))
	return append(append(line, document...), '\n'), nil
}

// decode reads a line without its end.
func decode(line []byte) (record, error) {
	var r record
	if len(line) < prefix || line[prefix-1] != ' ' {
		return r, errors.New("it has no checksum")
	}
	sum, err := strconv.ParseUint(string(line[:prefix-1]), 16, 32)
	if err != nil {
		return r, errors.New("it has no checksum")
	}
	document := line[prefix:]
	if crc32.Checksum(document, castagnoli) != uint32(sum) {
		return r, errors.New("its checksum is wrong")
	}
	return r, json.Unmarshal(document, &r)
}

// replay reads a journal. Its last line may be torn, which is the case if the
// machine failed while it was written: then nothing that it describes has
// begun, and it is left out. size is where the torn line begins, or the end.
// Anything else that cannot be read is an error.
func replay(content []byte) (state *State, size int, err error) {
	state = newState()
	torn := 0 // the number of the first line that cannot be read
	for number := 1; len(content) > size; number++ {
		line, _, complete := bytes.Cut(content[size:], []byte("\n"))
		r, err := decode(line)
		if err == nil && !complete {
			err = errors.New("its end is missing")
		}
		if err != nil {
			if number == 1 {
				return nil, 0, fmt.Errorf("line 1 is damaged: %w", err)
			}
			torn = number
			break
		}
		if err := state.apply(r); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", number, err)
		}
		size += len(line) + 1
	}
	if torn > 0 {
		_, after, _ := bytes.Cut(content[size:], []byte("\n"))
		for line := range bytes.Lines(after) {
			if _, err := decode(bytes.TrimSuffix(line, []byte("\n"))); err == nil {
				return nil, 0, fmt.Errorf("line %d is damaged, although it is not the last one", torn)
			}
		}
	}
	if size == 0 {
		return nil, 0, errors.New("it is empty")
	}
	return state, size, nil
}
