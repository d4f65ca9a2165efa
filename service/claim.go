package service

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
)

// Claim says on behalf of which lock a target is asked for something. A target
// refuses changes whose claim does not hold (any more) with a [*LostLockError]:
// whoever has lost its lock can change nothing. What is asked without a claim,
// as by the original's programs, is not checked.
//
// A claim guards against mistakes, not against attackers: it is no secret.
type Claim struct {
	// Token is the holder's, chosen anew for each attempt to get locks.
	Token string `json:"token"`
	// Profile is the one whose lock stands for changes of the target that are
	// not about a profile.
	Profile string `json:"profile,omitempty"`
	// Owner is for whom a lock is acquired. It is only needed for that.
	Owner *LockOwner `json:"owner,omitempty"`
}

// LockOwner is the coordinator for which a lock is held. It may run on another
// machine than the target.
type LockOwner struct {
	User    string `json:"user"`
	Host    string `json:"host,omitempty"`
	PID     int    `json:"pid"`
	Purpose string `json:"purpose,omitempty"`
	// Target is what the coordinator calls the target.
	Target string `json:"target,omitempty"`
	// Kept says that the lock is meant to outlive the process.
	Kept bool `json:"kept,omitempty"`

	process
}

// process identifies a process on this machine.
type process struct {
	// Start is when it started, in clock ticks since the machine did.
	Start        uint64 `json:"processStart,omitempty"`
	PIDNamespace string `json:"pidNamespace,omitempty"`
	BootID       string `json:"bootId,omitempty"`
}

// NewClaim returns a claim of this process with a token of its own. With kept,
// the locks are meant to outlive the process.
func NewClaim(purpose string, kept bool) Claim {
	owner := &LockOwner{User: userName(os.Geteuid()), Host: hostName(), PID: os.Getpid(), Purpose: purpose, Kept: kept, process: thisProcess()}
	return Claim{Token: rand.Text(), Owner: owner}
}

func thisProcess() process {
	start, _ := processStart(os.Getpid())
	return process{Start: start, PIDNamespace: pidNamespace(), BootID: bootID()}
}

// ended reports whether the process with this PID ran on this machine and is
// known to have ended.
func (p process) ended(pid int) bool {
	here := thisProcess()
	if pid == 0 || here.BootID == "" || p.BootID != here.BootID || p.PIDNamespace != here.PIDNamespace {
		return false
	}
	start, running := processStart(pid)
	return !running || start != p.Start
}

type claimKey struct{}

// WithClaim returns a context for operations that are asked for with a claim.
func WithClaim(ctx context.Context, claim Claim) context.Context {
	return context.WithValue(ctx, claimKey{}, claim)
}

// ClaimOf returns the claim of an operation, if it has one.
func ClaimOf(ctx context.Context) (claim Claim, ok bool) {
	claim, ok = ctx.Value(claimKey{}).(Claim)
	return claim, ok
}

// ClaimVariable is the environment variable that carries the claim to
// programs with the client-interface command line. The original's ignore it.
const ClaimVariable = "DISNIX_LOCK_CLAIM"

// EncodedClaim returns the claim of an operation as a line of text (JSON), as
// wires carry it; nothing if there is none.
func EncodedClaim(ctx context.Context) string {
	claim, ok := ClaimOf(ctx)
	if !ok {
		return ""
	}
	text, err := json.Marshal(claim)
	if err != nil {
		panic("encode a claim: " + err.Error()) // it has strings and numbers
	}
	return string(text)
}

// WithEncodedClaim returns a context with a claim that was encoded; nothing is
// no claim.
func WithEncodedClaim(ctx context.Context, text string) (context.Context, error) {
	if text == "" {
		return ctx, nil
	}
	var claim Claim
	if err := json.Unmarshal([]byte(text), &claim); err != nil {
		return nil, fmt.Errorf("read the claim to a lock: %w", err)
	}
	if claim.Token == "" {
		return nil, fmt.Errorf("read the claim to a lock: it has no token")
	}
	return WithClaim(ctx, claim), nil
}

// TakeClaim returns a context with the claim that the caller of this program
// has put into its environment, and removes it from there: what the program
// starts makes no claim.
func TakeClaim(ctx context.Context) (context.Context, error) {
	text := os.Getenv(ClaimVariable)
	if text == "" {
		return ctx, nil
	}
	if err := os.Unsetenv(ClaimVariable); err != nil {
		return nil, fmt.Errorf("read the claim to a lock: %w", err)
	}
	ctx, err := WithEncodedClaim(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ClaimVariable, err)
	}
	return ctx, nil
}
