package closure

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// exportMagic precedes the registration of a path.
const exportMagic = 0x4558494e

// longestWord bounds every string of a stream but the contents of files.
const longestWord = 1 << 20

// Paths reads a stream to its end and returns the paths that it holds.
func Paths(stream io.Reader) ([]string, error) {
	r := reader{bufio.NewReader(stream)}
	var paths []string
	for {
		more, err := r.number()
		if err != nil {
			return nil, fmt.Errorf("read closure stream: %w", err)
		}
		if more == 0 {
			return paths, nil
		}
		if more != 1 {
			return nil, errors.New("read closure stream: it is not the output of nix-store --export")
		}
		path, err := r.path()
		if err != nil {
			return nil, fmt.Errorf("read closure stream after %d paths: %w", len(paths), err)
		}
		paths = append(paths, path)
	}
}

type reader struct{ *bufio.Reader }

// path reads the archive and the registration of a path.
func (r reader) path() (string, error) {
	header, err := r.word()
	if err != nil {
		return "", err
	}
	if header != "nix-archive-1" {
		return "", errors.New("an archive has no header")
	}
	if err := r.node(); err != nil {
		return "", err
	}
	magic, err := r.number()
	if err != nil {
		return "", err
	}
	if magic != exportMagic {
		return "", errors.New("an archive is not followed by its registration")
	}
	path, err := r.word()
	if err != nil {
		return "", err
	}
	references, err := r.number()
	if err != nil {
		return "", err
	}
	for range references {
		if _, err := r.word(); err != nil {
			return "", err
		}
	}
	if _, err := r.word(); err != nil { // deriver
		return "", err
	}
	signature, err := r.number()
	if err == nil && signature == 1 {
		_, err = r.word()
	}
	return path, err
}

// node skips a file, directory or link: words between parentheses.
func (r reader) node() error {
	for depth := 0; ; {
		word, err := r.word()
		if err != nil {
			return err
		}
		switch word {
		case "(":
			depth++
		case ")":
			depth--
		case "contents":
			err = r.skip()
		case "name", "target":
			_, err = r.word()
		}
		if err != nil {
			return err
		}
		if depth == 0 {
			return nil
		}
	}
}

func (r reader) number() (uint64, error) {
	var buffer [8]byte
	if _, err := io.ReadFull(r, buffer[:]); err != nil {
		return 0, cutOff(err)
	}
	return binary.LittleEndian.Uint64(buffer[:]), nil
}

func (r reader) word() (string, error) {
	size, err := r.number()
	if err != nil {
		return "", err
	}
	if size > longestWord {
		return "", fmt.Errorf("a word of %d bytes is too long", size)
	}
	padded := make([]byte, (size+7)/8*8)
	if _, err := io.ReadFull(r, padded); err != nil {
		return "", cutOff(err)
	}
	return string(padded[:size]), nil
}

// skip passes over a string of any length.
func (r reader) skip() error {
	size, err := r.number()
	if err != nil {
		return err
	}
	const longest = 1 << 62
	if size > longest {
		return fmt.Errorf("a file of %d bytes is too long", size)
	}
	_, err = io.CopyN(io.Discard, r, int64((size+7)/8*8))
	return cutOff(err)
}

// cutOff makes the end of the input an error: it always comes too early.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
