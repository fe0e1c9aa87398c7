package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

func ggufArrayOf(typ uint32, n uint64, elements ...[]byte) []byte {
	out := le.AppendUint64(le.AppendUint32(nil, typ), n)
	return append(out, slices.Concat(elements...)...)
}

// honestGGUF is a valid file with every kind of value and tensor that can be read.
func honestGGUF(version uint32) *ggufBuilder {
	b := newGGUF()
	b.version = version
	b.pair("u8", ggufUint8, []byte{200}).pair("i8", ggufInt8, []byte{0xff})
	b.pair("u16", ggufUint16, []byte{0, 1}).pair("i16", ggufInt16, []byte{0xfe, 0xff})
	b.pair("u32", ggufUint32, []byte{1, 0, 0, 0x80}).pair("i32", ggufInt32, []byte{0xfd, 0xff, 0xff, 0xff})
	b.pair("f32", ggufFloat32, floatBytes(0.1)).pair("bool", ggufBool, []byte{1})
	b.pair("s", ggufString, ggufText("né")).pair("u64", ggufUint64, le.AppendUint64(nil, math.MaxUint64))
	b.pair("i64", ggufInt64, le.AppendUint64(nil, math.MaxUint64))
	b.pair("f64", ggufFloat64, le.AppendUint64(nil, math.Float64bits(0.1)))
	b.pair("strings", ggufArray, ggufArrayOf(ggufString, 2, ggufText("a"), ggufText("")))
	b.pair("floats", ggufArray, ggufArrayOf(ggufFloat32, 2, floatBytes(1, -2)))
	b.pair("ints", ggufArray, ggufArrayOf(ggufInt32, 2, []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}))
	b.pair("nested", ggufArray, ggufArrayOf(ggufArray, 1, ggufArrayOf(ggufUint8, 2, []byte{1, 2})))
	b.pair("general.alignment", ggufUint32, []byte{64, 0, 0, 0})
	b.align = 64
	b.tensor("vector", 0, floatBytes(1, 2, 3), 3)
	b.tensor("half", 1, []byte{0x00, 0x3c, 0x00, 0xc0}, 2, 1)
	for _, c := range []struct {
		typ uint32
		s   engine.Storage
	}{{2, engine.Q4_0}, {3, engine.Q4_1}, {6, engine.Q5_0}, {7, engine.Q5_1}, {8, engine.Q8_0},
		{12, engine.Q4K}, {13, engine.Q5K}, {14, engine.Q6K}, {30, engine.BF16}} {
		elements, bytes := BlockSize(c.s)
		raw := make([]byte, 3*2*2*bytes)
		for i := range raw {
			raw[i] = byte(i*37+int(c.typ)) & 0x5f // halves stay finite
		}
		b.tensor(c.s.String(), c.typ, raw, 3, 2, 2*uint64(elements))
	}
	b.tensor("iq", 20, make([]byte, 18), 1, 32)
	b.tensor("index", 26, []byte{5, 0, 0, 0}, 1)
	return b
}

