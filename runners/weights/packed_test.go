package weights

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// TestE4M3Codes: all codes against the format's definition, by hand where it turns.
func TestE4M3Codes(t *testing.T) {
	byHand := map[byte]float64{
		0x00: 0, 0x80: math.Copysign(0, -1), 0x01: 0x1p-9, 0x07: 0x7p-9, 0x08: 0x1p-6, 0x09: 0x9p-9, 0x38: 1, 0x39: 1.125, 0xb8: -1,
		0x40: 2, 0x77: 240, 0x78: 256, 0x7e: 448, 0xfe: -448,
	}
	seen := 0
	for code := range 256 {
		raw := append([]byte{byte(code)}, 0, 0, 0x80, 0x3f) // a scale of 1
		var got [1]float32
		DecodeRow(engine.E4M3, raw, got[:])
		if code&127 == 127 {
			if got[0] == got[0] {
				t.Errorf("code %#x is %v, want NaN", code, got[0])
			}
			continue
		}
		// Sign, exponent and fraction as bits of a string, read one after the other.
		value := 0.0
		exponent := code / 8 % 16
		for i, bit := range []int{code / 4 % 2, code / 2 % 2, code % 2} {
			value += float64(bit) / float64(int(2)<<i)
		}
		if exponent > 0 {
			value++
		}
		for range max(exponent, 1) {
			value *= 2
		}
		value /= 128
		if code >= 128 {
			value = -value
		}
		if float64(got[0]) != value || math.Signbit(float64(got[0])) != (code >= 128) {
			t.Errorf("code %#x is %v, want %v", code, got[0], value)
		}
		if want, ok := byHand[byte(code)]; ok {
			seen++
			if want != value {
				t.Errorf("code %#x: the test itself says %v, by hand it is %v", code, value, want)
			}
		}
	}
	if seen != len(byHand) {
		t.Errorf("%d codes were looked at by hand, want %d", seen, len(byHand))
	}
}

