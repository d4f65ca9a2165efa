package supervisordprogram

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/dysnomia/plugins/await"
)

// of returns the processes of the groups.
func (s *supervision) of(ctx context.Context, groups []string) ([]process, error) {
	all, err := s.control.processes(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p process) bool { return !slices.Contains(groups, p.group) }), nil
}

// wake starts processes that supervisord has had before, but has given up or
// was told to stop.
func (s *supervision) wake(ctx context.Context, before []process, groups []string, manual map[string]bool) error {
	for _, p := range before {
		if slices.Contains(groups, p.group) && isStopped(p) && !isReady(p, manual) {
			if err := s.control.start(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitRunning waits until all processes of the groups run, or have done their
// work. It does not wait for those that are not started automatically.
func (s *supervision) awaitRunning(ctx context.Context, groups []string, manual map[string]bool) error {
	var pending []process
	err := await.Until(ctx, "supervisord to run "+strings.Join(groups, ", "), s.timeout, func(ctx context.Context) (bool, string, error) {
		processes, err := s.of(ctx, groups)
		if err != nil {
			return false, "", err
		}
		pending = slices.DeleteFunc(processes, func(p process) bool { return isReady(p, manual) })
		for _, p := range pending {
			if isStopped(p) {
				return false, "", s.failed(ctx, p)
			}
		}
		return len(pending) == 0, describe(pending), nil
	})
	var late *await.TimeoutError
	if errors.As(err, &late) && len(pending) > 0 {
		return fmt.Errorf("%w%s", err, s.lastWords(ctx, pending[0]))
	}
	return err
}

// failed is the error of a process that supervisord does not try to run any
// more.
func (s *supervision) failed(ctx context.Context, p process) error {
	status := ""
	if p.state == "EXITED" {
		status = fmt.Sprintf(" with exit status %d", p.exitStatus)
	}
	return fmt.Errorf("program %s%s%s", p, status, s.lastWords(ctx, p))
}

// isReady reports whether a process is as it should be.
func isReady(p process, manual map[string]bool) bool {
	switch p.state {
	case "RUNNING":
		return true
	case "EXITED":
		return p.exitStatus == 0
	case "STOPPED":
		return manual[p.fullName()] || manual == nil && p.description == "Not started"
	}
	return false
}

// lastWords is what a process has printed at last, as the end of a message.
func (s *supervision) lastWords(ctx context.Context, p process) string {
	if text := s.control.stderr(ctx, p); text != "" {
		return ": its last output: " + text
	}
	return ""
}

func describe(processes []process) string {
	var texts []string
	for _, p := range processes {
		texts = append(texts, p.String())
	}
	return strings.Join(texts, ", ")
}

// stopGroups stops the processes of the groups, waits for their end and removes
// the groups.
func (s *supervision) stopGroups(ctx context.Context, groups []string) error {
	running, err := s.of(ctx, groups)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if !slices.ContainsFunc(running, func(p process) bool { return p.group == group }) {
			continue
		}
		if err := s.control.stop(ctx, group); err != nil {
			return err
		}
	}
	err = await.Until(ctx, "supervisord to stop "+strings.Join(groups, ", "), s.stopTimeout, func(ctx context.Context) (bool, string, error) {
		running, err := s.of(ctx, groups)
		running = slices.DeleteFunc(running, isStopped)
		return len(running) == 0, describe(running), err
	})
	if err != nil {
		return err
	}
	for _, group := range groups {
		if err := s.control.remove(ctx, group); err != nil {
			return err
		}
		fmt.Fprintf(s.r.Stdout, "%s: stopped\n", group)
	}
	return nil
}

func isStopped(p process) bool {
	return slices.Contains([]string{"STOPPED", "EXITED", "FATAL"}, p.state)
}
