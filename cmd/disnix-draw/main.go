// Command disnix-draw makes a picture from a graph in the language of Graphviz:
//
//	disnix-draw svg|png < graph > picture
//
// It is what disnix-visualize --format starts. Graphviz is part of it, in the
// form of WebAssembly, which takes too long to start for the program that all
// the other commands are in.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-graphviz"

	"github.com/disnix-go/disnix/cmd/disnix-draw/internal/nocache"
)

// All imported packages are initialised now.
var _ = nocache.Restore()

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "disnix-draw: %v\n", err)
		os.Exit(1)
	}
}

// formats are the kinds of pictures, by the names that they have on the command
// line.
var formats = map[string]graphviz.Format{"svg": graphviz.SVG, "png": graphviz.PNG}

// run writes the picture only if it is complete.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: disnix-draw svg|png < graph > picture")
	}
	format, ok := formats[args[0]]
	if !ok {
		return fmt.Errorf("unknown format %q: it must be svg or png", args[0])
	}
	graph, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read the graph: %w", err)
	}
	picture, err := draw(ctx, graph, format)
	if err != nil {
		return fmt.Errorf("draw the graph: %w", err)
	}
	if _, err := out.Write(picture); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

// draw turns a panic of the library, which is full of them, into an error.
func draw(ctx context.Context, text []byte, format graphviz.Format) (picture []byte, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("graphviz: %v", problem)
		}
	}()
	graph, err := graphviz.ParseBytes(text)
	if err != nil {
		return nil, err
	}
	if graph == nil {
		return nil, errors.New("there is none")
	}
	defer graph.Close()
	plugins, err := plugins(ctx)
	if err != nil {
		return nil, err
	}
	g, err := graphviz.NewWithPlugins(ctx, plugins...)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	var out bytes.Buffer
	if err := g.Render(ctx, graph, format, &out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
