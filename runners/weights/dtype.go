package weights

import (
	"maps"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

// A layout describes a number type in a file: elements per block and bits per
// block. (Bits and not bytes, because safetensors has types of four and six.)
type layout struct {
	name     string
	elements uint64
	bits     uint64
	storage  engine.Storage
	weight   bool // storage is valid: rows can be read as float32
	integer  bool // can be read by Ints
}

func plain(name string, bits uint64) layout { return layout{name: name, elements: 1, bits: bits} }

func integer(name string, bits uint64) layout {
	return layout{name: name, elements: 1, bits: bits, integer: true}
}

func block(name string, elements, bytes uint64) layout {
	return layout{name: name, elements: elements, bits: 8 * bytes}
}

func weight(s engine.Storage) layout {
	elements, bytes := BlockSize(s)
	return layout{name: s.String(), elements: uint64(elements), bits: 8 * uint64(bytes), storage: s, weight: true}
}

// safetensorsTypes are the types of the safetensors format, version 0.6, by name.
var safetensorsTypes = byName(
	weight(engine.F32), weight(engine.F16), weight(engine.BF16),
	integer("I8", 8), integer("U8", 8), integer("I16", 16), integer("U16", 16),
	integer("I32", 32), integer("U32", 32), integer("I64", 64), integer("U64", 64),
	plain("BOOL", 8), plain("F64", 64), plain("C64", 64),
	plain("F8_E4M3", 8), plain("F8_E5M2", 8), plain("F8_E8M0", 8),
	plain("F6_E2M3", 6), plain("F6_E3M2", 6), plain("F4", 4),
)

func byName(all ...layout) map[string]layout {
	m := make(map[string]layout, len(all))
	for _, l := range all {
		m[l.name] = l
	}
	return m
}

func typeNames(m map[string]layout) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// ggufTypes are the types of GGUF by ggml's type numbers. Those that cannot be
// read as weights are listed for their sizes, so that files with such tensors can
// be checked and listed.
var ggufTypes = map[uint32]layout{
	0: weight(engine.F32), 1: weight(engine.F16), 30: weight(engine.BF16),
	2: weight(engine.Q4_0), 3: weight(engine.Q4_1),
	6: weight(engine.Q5_0), 7: weight(engine.Q5_1), 8: weight(engine.Q8_0),
	12: weight(engine.Q4K), 13: weight(engine.Q5K), 14: weight(engine.Q6K),
	39: weight(engine.MXFP4),

	9: block("Q8_1", 32, 40), 10: block("Q2_K", 256, 84), 11: block("Q3_K", 256, 110), 15: block("Q8_K", 256, 292),
	16: block("IQ2_XXS", 256, 66), 17: block("IQ2_XS", 256, 74), 18: block("IQ3_XXS", 256, 98),
	19: block("IQ1_S", 256, 50), 20: block("IQ4_NL", 32, 18), 21: block("IQ3_S", 256, 110),
	22: block("IQ2_S", 256, 82), 23: block("IQ4_XS", 256, 136), 29: block("IQ1_M", 256, 56),
	24: integer("I8", 8), 25: integer("I16", 16), 26: integer("I32", 32), 27: integer("I64", 64),
	28: plain("F64", 64),
	34: block("TQ1_0", 256, 54), 35: block("TQ2_0", 256, 66), 40: block("NVFP4", 64, 36),
	41: block("Q1_0", 128, 18),
}

// weightTypes lists the types that can be read as weights, for messages.
func weightTypes() string {
	var names []string
	for s := engine.F32; s <= engine.MXFP4; s++ {
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}
