package weights

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// Permuted returns a view of s with its rows in another order: row i of the view
// is row rows[i] of s. It panics if rows is not a permutation of the rows of s.
func Permuted(s engine.Stored, rows []int) engine.Stored {
	if len(rows) != s.Rows() {
		panic(fmt.Sprintf("weights: %d rows to permute %s (%d, %d)", len(rows), s.Name(), s.Rows(), s.Cols()))
	}
	seen := make([]bool, len(rows))
	for _, r := range rows {
		if r < 0 || r >= len(rows) || seen[r] {
			panic(fmt.Sprintf("weights: row %d twice or outside, permuting %s (%d, %d)", r, s.Name(), s.Rows(), s.Cols()))
		}
		seen[r] = true
	}
	return permuted{s, rows}
}

type permuted struct {
	engine.Stored
	rows []int
}

func (p permuted) RawRow(i int) []byte          { return p.Stored.RawRow(p.rows[i]) }
func (p permuted) ReadRow(i int, dst []float32) { p.Stored.ReadRow(p.rows[i], dst) }

// HalvesFromPairs returns the argument rows of Permuted for the attn_q and attn_k
// of GGUF files of the Llama architecture. There the rotation pairs of a head are
// neighbouring rows. The permuted projection has the first elements of all pairs
// before the second ones, as in Hugging Face files: row h·dim + half·dim/2 + j
// comes from row h·dim + 2j + half.
func HalvesFromPairs(heads, dim int) []int {
	if dim%2 != 0 {
		panic(fmt.Sprintf("weights: heads of odd size %d have no pairs", dim))
	}
	rows := make([]int, 0, heads*dim)
	for h := range heads {
		for half := range 2 {
			for j := range dim / 2 {
				rows = append(rows, h*dim+2*j+half)
			}
		}
	}
	return rows
}

// RowSlice returns a view of rows lo to hi of s, hi excluded: one part of a fused
// projection, or one expert of a stack. It panics if s does not have these rows.
func RowSlice(s engine.Stored, lo, hi int) engine.Stored {
	if lo < 0 || hi < lo || hi > s.Rows() {
		panic(fmt.Sprintf("weights: rows %d to %d of %s (%d, %d)", lo, hi, s.Name(), s.Rows(), s.Cols()))
	}
	return rowSlice{s, lo, hi}
}

type rowSlice struct {
	engine.Stored
	lo, hi int
}

func (r rowSlice) Name() string { return fmt.Sprintf("%s[%d:%d]", r.Stored.Name(), r.lo, r.hi) }
func (r rowSlice) Rows() int    { return r.hi - r.lo }

func (r rowSlice) RawRow(i int) []byte          { return r.Stored.RawRow(r.row(i)) }
func (r rowSlice) ReadRow(i int, dst []float32) { r.Stored.ReadRow(r.row(i), dst) }

func (r rowSlice) row(i int) int {
	if i < 0 || i >= r.hi-r.lo {
		panic(fmt.Sprintf("weights: row %d of %s (%d, %d)", i, r.Name(), r.Rows(), r.Cols()))
	}
	return r.lo + i
}
