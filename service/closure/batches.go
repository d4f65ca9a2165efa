package closure

import "iter"

// batchBytes bounds the paths that are given to one program: the least that
// Linux allows for arguments and environment together is 128 KiB.
const batchBytes = 64 << 10

// Batches divides paths into lists that are short enough for a command line.
// Their order is kept; repeated paths are left out.
func Batches(paths []string) iter.Seq[[]string] {
	const overhead = 9 // the terminator and the pointer
	return func(yield func([]string) bool) {
		seen := make(map[string]bool, len(paths))
		var batch []string
		size := 0
		for _, path := range paths {
			if seen[path] {
				continue
			}
			seen[path] = true
			if len(batch) > 0 && size+len(path)+overhead > batchBytes {
				if !yield(batch) {
					return
				}
				batch, size = nil, 0
			}
			batch = append(batch, path)
			size += len(path) + overhead
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// Each runs an operation on every part of the operands (paths, or other names)
// that fits on a command line, and returns what it prints without repetitions.
func Each(operands []string, run func(batch []string) ([]string, error)) ([]string, error) {
	var result []string
	seen := make(map[string]bool)
	for batch := range Batches(operands) {
		lines, err := run(batch)
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if !seen[line] {
				seen[line] = true
				result = append(result, line)
			}
		}
	}
	return result, nil
}
