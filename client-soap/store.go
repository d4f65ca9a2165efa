package soapclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/closure"
	"github.com/disnix-go/disnix/service/soapwire"
)

// streamBuffer is in how large pieces closures go from one goroutine to
// another.
const streamBuffer = 128 << 10

// PrintInvalid implements [service.Store].
func (c *Client) PrintInvalid(ctx context.Context, paths []string) ([]string, error) {
	return c.each(ctx, paths, c.printInvalid)
}

func (c *Client) printInvalid(ctx context.Context, paths []string) ([]string, error) {
	response := new(soapwire.PrintInvalidResponse)
	err := c.query(ctx, &soapwire.PrintInvalid{Derivation: pointers(paths)}, response)
	return results(response.Return_, err)
}

// QueryRequisites implements [service.Store].
func (c *Client) QueryRequisites(ctx context.Context, paths []string) ([]string, error) {
	return c.each(ctx, paths, func(ctx context.Context, paths []string) ([]string, error) {
		response := new(soapwire.QueryRequisitesResponse)
		err := c.query(ctx, &soapwire.QueryRequisites{Derivation: pointers(paths)}, response)
		return results(response.Return_, err)
	})
}

// each runs an operation with a list: with parts of it that fit on a command
// line, if the service is the original's, which puts them on one.
func (c *Client) each(ctx context.Context, list []string, run func(context.Context, []string) ([]string, error)) ([]string, error) {
	whole, err := c.takesWhole(ctx, list)
	if err != nil {
		return nil, err
	}
	if whole {
		return run(ctx, list)
	}
	return closure.Each(list, func(part []string) ([]string, error) { return run(ctx, part) })
}

// takesWhole tells whether a list can be sent in one message.
func (c *Client) takesWhole(ctx context.Context, list []string) (bool, error) {
	parts := 0
	for range closure.Batches(list) {
		if parts++; parts > 1 {
			return c.findOut(ctx, soapwire.FeatureArchive)
		}
	}
	return true, nil
}

// query carries out an operation that changes nothing.
func (c *Client) query(ctx context.Context, request, response any) error {
	_, err := c.call(ctx, call{request: request, response: response, repeatable: true})
	return err
}

// Realise implements [service.Store].
func (c *Client) Realise(ctx context.Context, derivations []string) ([]string, error) {
	return c.each(ctx, derivations, func(ctx context.Context, derivations []string) ([]string, error) {
		response, err := c.typed.RealiseContext(ctx, &soapwire.Realise{Derivation: pointers(derivations)})
		if err != nil {
			return nil, err
		}
		return words(response.Return_), nil
	})
}

// ImportClosure implements [service.Store]. The service does not tell what it
// has imported: it is asked for. If it fails, a Read of the stream that is
// under way may end later.
func (c *Client) ImportClosure(ctx context.Context, stream io.Reader) ([]string, error) {
	sent := make(chan []string, 1)
	content := soapwire.NewContent("", func(w io.Writer) error {
		out := bufio.NewWriterSize(c.reportUpload(ctx, w, "closure"), streamBuffer)
		paths, err := closure.Paths(bufio.NewReaderSize(io.TeeReader(stream, out), streamBuffer))
		if err == nil {
			err = out.Flush()
		}
		if err == nil {
			sent <- paths
		}
		return err
	})
	_, err := c.call(ctx, call{
		request: &soapwire.ImportLocalFile{DataHandler: content}, response: new(soapwire.ImportLocalFileResponse), upload: true,
	})
	if err != nil {
		return nil, err
	}
	select {
	case paths := <-sent:
		return service.CheckImported(ctx, c, paths)
	default:
		return nil, errors.New("importLocalFile: the service says that it has imported the closure before all of it was sent")
	}
}

// ExportClosure implements [service.Store].
func (c *Client) ExportClosure(ctx context.Context, paths []string, w io.Writer) error {
	whole, err := c.takesWhole(ctx, paths)
	if err != nil {
		return err
	}
	if whole {
		return c.export(ctx, paths, w)
	}
	return closure.Export(ctx, paths, w, closure.Source{Requisites: c.QueryRequisites, Export: c.export})
}

