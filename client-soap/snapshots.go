package soapclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/disnix-go/disnix/service/soapwire"
)

// QueryAllSnapshots implements [service.Snapshots]. What is not given is sent
// as an empty text, not as null, which the original cannot cope with.
func (c *Client) QueryAllSnapshots(ctx context.Context, container, component string) ([]string, error) {
	response := new(soapwire.QueryAllSnapshotsResponse)
	err := c.query(ctx, &soapwire.QueryAllSnapshots{Container: &container, Component: &component}, response)
	return results(response.Return_, err)
}

// QueryLatestSnapshot implements [service.Snapshots].
func (c *Client) QueryLatestSnapshot(ctx context.Context, container, component string) ([]string, error) {
	response := new(soapwire.QueryLatestSnapshotResponse)
	err := c.query(ctx, &soapwire.QueryLatestSnapshot{Container: &container, Component: &component}, response)
	return results(response.Return_, err)
}

// PrintMissingSnapshots implements [service.Snapshots].
func (c *Client) PrintMissingSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	return c.each(ctx, snapshots, func(ctx context.Context, snapshots []string) ([]string, error) {
		response := new(soapwire.PrintMissingSnapshotsResponse)
		err := c.query(ctx, &soapwire.PrintMissingSnapshots{Component: pointers(snapshots)}, response)
		return results(response.Return_, err)
	})
}

// ResolveSnapshots implements [service.Snapshots].
func (c *Client) ResolveSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	response := new(soapwire.ResolveSnapshotsResponse)
	err := c.query(ctx, &soapwire.ResolveSnapshots{Snapshots: pointers(snapshots)}, response)
	return results(response.Return_, err)
}

// RegisterSnapshots implements [service.Snapshots].
func (c *Client) RegisterSnapshots(ctx context.Context, container, component string, paths []string) error {
	_, err := c.typed.ImportSnapshotsContext(ctx, &soapwire.ImportSnapshots{Container: &container, Component: &component, Snapshots: pointers(paths)})
	return err
}

// CleanSnapshots implements [service.Snapshots].
func (c *Client) CleanSnapshots(ctx context.Context, keep int, container, component string) error {
	n, err := number(keep)
	if err != nil {
		return fmt.Errorf("cleanSnapshots: %w", err)
	}
	_, err = c.typed.CleanSnapshotsContext(ctx, &soapwire.CleanSnapshots{Keep: n, Container: orNull(container), Component: orNull(component)})
	return err
}

// orNull makes null of nothing, as the original client does.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// ImportSnapshot implements [service.Snapshots].
func (c *Client) ImportSnapshot(ctx context.Context, container, component, id string, archive io.Reader) error {
	if id == "" || id == "." || id == ".." || strings.ContainsRune(id, '/') {
		return fmt.Errorf("import snapshot: %q is not the name of a snapshot", id)
	}
	archives, err := c.findOut(ctx, soapwire.FeatureArchive)
	if err != nil {
		return err
	}
	if !archives {
		return c.importFiles(ctx, container, component, id, archive)
	}
	content := soapwire.NewContent(soapwire.ArchiveType, func(w io.Writer) error {
		_, err := io.CopyBuffer(c.reportUpload(ctx, w, "snapshot"), readerOnly{archive}, make([]byte, streamBuffer))
		return err
	})
	return c.importLocalSnapshots(ctx, soapwire.FeatureArchive, &soapwire.ImportLocalSnapshots{
		Container: &container, Component: &component, Snapshot: new("/" + id), DataHandlers: []*soapwire.Content{content},
	})
}

func (c *Client) importLocalSnapshots(ctx context.Context, features string, request *soapwire.ImportLocalSnapshots) error {
	_, err := c.call(ctx, call{request: request, response: new(soapwire.ImportLocalSnapshotsResponse), features: features, upload: true})
	return err
}

// ExportSnapshot implements [service.Snapshots].
func (c *Client) ExportSnapshot(ctx context.Context, path string, archive io.Writer) error {
	archives, err := c.findOut(ctx, soapwire.FeatureArchive)
	if err != nil {
		return err
	}
	if !archives {
		return c.exportFiles(ctx, path, archive)
	}
	answer, contents, err := c.exportRemoteSnapshots(ctx, path, soapwire.FeatureArchive)
	if err != nil {
		return err
	}
	if len(contents) != 1 {
		return errors.Join(fmt.Errorf("exportRemoteSnapshots: the reply has %d contents instead of one archive", len(contents)), answer.Close())
	}
	if err := copyContent(ctx, answer, contents[0], archive); err != nil {
		return fmt.Errorf("exportRemoteSnapshots: %w", err)
	}
	return nil
}

// exportRemoteSnapshots returns an answer that must be closed.
func (c *Client) exportRemoteSnapshots(ctx context.Context, path, features string) (*answer, []*soapwire.Content, error) {
	response := new(soapwire.ExportRemoteSnapshotsResponse)
	answer, err := c.call(ctx, call{
		request: &soapwire.ExportRemoteSnapshots{Derivation: &path}, response: response, features: features, repeatable: true,
	})
	if err != nil {
		return nil, nil, err
	}
	return answer, response.Return_, nil
}
