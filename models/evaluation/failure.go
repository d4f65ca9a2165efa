package evaluation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/models/nix"
)

// BuildError says which packages could not be built. All others were, and
// nothing else has changed.
type BuildError struct {
	Failures []BuildFailure
	// Err is the error of nix-store.
	Err error
}

// BuildFailure is a derivation that could not be built.
type BuildFailure struct {
	// Derivation is the store path of the derivation.
	Derivation string
	// NeededBy lists the services and targets that need it.
	NeededBy []string
	// Reason is what Nix says about it.
	Reason string
	// Log is the end of its build log, or empty if there is none.
	Log string
}

func (e *BuildError) Error() string {
	if len(e.Failures) == 0 {
		return fmt.Sprintf("build packages: %v", e.Err)
	}
	lines := make([]string, len(e.Failures))
	for i, f := range e.Failures {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the error of nix-store.
func (e *BuildError) Unwrap() error { return e.Err }

// String describes the failure with the end of the log.
func (f BuildFailure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "build %s", f.Derivation)
	if len(f.NeededBy) > 0 {
		fmt.Fprintf(&b, " for %s", shortened(f.NeededBy))
	}
	fmt.Fprintf(&b, ": %s", f.Reason)
	if f.Log != "" {
		b.WriteString("; the end of its log:")
		for line := range strings.Lines(f.Log) {
			b.WriteString("\n    ")
			b.WriteString(strings.TrimRight(line, "\n"))
		}
	}
	return b.String()
}

// shortened lists at most a few names.
func shortened(names []string) string {
	const limit = 5
	if len(names) <= limit {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
}

// failedDerivation finds the derivations in Nix' diagnostics that could not be
// built. The wording depends on the version of Nix: newer ones give the reason
// in a line of its own.
var failedDerivation = regexp.MustCompile(`(?m)^.*(?:builder for|required to build|[Cc]annot build|building of|fixed-output derivation) '([^']+\.drv)'.*$(?:\n\s*Reason: (.*)$)?`)

// failureLines keeps, of all that Nix and the builders say, the lines that
// [failedDerivation] matches, however much else there is.
type failureLines struct {
	lines   []string
	partial []byte
}

// longestLine bounds what is kept of a line that does not end.
const longestLine = 64 << 10

func (f *failureLines) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		f.partial = append(f.partial, line[:min(len(line), max(0, longestLine-len(f.partial)))]...)
		if ended {
			f.keep(string(f.partial))
			f.partial = f.partial[:0]
		}
		rest = after
	}
	return len(p), nil
}

func (f *failureLines) keep(line string) {
	if failedDerivation.MatchString(line) || strings.HasPrefix(strings.TrimSpace(line), "Reason: ") {
		f.lines = append(f.lines, line)
	}
}

func (f *failureLines) String() string { return strings.Join(f.lines, "\n") }

// dependencyFailed matches the reason of a derivation that was not tried.
var dependencyFailed = regexp.MustCompile(`\d+ dependenc(?:y|ies) failed`)

// explainBuildFailure turns the failure of nix-store into one that names the
// services.
func (s *System) explainBuildFailure(ctx context.Context, err error, diagnostics string) error {
	var failure *nix.Error
	if !errors.As(err, &failure) {
		return err
	}
	result := &BuildError{Err: err}
	owners := s.owners()
	seen := make(map[string]bool)
	for _, match := range failedDerivation.FindAllStringSubmatch(diagnostics, -1) {
		line, derivation, reason := match[0], match[1], match[2]
		if seen[derivation] || dependencyFailed.MatchString(reason) {
			continue
		}
		seen[derivation] = true
		if reason == "" {
			reason = strings.TrimRight(strings.TrimPrefix(strings.TrimSpace(line), "error: "), ";:")
		}
		result.Failures = append(result.Failures, BuildFailure{
			Derivation: derivation,
			NeededBy:   neededBy(ctx, owners, derivation),
			Reason:     reason,
			Log:        logTail(ctx, derivation),
		})
	}
	return result
}

// owners tells for each derivation and store path that the manifest refers to
// directly who does.
func (s *System) owners() map[string][]string {
	owners := make(map[string][]string)
	add := func(context stringContext, owner string) {
		for path := range context {
			if !slices.Contains(owners[path], owner) {
				owners[path] = append(owners[path], owner)
			}
		}
	}
	for _, target := range slices.Sorted(maps.Keys(s.profiles)) {
		for _, pkg := range s.profiles[target] {
			add(pkg.Context, pkg.reason)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(s.containers)) {
		add(s.containers[service], fmt.Sprintf("service %q", service))
	}
	add(s.context, "the infrastructure model")
	return owners
}

// neededBy returns the owners of everything that a derivation is needed for.
func neededBy(ctx context.Context, owners map[string][]string, derivation string) []string {
	referrers, err := nix.Output(ctx, "nix-store", "--query", "--referrers-closure", derivation)
	if err != nil {
		return owners[derivation]
	}
	var names []string
	for referrer := range strings.Lines(string(referrers)) {
		names = append(names, owners[strings.TrimSpace(referrer)]...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// logLines is how much of a build log an error repeats.
const logLines = 20

// logTail returns the last lines of a build log, or nothing if there is none.
func logTail(ctx context.Context, derivation string) string {
	log, err := nix.Output(ctx, "nix-store", "--read-log", derivation)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(log), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-logLines):], "\n")
}
