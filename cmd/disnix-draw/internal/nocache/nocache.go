// Package nocache keeps go-graphviz from using a cache of compiled code. That
// would be the directory go-graphviz in TMPDIR, the same for all users, which
// everybody could write into, and which makes the program panic for all but the
// one who made it.
//
// It has its effect when it is initialised, and has to be imported by whoever
// imports go-graphviz. The language specification orders the initialisation of
// packages by import path as far as their dependencies allow, so that this is
// done before go-graphviz is initialised.
package nocache

import "os"

const variable = "TMPDIR"

var original, isSet = os.LookupEnv(variable)

// Where no directory can be made there is no cache.
var _ = os.Setenv(variable, os.DevNull)

// Restore sets TMPDIR to what it was. It is called when go-graphviz has been
// initialised.
func Restore() error {
	if !isSet {
		return os.Unsetenv(variable)
	}
	return os.Setenv(variable, original)
}
