package weights

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

func TestSafetensors(t *testing.T) {
	header := `{"a":{"dtype":"F16","shape":[3],"data_offsets":[8,14]},
		"__metadata__":{"format":"pt"},
		"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},
		"empty":{"shape":[0,4],"dtype":"BF16","data_offsets":[14,14]},
		"b":{"dtype":"BF16","shape":[2,1,2],"data_offsets":[14,22]},
		"q":{"dtype":"F8_E4M3","shape":[1,2],"data_offsets":[22,24]}}   `
	var data []byte
	data = le.AppendUint64(data, 1<<31-1)
	for _, h := range []uint16{0x3c00, 0xc000, 0x0001, 0x3f80, 0xc040, 0x0000, 0x8000, 0x4142} {
		data = le.AppendUint16(data, h)
	}
	f, err := Open(write(t, "model.safetensors", safetensorsBytes(header, data)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, want := f.Names(), []string{"n", "a", "empty", "b", "q"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	if f.TotalBytes() != 24 {
		t.Errorf("%d bytes, want 24", f.TotalBytes())
	}
	if s, err := f.Metadata().String("format"); s != "pt" || err != nil {
		t.Errorf("format %q, %v", s, err)
	}
	a, err := f.Weight("a", 3)
	if err != nil {
		t.Fatal(err)
	}
	if a.Rows() != 1 || a.Cols() != 3 {
		t.Errorf("a vector is (%d, %d)", a.Rows(), a.Cols())
	}
	if got, _ := a.Floats(); sameBits(got, []float32{1, -2, 0x1p-24}) != nil {
		t.Errorf("a is %v", got)
	}
	b, err := f.Weight("b", 2, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if got := rowOf(b, 1); b.Rows() != 2 || b.Cols() != 2 || sameBits(got, []float32{0, float32(math.Copysign(0, -1))}) != nil {
		t.Errorf("b (%d, %d) has row %v", b.Rows(), b.Cols(), got)
	}
	n, _ := f.Tensor("n")
	if got, err := n.Ints(); err != nil || !slices.Equal(got, []int32{1<<31 - 1}) {
		t.Errorf("n is %v, %v", got, err)
	}
	if n.IsWeight() || !panics(func() { n.RawRow(0) }) || !panics(func() { n.Storage() }) {
		t.Error("integers pass as a weight")
	}
	if _, err := a.Ints(); err == nil {
		t.Error("halves pass as integers")
	}
	if _, err := f.Weight("q", 1, 2); !mentions(err, `"q"`, "F8_E4M3", "BF16, Q8_0") {
		t.Errorf("a weight of a type that isn't read: %v", err)
	}
	if _, err := f.Weight("b", 2, 2); !mentions(err, "[2 1 2]", "[2 2]", "model.safetensors") {
		t.Errorf("a weight of another shape: %v", err)
	}
	if _, err := f.Weight("emptied", 2, 2); !errors.Is(err, ErrAbsent) || !mentions(err, `"emptied"`, `"empty"`) {
		t.Errorf("an absent weight: %v", err)
	}
}

func mentions(err error, words ...string) bool {
	if err == nil {
		return false
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			return false
		}
	}
	return true
}

func TestInts(t *testing.T) {
	for _, c := range []struct {
		dtype string
		data  []byte
		want  []int32
		err   string
	}{
		{"I8", []byte{0xff, 0x7f}, []int32{-1, 127}, ""},
		{"U8", []byte{0xff, 0x7f}, []int32{255, 127}, ""},
		{"I16", []byte{0xff, 0xff, 0xff, 0x7f}, []int32{-1, 32767}, ""},
		{"U16", []byte{0xff, 0xff}, []int32{65535}, ""},
		{"I32", []byte{0xfe, 0xff, 0xff, 0xff}, []int32{-2}, ""},
		{"U32", []byte{1, 0, 0, 0, 0, 0, 0, 0x80}, nil, "number 1 (byte 74): 2147483648"},
		{"I64", []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, []int32{-2}, ""},
		{"I64", []byte{0, 0, 0, 0, 1, 0, 0, 0}, nil, "4294967296 does not fit"},
		{"U64", []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, nil, "does not fit"},
		{"BOOL", []byte{1}, nil, "BOOL, not integers"},
	} {
		n := len(c.data) * 8 / int(safetensorsTypes[c.dtype].bits)
		header := fmt.Sprintf(`{"x":{"dtype":%q,"shape":[%d],"data_offsets":[0,%d]}}`, c.dtype, n, len(c.data))
		header += strings.Repeat(" ", 62-len(header)) // so that the data start at byte 70
		f, err := OpenSafetensors(write(t, "x.safetensors", safetensorsBytes(header, c.data)))
		if err != nil {
			t.Fatal(err)
		}
		x, err := f.Tensor("x")
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.Ints()
		if c.err == "" && (err != nil || !slices.Equal(got, c.want)) || c.err != "" && !mentions(err, c.err) {
			t.Errorf("%s: %v, %v; want %v, %q", c.dtype, got, err, c.want, c.err)
		}
		f.Close()
	}
}

// TestSafetensorsLies: every way in which a header can be wrong, with the error.
func TestSafetensorsLies(t *testing.T) {
	const one = `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	for _, c := range []struct {
		name   string
		file   []byte
		expect string
	}{
		{"empty", nil, "byte 0: a safetensors file starts with 8 bytes"},
		{"seven bytes", make([]byte, 7), "this one has 7 bytes"},
		{"no header", make([]byte, 8), "byte 8: header does not start with {"},
		{"long header", append(le.AppendUint64(nil, 100), '{'), "byte 0: header of 100 bytes in a file of 9"},
		{"huge header", append(le.AppendUint64(nil, math.MaxUint64), '{'), "byte 0: header of 18446744073709551615 bytes; the format allows"},
		{"a pickle", []byte("PK\x03\x04and so on"), "is this a safetensors file?"},
		{"not UTF-8", safetensorsBytes("{\"\xff\":"+one+"}", make([]byte, 4)), "byte 10: header is not UTF-8"},
		{"half an object", safetensorsBytes(`{"x":`, nil), "byte 13: safetensors header"},
		{"two objects", safetensorsBytes(`{} {}`, nil), "more after the header's object"},
		{"an array", safetensorsBytes(`{"x":[]}`, nil), `tensor "x": [ where { was expected`},
		{"name twice", safetensorsBytes(`{"x":`+one+`,"x":`+one+`}`, make([]byte, 4)), `name "x" twice`},
		{"key twice", safetensorsBytes(`{"x":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), `tensor "x": "dtype" twice`},
		{"metadata twice", safetensorsBytes(`{"__metadata__":{"a":"1","a":"2"}}`, nil), `metadata key "a" twice`},
		{"metadata number", safetensorsBytes(`{"__metadata__":{"a":1}}`, nil), `metadata key "a": 1 where a string`},
		{"no dtype", safetensorsBytes(`{"x":{"shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), `tensor "x": no dtype`},
		{"no shape", safetensorsBytes(`{"x":{"dtype":"F32","data_offsets":[0,4]}}`, make([]byte, 4)), `tensor "x": no shape`},
		{"no offsets", safetensorsBytes(`{"x":{"dtype":"F32","shape":[1]}}`, make([]byte, 4)), `tensor "x": no data_offsets`},
		{"unknown dtype", safetensorsBytes(`{"x":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)), `unknown dtype "F31": have BF16, BOOL`},
		{"negative dimension", safetensorsBytes(`{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, make([]byte, 4)), "-1 is not a count"},
		{"fraction", safetensorsBytes(`{"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`, make([]byte, 4)), "1.5 is not a count"},
		{"text dimension", safetensorsBytes(`{"x":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}`, make([]byte, 4)), "1 where a number was expected"},
		{"twenty digits", safetensorsBytes(`{"x":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}`, make([]byte, 4)), "is not a count"},
		{"overflow", safetensorsBytes(`{"x":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,4]}}`, make([]byte, 4)), "overflows at dimension 2"},
		{"overflow in bytes", safetensorsBytes(`{"x":{"dtype":"F32","shape":[2147483647,2147483647,1],"data_offsets":[0,4]}}`, make([]byte, 4)), "overflow"},
		{"a large dimension", safetensorsBytes(`{"x":{"dtype":"F32","shape":[2147483648],"data_offsets":[0,4]}}`, make([]byte, 4)), "dimension 2147483648"},
		{"many dimensions", safetensorsBytes(`{"x":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}`, make([]byte, 4)), "more than 16 numbers"},
		{"half a byte", safetensorsBytes(`{"x":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}`, make([]byte, 2)), "do not fill whole bytes"},
		{"too few bytes", safetensorsBytes(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, make([]byte, 4)), "[0, 4] hold 4 bytes; shape (2) of F32 takes 8"},
		{"outside", safetensorsBytes(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 4)), "[0, 8] lie outside the file's 4 bytes of data"},
		{"backwards", safetensorsBytes(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, make([]byte, 4)), "[4, 0] lie outside"},
		{"one offset", safetensorsBytes(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0]}}`, make([]byte, 4)), "data_offsets has 1 numbers"},
		{"overlap", safetensorsBytes(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, make([]byte, 12)), `tensor "y" starts here and overlaps tensor "x"`},
		{"hole", safetensorsBytes(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, make([]byte, 12)), `tensor "y" starts here and leaves a hole after tensor "x"`},
		{"hole at the start", safetensorsBytes(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, make([]byte, 8)), "a hole after the header"},
		{"tail", safetensorsBytes(`{"x":`+one+`}`, make([]byte, 5)), `byte 66: 1 bytes follow tensor "x"`},
	} {
		path := write(t, "bad.safetensors", c.file)
		_, err := OpenSafetensors(path)
		if !mentions(err, c.expect, path) {
			t.Errorf("%s: %v; want %q", c.name, err, c.expect)
		}
	}
}

// TestSafetensorsTruncated: a file that is cut anywhere is refused.
func TestSafetensorsTruncated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := WriteSafetensors(path, []Entry{Float32Entry("x", []float32{1, 2}, 2)}, nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, _, err := parseSafetensors("x", data[:n]); err == nil {
			t.Errorf("the first %d of %d bytes pass for a file", n, len(data))
		}
	}
	if _, _, err := parseSafetensors("x", data); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := OpenSafetensors(dir); !mentions(err, dir) {
		t.Errorf("directory as a file: %v", err)
	}
	if _, err := Open(dir); !mentions(err, dir, "nor any other model file") {
		t.Errorf("empty directory: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pytorch_model.bin"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !mentions(err, `it has "pytorch_model.bin"`) {
		t.Errorf("pickled weights: %v", err)
	}
}

func TestWriteSafetensors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	entries := []Entry{
		{Name: "bytes", DType: "U8", Shape: []int{3}, Data: []byte{1, 2, 3}},
		Int32Entry("ids", []int32{-1, 7}, 2),
		Float32Entry(`a "quoted" né`, []float32{1, 2, 3, 4, 5, 6}, 2, 3),
		Float32Entry("scalar", []float32{9}),
	}
	if err := WriteSafetensors(path, entries, map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, want := f.Names(), []string{"ids", `a "quoted" né`, "scalar", "bytes"}; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	a, err := f.Weight(`a "quoted" né`, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if a.offset%4 != 0 {
		t.Errorf("float32 data at byte %d", a.offset)
	}
	if got := rowOf(a, 1); !slices.Equal(got, []float32{4, 5, 6}) {
		t.Errorf("row 1 is %v", got)
	}
	if s, err := f.Weight("scalar"); err != nil || s.Cols() != 1 || len(s.Shape()) != 0 {
		t.Errorf("scalar: %v", err)
	}
	if v, err := f.Metadata().String("k"); v != "v" || err != nil {
		t.Errorf("metadata: %q, %v", v, err)
	}
	for _, c := range []struct {
		entries []Entry
		expect  string
	}{
		{[]Entry{Float32Entry("x", []float32{1}, 2)}, `tensor "x": 4 bytes of data; shape [2] of F32 takes 8`},
		{[]Entry{{Name: "x", DType: "FP32"}}, `unknown dtype "FP32"`},
		{[]Entry{Float32Entry("x", nil, 0), Float32Entry("x", nil, 0)}, `tensor "x" twice`},
		{[]Entry{Float32Entry("x", nil, -1)}, "shape [-1]"},
		{[]Entry{Float32Entry("__metadata__", nil, 0)}, "not a name"},
	} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := WriteSafetensors(bad, c.entries, nil); !mentions(err, c.expect, bad) {
			t.Errorf("%v; want %q", err, c.expect)
		}
		if entries, _ := os.ReadDir(filepath.Dir(bad)); len(entries) != 0 {
			t.Errorf("a refused file leaves %v behind", entries)
		}
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(safetensorsBytes(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4)))
	f.Add(safetensorsBytes(`{"__metadata__":{"a":"b"},"x":{"dtype":"I16","shape":[2,1],"data_offsets":[0,4]},"y":{"dtype":"BF16","shape":[0],"data_offsets":[4,4]}}  `, make([]byte, 4)))
	f.Add(safetensorsBytes(`{"x":{"dtype":"F4","shape":[2,3],"data_offsets":[0,3]},"y":{"dtype":"F64","shape":[],"data_offsets":[3,11]}}`, make([]byte, 11)))
	f.Add(safetensorsBytes(`{"x":{"dtype":"F8_E4M3","shape":[2,3],"data_offsets":[0,6]},"y":{"dtype":"F32","shape":[1,1],"data_offsets":[6,10]}}`, []byte{1, 2, 3, 4, 127, 6, 0, 0, 0, 64}))
	f.Add(safetensorsBytes(`{"x":{"dtype":"U8","shape":[1,1,1,16],"data_offsets":[0,16]},"y":{"dtype":"U8","shape":[1,1,1],"data_offsets":[16,17]}}`, make([]byte, 17)))
	f.Fuzz(func(t *testing.T, data []byte) {
		tensors, metadata, err := parseSafetensors("fuzz", data)
		if err != nil {
			return
		}
		checkTensors(t, tensors, len(data))
		readPacked(t, tensors)
		for _, k := range metadata.Keys() {
			if _, err := metadata.String(k); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// readPacked reads as a packed weight each tensor that is one with another as its scales.
func readPacked(t *testing.T, tensors []*Tensor) {
	var f File
	if len(tensors) > 8 || f.add(tensors) != nil {
		return
	}
	for _, x := range tensors {
		for _, scales := range tensors {
			packed := []engine.Stored{}
			if s := x.shape; len(s) == 2 {
				if w, err := f.Scaled(x.name, scales.name, s[0], s[1]); err == nil {
					packed = append(packed, w)
				}
			} else if len(s) == 4 && s[0] > 0 && s[2] < 1<<20 {
				if w, err := f.Microscaled(x.name, scales.name, s[0]-1, s[0], s[1], 32*s[2]); err == nil {
					packed = append(packed, w)
				}
			}
			for _, w := range packed {
				row := make([]float32, w.Cols())
				for i := range min(w.Rows(), 4) {
					w.ReadRow(i, row)
				}
			}
		}
	}
}
