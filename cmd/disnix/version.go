package main

import (
	"fmt"
	"io"
)

// version is the release that this source is, or will be.
const version = "0.11.0"

func printVersion(w io.Writer, name string) {
	fmt.Fprintf(w, "%s (disnix) %s\n\nCopyright (C) 2026 The disnix-go authors\n", name, version)
}
