// Package servicetest tests implementations of [service.Service]: [Run] is a
// suite that each of them passes, and a [Fake] is for tests of what uses the
// contract.
package servicetest
