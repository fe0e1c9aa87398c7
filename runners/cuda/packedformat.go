package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// packedFormats are the numbers of the formats' keys and values in kernels/formats.h.
var packedFormats = map[string][2]int32{
	"f16": {1, 1}, "bf16": {12, 12}, "fp8_s1": {2, 2}, "fp8_tensor": {2, 2}, "fp8_head": {2, 2}, "fp8_th": {3, 3}, "int8_th": {4, 4},
	"q8_0": {5, 5}, "q4_0": {6, 6}, "q8_0_rot": {5, 5}, "q4_0_rot": {6, 6}, "nvfp4": {7, 7}, "mxfp4": {8, 8}, "int4_th": {9, 9},
	"tq_k8v4": {2, 10}, "tq_4bit_nc": {13, 10}, "tq_4bit_nc_skip": {13, 10}, "tq_k3v4_nc": {14, 10}, "tq_3bit_nc": {14, 11},
	"kivi4": {17, 15}, "kivi4_r128": {17, 15}, "kivi2": {18, 16}, "kivi2_r128": {18, 16},
}

// packSpec is Spec of kernels/formats.h.
type packSpec struct {
	keyFormat, valueFormat, keyBytes, valueBytes, keyTurn, valueTurn, residual, _ int32
	levels                                                                        [8]float32
}

func specOf(f *cacheformat.Format, size int) packSpec {
	format := packedFormats[f.Name]
	s := packSpec{keyFormat: format[0], valueFormat: format[1], keyBytes: int32(f.Key.Bytes(size)), valueBytes: int32(f.Value.Bytes(size)), residual: int32(f.Residual)}
	block := int32(size & -size)
	switch f.Name {
	case "q8_0_rot", "q4_0_rot":
		s.keyTurn, s.valueTurn = int32(cacheformat.KeyBlock(size)), int32(cacheformat.ValueBlock(size))
	case "int4_th":
		s.keyTurn, s.valueTurn = -block, -block
	}
	if levels := f.Levels(size); levels != nil {
		s.keyTurn = block // all of it: sizes are powers of two
		copy(s.levels[:], levels)
	}
	return s
}

// Quantizes has all formats; one without kernels would be refused by name.
func (d *Device) Quantizes(f *cacheformat.Format, size int) error {
	if _, ok := packedFormats[f.Name]; !ok {
		return fmt.Errorf("%s has no kernels for the cache format %s", d.Name(), f.Name)
	}
	if size > maxHead {
		return fmt.Errorf("%s: heads of %d, at most %d are served", d.Name(), size, maxHead)
	}
	return f.Fits(size)
}
