package main

import (
	"context"
	"fmt"
	"io"

	"github.com/goccy/go-graphviz"
)

// drawGraph lays out a graph in the dot language and writes it as a picture.
// The library brings Graphviz with it, so nothing has to be installed.
func drawGraph(ctx context.Context, dot []byte, format string, w io.Writer) (err error) {
	g, err := graphviz.New(ctx)
	if err != nil {
		return fmt.Errorf("start graphviz: %w", err)
	}
	defer func() { _ = g.Close() }()
	graph, err := graphviz.ParseBytes(dot)
	if err != nil {
		return fmt.Errorf("read the graph: %w", err)
	}
	defer func() { _ = graph.Close() }()
	if err := g.Render(ctx, graph, graphviz.Format(format), w); err != nil {
		return fmt.Errorf("draw the graph as %s: %w", format, err)
	}
	return nil
}