// stored writes a safetensors file and opens it.
func stored(t *testing.T, tensors map[string]ownTensor) *File {
	t.Helper()
	var header []string
	var data []byte
	for name, x := range tensors {
		header = append(header, fmt.Sprintf(`%q:{"dtype":%q,"shape":[%s],"data_offsets":[%d,%d]}`,
			name, x.dtype, strings.Join(strings.Fields(strings.Trim(fmt.Sprint(x.shape), "[]")), ","), len(data), len(data)+len(x.data)))
		data = append(data, x.data...)
	}
	f, err := Open(write(t, "model.safetensors", safetensorsBytes("{"+strings.Join(header, ",")+"}", data)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

type ownTensor struct {
	dtype string
	shape []int
	data  []byte
}

// TestScaled: a matrix whose numbers are all 1.5 (code 0x3c) shows its scales: for each
// block of 128 × 128, for each row, for all.
func TestScaled(t *testing.T) {
	const rows, cols = 130, 300 // two by three blocks, the last ones not whole
	codes := make([]byte, rows*cols)
	for i := range codes {
		codes[i] = 0x3c
	}
	var byRow []float32
	for r := range rows {
		byRow = append(byRow, float32(r+1))
	}
	half := []byte{0x80, 0x3f, 0x00, 0x40, 0x40, 0x40, 0x80, 0x40, 0xa0, 0x40, 0xc0, 0x40} // 1, 2, 3, 4, 5, 6 in bfloat16
	f := stored(t, map[string]ownTensor{
		"w": {"F8_E4M3", []int{rows, cols}, codes}, "other": {"F8_E5M2", []int{rows, cols}, codes},
		"blocks": {"F32", []int{2, 3}, floatBytes(1, 2, 3, 4, 5, 6)}, "half": {"BF16", []int{2, 3}, half},
		"rows": {"F32", []int{rows, 1}, floatBytes(byRow...)}, "one": {"F32", []int{1}, floatBytes(7)}, "scalar": {"F32", nil, floatBytes(7)},
		"few": {"F32", []int{3, 2}, floatBytes(1, 2, 3, 4, 5, 6)}, "nan": {"F32", []int{1}, floatBytes(float32(math.NaN()))},
	})
	block := func(r, c int) float32 { return 1.5 * float32(1+r/128*3+c/128) }
	for scales, want := range map[string]func(r, c int) float32{
		"blocks": block, "half": block, "rows": func(r, _ int) float32 { return 1.5 * float32(r+1) },
		"one": func(int, int) float32 { return 10.5 }, "scalar": func(int, int) float32 { return 10.5 },
	} {
		w, err := f.Scaled("w", scales, rows, cols)
		if err != nil {
			t.Errorf("%s: %v", scales, err)
			continue
		}
		got := make([]float32, cols)
		for r := range rows {
			w.ReadRow(r, got)
			for c, v := range got {
				if v != want(r, c) {
					t.Fatalf("%s: row %d, column %d is %v, want %v", scales, r, c, v, want(r, c))
				}
			}
		}
	}
	for _, c := range [][3]string{{"w", "few", "shape [3 2]"}, {"w", "nan", "scale 0 is NaN"}, {"w", "no", `no tensor "no"`}, {"other", "one", "F8_E5M2"}} {
		if _, err := f.Scaled(c[0], c[1], rows, cols); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s with %s: %v, want %q", c[0], c[1], err, c[2])
		}
	}
	if _, err := f.Scaled("w", "one", rows, cols+1); err == nil {
		t.Error("a shape that the file does not have is served")
	}
}

// TestMicroscaled: the hub's order of nibbles and scales. Every number of matrix m, row r,
// block b has the code of its column, so a block is 0, ½, 1, … -6 twice, times 2^(m+r+b).
func TestMicroscaled(t *testing.T) {
	const count, rows, cols = 2, 3, 64
	var blocks, scales []byte
	for m := range count {
		for r := range rows {
			for b := range cols / 32 {
				for i := range 16 {
					blocks = append(blocks, byte(2*i%16|(2*i+1)%16<<4))
				}
				scales = append(scales, byte(127+m+r+b))
			}
		}
	}
	f := stored(t, map[string]ownTensor{
		"blocks": {"U8", []int{count, rows, cols / 32, 16}, blocks}, "scales": {"U8", []int{count, rows, cols / 32}, scales},
	})
	values := []float32{0, .5, 1, 1.5, 2, 3, 4, 6}
	for m := range count {
		w, err := f.Microscaled("blocks", "scales", m, count, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, cols)
		for r := range rows {
			w.ReadRow(r, got)
			for c, v := range got {
				want := values[c%8] * float32(int(1)<<(m+r+c/32))
				if c%16 >= 8 {
					want = -want
				}
				if v != want {
					t.Fatalf("matrix %d, row %d, column %d is %v, want %v", m, r, c, v, want)
				}
			}
		}
	}
	for _, c := range []struct{ number, count, rows, cols int }{{2, 2, 3, 64}, {0, 3, 3, 64}, {0, 2, 3, 32}, {0, 2, 3, 65}} {
		if _, err := f.Microscaled("blocks", "scales", c.number, c.count, c.rows, c.cols); err == nil {
			t.Errorf("%+v is served", c)
		}
	}
}

// TestTurnedViews: every second row, and columns as rows, of a matrix whose numbers are 10·row + column.
func TestTurnedViews(t *testing.T) {
	var values []float32
	for r := range 6 {
		for c := range 4 {
			values = append(values, float32(10*r+c))
		}
	}
	f := stored(t, map[string]ownTensor{"w": {"F32", []int{6, 4}, floatBytes(values...)}})
	w, err := f.Weight("w", 6, 4)
	if err != nil {
		t.Fatal(err)
	}
	turned := Columns(w, 2, 5) // 4 rows of rows 2, 3, 4
	odd := Every(turned, 1, 2)
	if odd.Rows() != 2 || odd.Cols() != 3 {
		t.Fatalf("(%d, %d), want (2, 3)", odd.Rows(), odd.Cols())
	}
	for i, want := range [][]float32{{21, 31, 41}, {23, 33, 43}} {
		got, raw := make([]float32, 3), make([]float32, 3)
		odd.ReadRow(i, got)
		DecodeRow(odd.Storage(), odd.RawRow(i), raw)
		if sameBits(got, want) != nil || sameBits(raw, want) != nil {
			t.Errorf("row %d is %v, stored %v, want %v", i, got, raw, want)
		}
	}
}
