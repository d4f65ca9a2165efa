// Package soapclient reaches a target through DisnixWebService, over HTTP or
// HTTPS (SOAP page). The messages are those that the original client sends, so
// the service of the original understands them; with that of this project,
// snapshots keep what files alone cannot tell, the output of plugins is passed
// on, locks are checked and operations can be cancelled.
//
// Closures and snapshots stream. Connections are kept and used again. How a
// client authenticates itself, and whom it trusts, is in the environment, see
// [Dial].
package soapclient
