package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// aligned says whether rows of n elements of a 16-bit type, or of float32, that begin at
// pointers can be read 16 bytes at a time.
func aligned(n int, pointers ...uint64) bool {
	for _, p := range pointers {
		if p%16 != 0 {
			return false
		}
	}
	return n%8 == 0
}

// same panics where a length is not the one wanted.
func same(operation, what string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("cuda: %s: %s has %d elements, want %d", operation, what, got, want))
	}
}

// blocks is how many blocks of size cover n.
func blocks(n, size int) int { return (n + size - 1) / size }

// flag is a bool as kernels take it.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (d *Device) checkKV(operation string, kv engine.KV, h engine.Heads) {
	if kv.Heads != h.KV || kv.Size != h.Size || kv.K.Len != kv.Heads*kv.Tokens*kv.Size || kv.V.Len != kv.K.Len {
		panic(fmt.Sprintf("cuda: %s: keys of %d elements and values of %d as (%d, %d, %d) for %+v", operation, kv.K.Len, kv.V.Len, kv.Heads, kv.Tokens, kv.Size, h))
	}
	if h.KV <= 0 || h.Query%h.KV != 0 {
		panic(fmt.Sprintf("cuda: %s: %d query heads over %d", operation, h.Query, h.KV))
	}
	if h.Size > maxHead {
		panic(fmt.Sprintf("cuda: %s: heads of %d, at most %d are served", operation, h.Size, maxHead))
	}
}

// suffixOf is what the names of kernels for a type end with.
func suffixOf(t engine.Type) string {
	switch t {
	case engine.Float16:
		return "f16"
	case engine.BFloat16:
		return "bf16"
	}
	return "f32"
}

// hopperCard says whether kernels named *_sm90a run.
func (d *Device) hopperCard() bool { return d.card.Major == 9 && d.card.Minor == 0 }
