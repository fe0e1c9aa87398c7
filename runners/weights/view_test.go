package weights

import (
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

func matrix(t *testing.T, rows, cols int) engine.Stored {
	t.Helper()
	values := make([]float32, rows*cols)
	for i := range values {
		values[i] = float32(i)
	}
	e := Float32Entry("m", values, rows, cols)
	return newTensor("file", e.Name, safetensorsTypes[e.DType], []uint64{uint64(rows), uint64(cols)}, e.Data, 0)
}

func rowOf(s engine.Stored, i int) []float32 {
	row := make([]float32, s.Cols())
	s.ReadRow(i, row)
	raw := make([]float32, s.Cols())
	DecodeRow(s.Storage(), s.RawRow(i), raw)
	if !slices.Equal(row, raw) {
		panic("ReadRow and RawRow differ")
	}
	return row
}

func TestPermuted(t *testing.T) {
	m := matrix(t, 3, 2)
	p := Permuted(m, []int{2, 0, 1})
	for i, want := range [][]float32{{4, 5}, {0, 1}, {2, 3}} {
		if got := rowOf(p, i); !slices.Equal(got, want) {
			t.Errorf("row %d is %v, want %v", i, got, want)
		}
	}
	for _, rows := range [][]int{{0, 1}, {0, 1, 1}, {0, 1, 3}, {-1, 0, 1}} {
		if !panics(func() { Permuted(m, rows) }) {
			t.Errorf("Permuted with %v: no panic", rows)
		}
	}
}

// TestHalvesFromPairs: the rotation pairs (0,1), (2,3) of each head become (0,2), (1,3).
func TestHalvesFromPairs(t *testing.T) {
	got := HalvesFromPairs(2, 4)
	if want := []int{0, 2, 1, 3, 4, 6, 5, 7}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got = HalvesFromPairs(1, 8)
	if want := []int{0, 2, 4, 6, 1, 3, 5, 7}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRowSlice(t *testing.T) {
	s := RowSlice(matrix(t, 4, 2), 1, 3)
	if s.Rows() != 2 || s.Cols() != 2 || s.Name() != "m[1:3]" {
		t.Errorf("%s is (%d, %d)", s.Name(), s.Rows(), s.Cols())
	}
	if got, want := rowOf(s, 1), []float32{4, 5}; !slices.Equal(got, want) {
		t.Errorf("row 1 is %v, want %v", got, want)
	}
	for _, i := range []int{-1, 2} {
		if !panics(func() { s.RawRow(i) }) {
			t.Errorf("row %d: no panic", i)
		}
	}
	for _, c := range [][2]int{{-1, 2}, {3, 2}, {0, 5}} {
		if !panics(func() { RowSlice(matrix(t, 4, 2), c[0], c[1]) }) {
			t.Errorf("rows %v: no panic", c)
		}
	}
}