func TestGGUF(t *testing.T) {
	for _, version := range []uint32{2, 3} {
		b := honestGGUF(version)
		file := b.bytes()
		f, err := Open(write(t, "model.gguf", file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if n := f.Names(); len(n) != 13 || n[0] != "vector" || n[12] != "index" {
			t.Errorf("names %q", n)
		}
		v, err := f.Weight("vector", 3)
		if err != nil {
			t.Fatal(err)
		}
		if got := rowOf(v, 0); v.Rows() != 1 || !slices.Equal(got, []float32{1, 2, 3}) {
			t.Errorf("vector is %v", got)
		}
		h, err := f.Weight("half", 2, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := rowOf(h, 1); !slices.Equal(got, []float32{-2}) {
			t.Errorf("second half is %v", got)
		}
		for s := engine.BF16; s <= engine.Q6K; s++ {
			elements, bytes := BlockSize(s)
			w, err := f.Weight(s.String(), 3, 2, 2*elements)
			if err != nil {
				t.Fatal(err)
			}
			if w.Rows() != 6 || w.Cols() != 2*elements || w.Storage() != s || w.DType() != s.String() {
				t.Errorf("%s is (%d, %d) of %s", s, w.Rows(), w.Cols(), w.DType())
			}
			// Row 3 is the second row of the second of three slices.
			all, err := w.Floats()
			if err != nil {
				t.Fatal(err)
			}
			if err := sameBits(rowOf(RowSlice(w, 2, 4), 1), all[6*elements:8*elements]); err != nil {
				t.Errorf("%s: %v", s, err)
			}
			if got := len(w.RawRow(5)); got != 2*bytes {
				t.Errorf("%s: %d bytes a row", s, got)
			}
		}
		if _, err := f.Weight("iq", 1, 32); !mentions(err, `"iq"`, "IQ4_NL", "have F32") {
			t.Errorf("a weight of a type that isn't read: %v", err)
		}
		i, err := f.Tensor("index")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := i.Ints(); err != nil || got[0] != 5 {
			t.Errorf("index is %v, %v", got, err)
		}
	}
}

func TestMetadata(t *testing.T) {
	_, m, err := parseGGUF("f.gguf", honestGGUF(3).bytes())
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int64{"u8": 200, "i8": -1, "u16": 256, "i16": -2, "u32": 0x80000001, "i32": -3, "i64": -1} {
		if got, err := m.Int(key); got != want || err != nil {
			t.Errorf("%s is %d, %v; want %d", key, got, err, want)
		}
		got, err := m.Uint(key)
		if want >= 0 && (got != uint64(want) || err != nil) || want < 0 && !mentions(err, key, "whole number from 0") {
			t.Errorf("%s, unsigned, is %d, %v", key, got, err)
		}
	}
	if u, err := m.Uint("u64"); u != math.MaxUint64 || err != nil {
		t.Errorf("u64 is %d, %v", u, err)
	}
	if _, err := m.Int("u64"); !mentions(err, "18446744073709551615") {
		t.Errorf("u64, signed: %v", err)
	}
	if v, err := m.Float("f32"); v != float64(float32(0.1)) || err != nil {
		t.Errorf("f32 is %v, %v", v, err)
	}
	if v, err := m.Float("f64"); v != 0.1 || err != nil {
		t.Errorf("f64 is %v, %v", v, err)
	}
	if v, err := m.Bool("bool"); !v || err != nil {
		t.Errorf("bool is %v, %v", v, err)
	}
	if v, err := m.String("s"); v != "né" || err != nil {
		t.Errorf("s is %q, %v", v, err)
	}
	if v, err := m.Strings("strings"); !slices.Equal(v, []string{"a", ""}) || err != nil {
		t.Errorf("strings are %q, %v", v, err)
	}
	if v, err := m.Floats("floats"); !slices.Equal(v, []float32{1, -2}) || err != nil {
		t.Errorf("floats are %v, %v", v, err)
	}
	if v, err := m.Ints("ints"); !slices.Equal(v, []int64{1, -1}) || err != nil {
		t.Errorf("ints are %v, %v", v, err)
	}
	if v, err := m.Value("nested"); err != nil || !slices.Equal(v.([]any)[0].([]uint8), []uint8{1, 2}) {
		t.Errorf("nested is %v, %v", v, err)
	}
	for what, err := range map[string]error{
		`"s" is "né" (string), not a whole number`:                second(m.Int("s")),
		`"ints" holds 2 values as []int32, not a string`:          second(m.String("ints")),
		`"strings" holds 2 values as []string, not an array of`:   second(m.Ints("strings")),
		`"u8" is "200" (uint8), not a floating-point number`:      second(m.Float("u8")),
		`"floats" holds 2 values as []float32, not an array of s`: second(m.Strings("floats")),
		`"s" is "né" (string), not an array of float32`:           second(m.Floats("s")),
		`"s" is "né" (string), not true or false`:                 second(m.Bool("s")),
	} {
		if !mentions(err, "f.gguf: metadata key "+what) || errors.Is(err, ErrAbsent) {
			t.Errorf("%v; want %s", err, what)
		}
	}
	if _, err := m.String("none"); !errors.Is(err, ErrAbsent) || !mentions(err, `"none"`) {
		t.Errorf("absent: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestGGUFLies(t *testing.T) {
	four := floatBytes(1)
	patch := func(b []byte, at int, with ...byte) []byte { copy(b[at:], with); return b }
	for _, c := range []struct {
		name   string
		file   []byte
		expect string
	}{
		{"empty", nil, "byte 0: does not start with GGUF"},
		{"another file", []byte("GGML1234"), "byte 0: does not start with GGUF"},
		{"magic only", []byte("GGUF"), "4 bytes expected, 0 left"},
		{"version 1", patch(newGGUF().bytes(), 4, 1, 0, 0, 0), "byte 4: GGUF version 1: have 2, 3"},
		{"version 4", patch(newGGUF().bytes(), 4, 4, 0, 0, 0), "byte 4: GGUF version 4: have 2, 3"},
		{"big-endian", patch(newGGUF().bytes(), 4, 0, 0, 0, 3), "byte 4: big-endian GGUF (version 3)"},
		{"2^64-1 tensors", patch(newGGUF().bytes(), 8, 255, 255, 255, 255, 255, 255, 255, 255), "byte 8: 18446744073709551615 tensors in a file of 32 bytes"},
		{"2^64-1 pairs", patch(newGGUF().bytes(), 16, 255, 255, 255, 255, 255, 255, 255, 255), `metadata key "": 4 bytes expected, 0 left`},
		{"long key", newGGUF().pair("k", ggufUint8, nil).bytes()[:28], "metadata pair 1 of 1: key"},
		{"key twice", newGGUF().pair("k", ggufBool, []byte{1}).pair("k", ggufBool, []byte{1}).bytes(), `metadata key "k" twice`},
		{"bad bool", newGGUF().pair("k", ggufBool, []byte{2}).bytes(), "byte 37: metadata key \"k\": 2 is neither true"},
		{"unknown value type", newGGUF().pair("k", 13, []byte{2}).bytes(), "byte 33: metadata key \"k\": unknown value type 13"},
		{"unknown element type", newGGUF().pair("k", ggufArray, ggufArrayOf(99, 0)).bytes(), "byte 37: metadata key \"k\": unknown value type 99"},
		{"huge array", newGGUF().pair("k", ggufArray, ggufArrayOf(ggufUint8, math.MaxUint64)).bytes(), "array of 18446744073709551615 elements"},
		{"huge array of strings", newGGUF().pair("k", ggufArray, ggufArrayOf(ggufString, 1<<40)).bytes(), "array of 1099511627776 elements"},
		{"huge string", newGGUF().pair("k", ggufString, le.AppendUint64(nil, math.MaxUint64)).bytes(), `metadata key "k": string: 18446744073709551615 bytes expected`},
		{"deep arrays", newGGUF().pair("k", ggufArray, slices.Repeat(ggufArrayOf(ggufArray, 1), 6)).bytes(), "nested too deep"},
		{"alignment 0", newGGUF().pair("general.alignment", ggufUint32, make([]byte, 4)).bytes(), "general.alignment 0 is not a power of two"},
		{"alignment 48", newGGUF().pair("general.alignment", ggufUint32, []byte{48, 0, 0, 0}).bytes(), "general.alignment 48 is not a power of two"},
		{"alignment text", newGGUF().pair("general.alignment", ggufString, ggufText("8")).bytes(), "not a whole number from 0"},
		{"split", newGGUF().pair("split.count", ggufUint16, []byte{3, 0}).bytes(), "one of 3 files of a split model"},
		{"tensor twice", newGGUF().tensor("x", 0, four, 1).tensor("x", 0, four, 1).bytes(), `tensor "x" twice`},
		{"unknown type", newGGUF().tensor("x", 5, four, 1).bytes(), `tensor "x": unknown type 5`},
		{"many dimensions", newGGUF().tensor("x", 0, four, make([]uint64, 17)...).bytes(), `byte 33: tensor "x" has 17 dimensions`},
		{"overflow", newGGUF().tensor("x", 0, four, 1<<30, 1<<30, 1<<30).bytes(), "overflows at dimension 2"},
		{"large dimension", newGGUF().tensor("x", 0, four, 1<<40).bytes(), "dimension 1099511627776"},
		{"hole", newGGUF().tensor("x", 0, make([]byte, 96), 16).tensor("y", 0, make([]byte, 4), 1).bytes(), `32 bytes between tensor "x", F32 of shape [16], and tensor "y" belong to no tensor`},
		{"part of a block", newGGUF().tensor("x", 3, make([]byte, 20), 1, 33).bytes(), "rows of 33 numbers are not whole blocks of 32 (Q4_1)"},
		{"quantised scalar", newGGUF().info("x", 3, 0).bytes(), "rows of 1 numbers are not whole blocks of 32 (Q4_1)"},
		{"offset unaligned", newGGUF().info("x", 0, 4, 1).bytes(), "offset 4 is not a multiple of the alignment 32"},
		{"offset outside", newGGUF().info("x", 0, 1<<40, 1).bytes(), "4 bytes at offset 1099511627776 do not lie in the file's 0 bytes"},
		{"offset overflows", newGGUF().info("x", 0, math.MaxUint64-31, 16).bytes(), "do not lie in the file's 0 bytes"},
		{"size outside", newGGUF().tensor("x", 0, four, 2).bytes(), "8 bytes at offset 0 do not lie in the file's 4 bytes of data: cut short?"},
	} {
		path := write(t, "bad.gguf", c.file)
		if _, err := OpenGGUF(path); !mentions(err, c.expect, path) {
			t.Errorf("%s: %v; want %q", c.name, err, c.expect)
		}
	}
	b := newGGUF().tensor("x", 0, make([]byte, 64), 16)
	x := b.infos
	b.infos = nil
	b.info("y", 0, 32, 16)
	b.infos = append(x, b.infos...)
	b.data = append(b.data, make([]byte, 32)...)
	if _, _, err := parseGGUF("f", b.bytes()); !mentions(err, `tensor "y" starts here, inside of tensor "x"`) {
		t.Errorf("overlap: %v", err)
	}
}

// TestGGUFTruncated: a file that is cut anywhere is refused.
func TestGGUFTruncated(t *testing.T) {
	data := honestGGUF(3).bytes()
	for n := range data {
		if _, _, err := parseGGUF("x", data[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes pass for a file", n, len(data))
		}
	}
}

// TestSmolLM2 compares every value of the real model with gguf-py 0.19, by hashes of
// the dequantised values: float32, little-endian, tensors in the order of the file.
func TestSmolLM2(t *testing.T) {
	path := sharedtest.SmolLM2(t)
	if testing.Short() {
		t.Skip("134 million values; not with -short")
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := map[string]string{
		"F32":  "3eb9c869067fc677a752ffae22bb49683f1c65587854b241b209f74a2b8715f0",
		"Q4_1": "66b19fc7c815a36a8bac80cf7353691cdeef8f937d7ee16c38821361f0f59803",
		"Q8_0": "3fd491c8066dd9dc1a2bf6796701526c82817d95c0ecabacdef3013c2b8bbbaa",
	}
	sums := map[string]hash.Hash{}
	for _, name := range f.Names() {
		x, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		values, err := x.Floats()
		if err != nil {
			t.Fatal(err)
		}
		if sums[x.DType()] == nil {
			sums[x.DType()] = sha256.New()
		}
		buffer := make([]byte, 0, 1<<16)
		for len(values) > 0 {
			n := min(len(values), 1<<14)
			buffer = buffer[:0]
			for _, v := range values[:n] {
				buffer = le.AppendUint32(buffer, math.Float32bits(v))
			}
			sums[x.DType()].Write(buffer)
			values = values[n:]
		}
	}
	if len(sums) != len(want) {
		t.Errorf("%d types, want %d", len(sums), len(want))
	}
	for typ, sum := range sums {
		if got := hex.EncodeToString(sum.Sum(nil)); got != want[typ] {
			t.Errorf("%s: values hash to %s, want %s", typ, got, want[typ])
		}
	}
	m := f.Metadata()
	if s, err := m.String("general.architecture"); s != "llama" || err != nil {
		t.Errorf("architecture %q, %v", s, err)
	}
	if s, err := m.Strings("tokenizer.ggml.tokens"); len(s) != 49152 || err != nil {
		t.Errorf("%d tokens, %v", len(s), err)
	}
	if s, err := m.String("tokenizer.chat_template"); !strings.Contains(s, "<|im_start|>") || err != nil {
		t.Errorf("chat template %q, %v", s, err)
	}
	if types, err := m.Ints("tokenizer.ggml.token_type"); len(types) != 49152 || err != nil {
		t.Errorf("%d token types, %v", len(types), err)
	}
}

func BenchmarkOpenSmolLM2(b *testing.B) {
	path := sharedtest.SmolLM2(b)
	for b.Loop() {
		f, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

func FuzzGGUF(f *testing.F) {
	f.Add(newGGUF().bytes())
	f.Add(newGGUF().pair("k", ggufArray, ggufArrayOf(ggufArray, 1, ggufArrayOf(ggufUint8, 2, []byte{1, 2}))).bytes())
	f.Add(newGGUF().tensor("x", 3, make([]byte, 40), 2, 32).tensor("y", 26, make([]byte, 4), 1).bytes())
	f.Add(honestGGUF(2).bytes()[:600])
	f.Fuzz(func(t *testing.T, data []byte) {
		tensors, metadata, err := parseGGUF("fuzz", data)
		if err != nil {
			return
		}
		checkTensors(t, tensors, len(data))
		for _, k := range metadata.Keys() {
			v, err := metadata.Value(k)
			if err != nil {
				t.Fatal(err)
			}
			if n := arrayLen(v); n > len(data) {
				t.Fatalf("%q has %d elements in a file of %d bytes", k, n, len(data))
			}
			metadata.String(k)
			metadata.Ints(k)
			metadata.Uint(k)
		}
	})
}
