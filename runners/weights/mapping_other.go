//go:build !unix

package weights

import "github.com/snapbench/snapbench/inputs"

// A mapping is a whole file in memory. On this system it is read, not mapped.
type mapping struct{ data []byte }

func openMapping(path string) (*mapping, error) {
	data, err := inputs.ReadFile(path)
	return &mapping{data: data}, err
}

func (m *mapping) close() error {
	m.data = nil
	return nil
}
