package commandline

import (
	"bytes"
	"fmt"
)

// MaxResult bounds what is kept of a result: a target that has gone wild must
// not fill the memory of the coordinator. A list of 100,000 store paths has an
// eighth of it.
const MaxResult = 64 << 20

// Result keeps the result of an operation, as long as it is not longer than
// [MaxResult].
type Result struct{ bytes.Buffer }

// Write fails if the result becomes too long.
func (r *Result) Write(p []byte) (int, error) {
	if r.Len()+len(p) > MaxResult {
		return 0, fmt.Errorf("its result is longer than %d bytes", MaxResult)
	}
	return r.Buffer.Write(p)
}
