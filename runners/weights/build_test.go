package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// A ggufBuilder writes GGUF files for the tests, honest or not.
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

// info adds a tensor's entry alone; dims are row-major.
func (b *ggufBuilder) info(name string, typ uint32, offset uint64, dims ...uint64) *ggufBuilder {
	b.infos = le.AppendUint32(append(b.infos, ggufText(name)...), uint32(len(dims)))
	for i := len(dims) - 1; i >= 0; i-- {
		b.infos = le.AppendUint64(b.infos, dims[i])
	}
	b.infos = le.AppendUint64(le.AppendUint32(b.infos, typ), offset)
	b.nInfos++
	return b
}

// tensor adds an entry and its data, aligned.
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

// safetensorsBytes puts a header before data, as it is.
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

// shared returns the folder of reference data, or skips.
func shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SNAPBENCH_SHARED")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if filepath.Dir(root) == root {
				t.Fatal("no go.mod above the package")
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no reference data: %v (SNAPBENCH_SHARED names its folder)", err)
	}
	return dir
}

// smolLM2 returns the path of the real model, or skips.
func smolLM2(t testing.TB) string {
	t.Helper()
	path := os.Getenv("SNAPBENCH_SMOLLM2")
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skipf("no cache folder: %v", err)
		}
		path = filepath.Join(cache, "snapbench", "SmolLM2-135M-Instruct.Q4_1.gguf")
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no SmolLM2 file: %v (SNAPBENCH_SMOLLM2 names it)", err)
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
