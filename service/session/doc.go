// Package session carries the contract over one long-lived stream of bytes,
// for example the standard input and output of disnix-run-activity --serve on
// a target: an operation costs one round trip, and no process, login or
// handshake.
//
// [Serve] is the target's half, [Connect] the coordinator's. Any number of
// operations, with their closures, snapshots and output, share the stream.
//
// # Protocol
//
// The target begins with a greeting: [magic] and the version of the protocol
// (16 bits). What comes before it, such as the banner of a login shell, is
// skipped. Only then does the coordinator answer with a greeting of its own,
// so that a program that is something else is never sent anything.
//
// Then both send frames: the length of the content (32 bits), the kind (8
// bits), the number of the operation (32 bits), and the content. All numbers
// are big-endian.
//
//	open    coordinator  begins an operation: a request
//	input   coordinator  a part of a closure, snapshot or standard input
//	end     coordinator  there is no more input
//	cancel  coordinator  the operation shall stop; its result still follows
//	output  target       a part of a closure, a snapshot or standard output
//	errors  target       a part of the diagnostics of a plugin
//	result  target       ends an operation: its result or error
//	credit  both         so much more (32 bits) may be sent for the operation
//	ping    both         is answered by a pong
//
// When the stream ends, the target completes the changes that are under way and
// cancels everything else, see [Serve].
//
// Requests and results are lists of strings of arbitrary bytes, each preceded
// by its length, see [message]. Input and output are sent only as long as
// there is credit, which begins with [window] bytes in each direction of each
// operation; a frame costs its length and [frameCost]. So a reader that is
// slow holds up nobody else, and memory is bounded.
package session
