// Package servicetest tests implementations of [service.Service]: a suite
// that each of them passes, and a [Fake] for tests of what uses the contract.
package servicetest
