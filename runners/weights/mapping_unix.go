//go:build unix

package weights

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/snapbench/snapbench/inputs"
)

// A mapping is a whole file in memory, read-only.
type mapping struct{ data []byte }

func openMapping(path string) (*mapping, error) {
	f, err := inputs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	if size == 0 {
		return &mapping{}, nil // the system refuses an empty mapping; the parsers give a better error
	}
	if int64(int(size)) != size {
		return nil, fmt.Errorf("%s: %d bytes are too many to map on this machine", path, size)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: mapping %d bytes: %w", path, size, err)
	}
	return &mapping{data: data}, nil
}

func (m *mapping) close() error {
	if m.data == nil {
		return nil
	}
	err := unix.Munmap(m.data)
	m.data = nil
	return err
}