func (c *Client) export(ctx context.Context, paths []string, w io.Writer) error {
	response := new(soapwire.ExportRemoteFileResponse)
	answer, err := c.call(ctx, call{
		request: &soapwire.ExportRemoteFile{Derivation: pointers(paths)}, response: response, repeatable: true,
	})
	if err != nil {
		return err
	}
	if err := copyContent(ctx, answer, response.Return_, w); err != nil {
		return fmt.Errorf("exportRemoteFile: %w", err)
	}
	return nil
}

// copyContent writes the only content of an answer, which it closes.
func copyContent(ctx context.Context, answer *answer, content *soapwire.Content, w io.Writer) error {
	defer answer.Close()
	if content == nil {
		return errors.New("the reply has no content")
	}
	stream, err := content.Open()
	if err != nil {
		return fmt.Errorf("the reply lacks a part: %w", asText(err))
	}
	if _, err := io.CopyBuffer(w, readerOnly{stream}, make([]byte, streamBuffer)); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("receive from %s: %w", answer.url.Host, err)
	}
	return answer.finish()
}

// readerOnly has no other methods, so that the buffer is used.
type readerOnly struct{ io.Reader }

// asText makes a mistake in a reply no fault of the operation.
func asText(err error) error {
	if fault := (*soapwire.Fault)(nil); errors.As(err, &fault) {
		return errors.New(fault.Error())
	}
	return err
}

// CollectGarbage implements [service.Store].
func (c *Client) CollectGarbage(ctx context.Context, deleteOld bool) error {
	_, err := c.typed.CollectGarbageContext(ctx, &soapwire.CollectGarbage{DeleteOld: deleteOld})
	return err
}

// ImportFile makes the service import a closure that is in a file of its
// machine.
func (c *Client) ImportFile(ctx context.Context, path string) error {
	_, err := c.typed.ImportmContext(ctx, &soapwire.Importm{Closure: &path})
	return err
}

// ExportFile makes the service export a closure to a file of its machine, and
// returns the name of that.
func (c *Client) ExportFile(ctx context.Context, paths []string) (string, error) {
	response, err := c.typed.ExportContext(ctx, &soapwire.Export{Derivation: pointers(paths)})
	if err != nil {
		return "", err
	}
	if response.Return_ == nil {
		return "", errors.New("export: the reply has no result")
	}
	return *response.Return_, nil
}

// CaptureConfig implements [service.Service].
func (c *Client) CaptureConfig(ctx context.Context) (string, error) {
	response := new(soapwire.CaptureConfigResponse)
	if err := c.query(ctx, new(soapwire.CaptureConfig), response); err != nil {
		return "", err
	}
	if response.Return_ == nil {
		return "", errors.New("captureConfig: the reply has no result")
	}
	return *response.Return_, nil
}

// SetProfile implements [service.Profiles].
func (c *Client) SetProfile(ctx context.Context, profile, path string) error {
	_, err := c.typed.SetContext(ctx, &soapwire.Set{Profile: &profile, Derivation: &path})
	return err
}

// QueryInstalled implements [service.Profiles].
func (c *Client) QueryInstalled(ctx context.Context, profile string) ([]byte, error) {
	response := new(soapwire.QueryInstalledResponse)
	if err := c.query(ctx, &soapwire.QueryInstalled{Profile: &profile}, response); err != nil {
		return nil, err
	}
	manifest := []byte(strings.Join(words(response.Return_), "\n"))
	if len(bytes.TrimSpace(manifest)) == 0 {
		return nil, nil
	}
	return manifest, nil
}

// Lock implements [service.Profiles].
func (c *Client) Lock(ctx context.Context, profile string) error {
	_, err := c.typed.LockContext(ctx, &soapwire.Lock{Profile: &profile})
	return err
}

// Unlock implements [service.Profiles].
func (c *Client) Unlock(ctx context.Context, profile string) error {
	_, err := c.typed.UnlockContext(ctx, &soapwire.Unlock{Profile: &profile})
	return err
}

// number makes an xs:int.
func number(n int) (int32, error) {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%d is too large for a message", n)
	}
	return int32(n), nil
}

func pointers(values []string) []*string {
	list := make([]*string, len(values))
	for i := range values {
		list[i] = &values[i]
	}
	return list
}

// results returns the values of a list that was received.
func results(values []*string, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return words(values), nil
}

// words returns the values of a list; a null is an empty one.
func words(values []*string) []string {
	var list []string
	for _, value := range values {
		if value == nil {
			value = new(string)
		}
		list = append(list, *value)
	}
	return list
}
