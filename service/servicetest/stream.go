package servicetest

import (
	"encoding/binary"
	"io"
)

// writeStream writes a nix-store --export stream in which every path is an
// empty file without references.
func writeStream(w io.Writer, paths []string) error {
	var stream []byte
	for _, path := range paths {
		stream = number(stream, 1)
		for _, word := range []string{"nix-archive-1", "(", "type", "regular", "contents", "", ")"} {
			stream = text(stream, word)
		}
		stream = number(stream, exportMagic)
		stream = text(stream, path)
		stream = number(stream, 0) // references
		stream = text(stream, "")  // deriver
		stream = number(stream, 0) // signature
	}
	_, err := w.Write(number(stream, 0))
	return err
}

const exportMagic = 0x4558494e

func number(stream []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(stream, n) }

func text(stream []byte, s string) []byte {
	stream = append(number(stream, uint64(len(s))), s...)
	return append(stream, make([]byte, (8-len(s)%8)%8)...)
}
