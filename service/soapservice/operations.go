package soapservice

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapwire"
)

// run carries out the operation of a request and returns its response (SOAP
// page, section 3). A null is taken for an empty text.
func (c *call) run(message any) (any, error) {
	target, err := c.target()
	if err != nil {
		return nil, err
	}
	ctx := c.ctx
	switch m := message.(type) {
	case *soapwire.Importm:
		return &soapwire.ImportmResponse{}, c.importFile(text(m.Closure))
	case *soapwire.ImportLocalFile:
		return &soapwire.ImportLocalFileResponse{}, c.importClosure(m.DataHandler)
	case *soapwire.Export:
		file, err := c.exports.create(ctx, target, texts(m.Derivation))
		return &soapwire.ExportResponse{Return_: &file}, err
	case *soapwire.ExportRemoteFile:
		return &soapwire.ExportRemoteFileResponse{Return_: soapwire.NewContent("", func(w io.Writer) error {
			return target.ExportClosure(ctx, texts(m.Derivation), w)
		})}, nil
	case *soapwire.PrintInvalid:
		list, err := words(target.PrintInvalid(ctx, texts(m.Derivation)))
		return &soapwire.PrintInvalidResponse{Return_: list}, err
	case *soapwire.Realise:
		list, err := words(target.Realise(ctx, texts(m.Derivation)))
		return &soapwire.RealiseResponse{Return_: list}, err
	case *soapwire.QueryRequisites:
		list, err := words(target.QueryRequisites(ctx, texts(m.Derivation)))
		return &soapwire.QueryRequisitesResponse{Return_: list}, err
	case *soapwire.CollectGarbage:
		return &soapwire.CollectGarbageResponse{}, target.CollectGarbage(ctx, m.DeleteOld)
	case *soapwire.Set:
		return &soapwire.SetResponse{}, target.SetProfile(ctx, text(m.Profile), text(m.Derivation))
	case *soapwire.QueryInstalled:
		manifest, err := target.QueryInstalled(ctx, text(m.Profile))
		return &soapwire.QueryInstalledResponse{Return_: []*string{new(string(manifest))}}, err
	case *soapwire.Lock:
		return &soapwire.LockResponse{}, target.Lock(ctx, text(m.Profile))
	case *soapwire.Unlock:
		return &soapwire.UnlockResponse{}, target.Unlock(ctx, text(m.Profile))
	case *soapwire.CaptureConfig:
		config, err := target.CaptureConfig(ctx)
		return &soapwire.CaptureConfigResponse{Return_: new(unixLines(config))}, err
	default:
		return c.runOnComponents(target, message)
	}
}

// runOnComponents carries out the operations on components and snapshots.
func (c *call) runOnComponents(target service.Service, message any) (any, error) {
	ctx := c.ctx
	switch m := message.(type) {
	case *soapwire.Activate:
		return &soapwire.ActivateResponse{}, target.Activate(ctx, c.activity(m.Derivation, m.Container, m.Type_, m.Arguments))
	case *soapwire.Deactivate:
		return &soapwire.DeactivateResponse{}, target.Deactivate(ctx, c.activity(m.Derivation, m.Container, m.Type_, m.Arguments))
	case *soapwire.DeleteState:
		return &soapwire.DeleteStateResponse{}, target.DeleteState(ctx, c.activity(m.Derivation, m.Container, m.Type_, m.Arguments))
	case *soapwire.Snapshot:
		return &soapwire.SnapshotResponse{}, target.Snapshot(ctx, c.activity(m.Derivation, m.Container, m.Type_, m.Arguments))
	case *soapwire.Restore:
		return &soapwire.RestoreResponse{}, target.Restore(ctx, c.activity(m.Derivation, m.Container, m.Type_, m.Arguments))
	case *soapwire.QueryAllSnapshots:
		list, err := words(target.QueryAllSnapshots(ctx, text(m.Container), text(m.Component)))
		return &soapwire.QueryAllSnapshotsResponse{Return_: list}, err
	case *soapwire.QueryLatestSnapshot:
		list, err := words(target.QueryLatestSnapshot(ctx, text(m.Container), text(m.Component)))
		return &soapwire.QueryLatestSnapshotResponse{Return_: list}, err
	case *soapwire.PrintMissingSnapshots:
		list, err := words(target.PrintMissingSnapshots(ctx, texts(m.Component)))
		return &soapwire.PrintMissingSnapshotsResponse{Return_: list}, err
	case *soapwire.ResolveSnapshots:
		list, err := words(target.ResolveSnapshots(ctx, texts(m.Snapshots)))
		return &soapwire.ResolveSnapshotsResponse{Return_: list}, err
	case *soapwire.ImportSnapshots:
		return &soapwire.ImportSnapshotsResponse{}, target.RegisterSnapshots(ctx, text(m.Container), text(m.Component), texts(m.Snapshots))
	case *soapwire.CleanSnapshots:
		return &soapwire.CleanSnapshotsResponse{}, target.CleanSnapshots(ctx, int(m.Keep), text(m.Container), text(m.Component))
	case *soapwire.ImportLocalSnapshots:
		return &soapwire.ImportLocalSnapshotsResponse{}, c.importSnapshot(target, m)
	case *soapwire.ExportRemoteSnapshotPaths:
		files, err := listSnapshot(ctx, target, text(m.Derivation))
		return &soapwire.ExportRemoteSnapshotPathsResponse{Return_: pointers(files)}, err
	case *soapwire.ExportRemoteSnapshots:
		contents, err := c.exportSnapshot(target, text(m.Derivation))
		return &soapwire.ExportRemoteSnapshotsResponse{Return_: contents}, err
	default:
		return nil, fmt.Errorf("carry out %T: %w", message, errors.ErrUnsupported)
	}
}

// activity makes the request to a plugin. Without a container it is that of the
// type, as in the contract.
func (c *call) activity(component, container, kind *string, arguments []*string) service.Activity {
	return service.Activity{
		Component: text(component), Container: text(container), Type: text(kind), Arguments: texts(arguments),
		Output: io.MultiWriter(&c.log, &c.output),
	}
}

func text(value *string) string {
	if value == nil {
		return ""
	}
	return *value
}

func texts(values []*string) []string {
	list := make([]string, len(values))
	for i, value := range values {
		list[i] = text(value)
	}
	return list
}

func pointers(values []string) []*string {
	list := make([]*string, len(values))
	for i := range values {
		list[i] = &values[i]
	}
	return list
}

func words(values []string, err error) ([]*string, error) { return pointers(values), err }

// unixLines ends every line with a newline, also the last one.
func unixLines(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// importClosure imports the closure that the client sends.
func (c *call) importClosure(content *soapwire.Content) error {
	if content == nil {
		return &soapwire.Fault{Code: soapwire.Client, Text: "import: the message has no closure"}
	}
	stream, err := openContent(content)
	if err != nil {
		return err
	}
	return c.importStream(stream)
}

// importStream imports a closure. If it cannot be read that is the error,
// whatever comes of it.
func (c *call) importStream(stream io.Reader) error {
	source := &sourceReader{Reader: stream}
	_, err := c.service.ImportClosure(c.ctx, source)
	if err != nil && source.err != nil {
		return fmt.Errorf("receive the closure: %w", source.err)
	}
	return err
}

// sourceReader remembers why it could not be read to its end.
type sourceReader struct {
	io.Reader
	err error
}

func (r *sourceReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
