package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// A ggufBuilder writes GGUF files for the tests, valid or not.
type ggufBuilder struct {
	version uint32
	pairs   []byte
	nPairs  uint64
	infos   []byte
	nInfos  uint64
	data    []byte
	align   int
}

func newGGUF() *ggufBuilder { return &ggufBuilder{version: 3, align: 32} }

var le = binary.LittleEndian

func ggufText(s string) []byte { return append(le.AppendUint64(nil, uint64(len(s))), s...) }

// pair adds a key with a raw value.
func (b *ggufBuilder) pair(key string, typ uint32, value []byte) *ggufBuilder {
	b.pairs = append(le.AppendUint32(append(b.pairs, ggufText(key)...), typ), value...)
	b.nPairs++
	return b
}

// info adds a tensor's entry without its data; dims are row-major.
func (b *ggufBuilder) info(name string, typ uint32, offset uint64, dims ...uint64) *ggufBuilder {
	b.infos = le.AppendUint32(append(b.infos, ggufText(name)...), uint32(len(dims)))
	for i := len(dims) - 1; i >= 0; i-- {
		b.infos = le.AppendUint64(b.infos, dims[i])
	}
	b.infos = le.AppendUint64(le.AppendUint32(b.infos, typ), offset)
	b.nInfos++
	return b
}

// tensor adds an entry and its aligned data.
func (b *ggufBuilder) tensor(name string, typ uint32, data []byte, dims ...uint64) *ggufBuilder {
	for len(b.data)%b.align != 0 {
		b.data = append(b.data, 0)
	}
	infos := b.infos
	b.infos = nil
	b.info(name, typ, uint64(len(b.data)), dims...)
	b.infos = append(infos, b.infos...)
	b.data = append(b.data, data...)
	return b
}

func (b *ggufBuilder) bytes() []byte {
	out := le.AppendUint32([]byte("GGUF"), b.version)
	out = le.AppendUint64(le.AppendUint64(out, b.nInfos), b.nPairs)
	out = append(append(out, b.pairs...), b.infos...)
	for len(out)%b.align != 0 {
		out = append(out, 0)
	}
	return append(out, b.data...)
}

func floatBytes(values ...float32) []byte {
	var out []byte
	for _, v := range values {
		out = le.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// safetensorsBytes puts a header before data, and checks nothing.
func safetensorsBytes(header string, data []byte) []byte {
	return append(append(le.AppendUint64(nil, uint64(len(header))), header...), data...)
}

// write puts a file into a temporary directory.
func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// sameBits compares floats as bits, so that -0, NaN and 0 differ.
func sameBits(got, want []float32) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d values, want %d", len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			return fmt.Errorf("value %d is %v, want %v", i, got[i], want[i])
		}
	}
	return nil
}
