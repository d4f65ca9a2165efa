package session

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/disnix-go/disnix/service"
)

// PrintInvalid implements [service.Store].
func (c *Client) PrintInvalid(ctx context.Context, paths []string) ([]string, error) {
	return c.call(ctx, message{name: "print-invalid", list: paths}, streams{})
}

// QueryRequisites implements [service.Store].
func (c *Client) QueryRequisites(ctx context.Context, paths []string) ([]string, error) {
	return c.call(ctx, message{name: "query-requisites", list: paths}, streams{})
}

// ImportClosure implements [service.Store]. If it fails, a Read of the closure
// that is under way may end later.
func (c *Client) ImportClosure(ctx context.Context, closure io.Reader) ([]string, error) {
	return c.call(ctx, message{name: "import"}, streams{input: closure})
}

// ExportClosure implements [service.Store].
func (c *Client) ExportClosure(ctx context.Context, paths []string, closure io.Writer) error {
	return c.do(ctx, message{name: "export", list: paths}, streams{output: closure})
}

// Realise implements [service.Store].
func (c *Client) Realise(ctx context.Context, derivations []string) ([]string, error) {
	return c.call(ctx, message{name: "realise", list: derivations}, streams{})
}

// CollectGarbage implements [service.Store].
func (c *Client) CollectGarbage(ctx context.Context, deleteOld bool) error {
	return c.do(ctx, message{name: "collect-garbage", words: []string{strconv.FormatBool(deleteOld)}}, streams{})
}

// SetProfile implements [service.Profiles].
func (c *Client) SetProfile(ctx context.Context, profile, path string) error {
	return c.do(ctx, message{name: "set", words: []string{profile, path}}, streams{})
}

// QueryInstalled implements [service.Profiles].
func (c *Client) QueryInstalled(ctx context.Context, profile string) ([]byte, error) {
	manifest, err := c.text(ctx, message{name: "query-installed", words: []string{profile}})
	if manifest == "" {
		return nil, err
	}
	return []byte(manifest), err
}

// Lock implements [service.Profiles].
func (c *Client) Lock(ctx context.Context, profile string) error {
	return c.do(ctx, message{name: "lock", words: []string{profile}}, streams{})
}

// Unlock implements [service.Profiles].
func (c *Client) Unlock(ctx context.Context, profile string) error {
	return c.do(ctx, message{name: "unlock", words: []string{profile}}, streams{})
}

// Activate implements [service.Activities].
func (c *Client) Activate(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "activate", a)
}

// Deactivate implements [service.Activities].
func (c *Client) Deactivate(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "deactivate", a)
}

// Snapshot implements [service.Activities].
func (c *Client) Snapshot(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "snapshot", a)
}

// Restore implements [service.Activities].
func (c *Client) Restore(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "restore", a)
}

// DeleteState implements [service.Activities].
func (c *Client) DeleteState(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "delete-state", a)
}

func (c *Client) activity(ctx context.Context, name string, a service.Activity) error {
	return c.do(ctx, activityRequest(name, a), streams{output: a.Output, errors: a.Diagnostics})
}

// activityRequest tells also which output somebody wants.
func activityRequest(name string, a service.Activity) message {
	return message{
		name: name,
		words: []string{
			a.Component, a.Container, a.Type,
			strconv.FormatBool(a.Output != nil), strconv.FormatBool(a.Diagnostics != nil),
		},
		list: a.Arguments,
	}
}

// Shell implements [service.Activities], without a terminal. A Read of the
// input that is under way at the end may end later.
func (c *Client) Shell(ctx context.Context, a service.Activity, s service.ShellSession) error {
	a.Output, a.Diagnostics = s.Stdout, s.Stderr
	request := activityRequest("shell", a)
	request.words = append(request.words, s.Command)
	if s.Stdin == nil {
		s.Stdin = strings.NewReader("")
	}
	return c.do(ctx, request, streams{input: s.Stdin, output: s.Stdout, errors: s.Stderr})
}

// QueryAllSnapshots implements [service.Snapshots].
func (c *Client) QueryAllSnapshots(ctx context.Context, container, component string) ([]string, error) {
	return c.call(ctx, message{name: "query-all-snapshots", words: []string{container, component}}, streams{})
}

// QueryLatestSnapshot implements [service.Snapshots].
func (c *Client) QueryLatestSnapshot(ctx context.Context, container, component string) ([]string, error) {
	return c.call(ctx, message{name: "query-latest-snapshot", words: []string{container, component}}, streams{})
}

// PrintMissingSnapshots implements [service.Snapshots].
func (c *Client) PrintMissingSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	return c.call(ctx, message{name: "print-missing-snapshots", list: snapshots}, streams{})
}

// ResolveSnapshots implements [service.Snapshots].
func (c *Client) ResolveSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	return c.call(ctx, message{name: "resolve-snapshots", list: snapshots}, streams{})
}

// ImportSnapshot implements [service.Snapshots]. If it fails, a Read of the
// archive that is under way may end later.
func (c *Client) ImportSnapshot(ctx context.Context, container, component, id string, archive io.Reader) error {
	return c.do(ctx, message{name: "import-snapshot", words: []string{container, component, id}}, streams{input: archive})
}

// RegisterSnapshots implements [service.Snapshots].
func (c *Client) RegisterSnapshots(ctx context.Context, container, component string, paths []string) error {
	return c.do(ctx, message{name: "register-snapshots", words: []string{container, component}, list: paths}, streams{})
}

// ExportSnapshot implements [service.Snapshots].
func (c *Client) ExportSnapshot(ctx context.Context, path string, archive io.Writer) error {
	return c.do(ctx, message{name: "export-snapshot", words: []string{path}}, streams{output: archive})
}

// CleanSnapshots implements [service.Snapshots].
func (c *Client) CleanSnapshots(ctx context.Context, keep int, container, component string) error {
	return c.do(ctx, message{name: "clean-snapshots", words: []string{strconv.Itoa(keep), container, component}}, streams{})
}

// CaptureConfig implements [service.Service].
func (c *Client) CaptureConfig(ctx context.Context) (string, error) {
	return c.text(ctx, message{name: "capture-config"})
}

// do executes an operation without a result.
func (c *Client) do(ctx context.Context, request message, s streams) error {
	_, err := c.call(ctx, request, s)
	return err
}

// text executes an operation whose result is a text.
func (c *Client) text(ctx context.Context, request message) (string, error) {
	list, err := c.call(ctx, request, streams{})
	return strings.Join(list, ""), err
}
