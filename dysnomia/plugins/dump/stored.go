package dump

import (
	"encoding/binary"
	"hash/crc32"
)

// storedStream returns an xz stream with the content uncompressed, which is
// one block of LZMA2 chunks (the .xz file format 1.2, sections 2 to 5).
func storedStream(content []byte) []byte {
	const (
		largestChunk = 1 << 16
		lzma2        = 0x21
		dictionary   = 0 // 4 KiB, which nothing refers to
		firstChunk   = 1 // uncompressed, with a new dictionary
		nextChunk    = 2 // uncompressed
	)
	chunks := (len(content) + largestChunk - 1) / largestChunk
	s := make([]byte, 0, len(content)+3*chunks+80)

	flags := []byte{0, 1} // the check is CRC32
	s = append(s, 0xfd, '7', 'z', 'X', 'Z', 0)
	s = append(s, flags...)
	s = appendCRC(s, flags)

	header := []byte{2, 0, lzma2, 1, dictionary, 0, 0, 0} // 2: its size is 12 bytes
	blockStart := len(s)
	s = append(s, header...)
	s = appendCRC(s, header)
	control := byte(firstChunk)
	for rest := content; len(rest) > 0; control = nextChunk {
		part := rest[:min(len(rest), largestChunk)]
		s = append(s, control)
		s = binary.BigEndian.AppendUint16(s, uint16(len(part)-1))
		s = append(s, part...)
		rest = rest[len(part):]
	}
	s = append(s, 0)
	unpadded := len(s) - blockStart + crc32.Size
	s = pad(s, blockStart)
	s = appendCRC(s, content)

	indexStart := len(s)
	s = append(s, 0, 1)
	s = binary.AppendUvarint(s, uint64(unpadded))
	s = binary.AppendUvarint(s, uint64(len(content)))
	s = pad(s, indexStart)
	s = appendCRC(s, s[indexStart:])
	indexSize := len(s) - indexStart

	footer := binary.LittleEndian.AppendUint32(nil, uint32(indexSize/4-1))
	footer = append(footer, flags...)
	s = appendCRC(s, footer)
	s = append(s, footer...)
	return append(s, 'Y', 'Z')
}

// pad fills up to a multiple of four bytes since start.
func pad(s []byte, start int) []byte {
	for (len(s)-start)%4 != 0 {
		s = append(s, 0)
	}
	return s
}

func appendCRC(s, of []byte) []byte {
	return binary.LittleEndian.AppendUint32(s, crc32.ChecksumIEEE(of))
}
