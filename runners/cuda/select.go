package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// selection is struct Selection of kernels/select.cu.
type selection struct {
	scores, dst                 uint64
	m, count, head, tail, first int32
	_                           int32
}

// Select answers all selections in one launch, a block a row.
func (d *Device) Select(s []engine.Selection) {
	var rows []selection
	total := 0
	for _, s := range s {
		if s.Rows <= 0 || s.Scores.Len%s.Rows != 0 {
			panic(fmt.Sprintf("cuda: Select: %d scores in %d rows", s.Scores.Len, s.Rows))
		}
		m := s.Scores.Len / s.Rows
		if s.Head < 0 || s.Head > m || s.Tail < 0 {
			panic(fmt.Sprintf("cuda: Select: a head of %d and a tail of %d, %d scores", s.Head, s.Tail, m))
		}
		if s.Counts != nil {
			same("Select", "counts", len(s.Counts), s.Rows)
		}
		for r := range s.Rows {
			if c := s.CountOf(r); c < 0 || c > m {
				panic(fmt.Sprintf("cuda: Select: %d of %d scores", c, m))
			}
		}
		same("Select", "dst", s.Dst.Len, s.Len())
		scores, dst := d.pointer("Select", s.Scores, engine.Float32), d.pointer("Select", s.Dst, engine.Int32)
		// Rows that are asked for as many are one entry of the table.
		for r := 0; r < s.Rows; {
			count, first := s.CountOf(r), r
			for r++; r < s.Rows && s.CountOf(r) == count; r++ {
			}
			if count+s.Tail > 0 {
				rows = append(rows, selection{scores: scores + 4*uint64(first*m), dst: dst, m: int32(m), count: int32(count), head: int32(s.Head), tail: int32(s.Tail), first: int32(total)})
				total += r - first
			}
			dst += 4 * uint64((r-first)*(count+s.Tail))
		}
	}
	ok := d.card.Enter("Select")
	defer d.card.Leave()
	if !ok || len(rows) == 0 {
		return
	}
	selections, done, ok := card.Table(d.card, rows)
	defer done()
	if !ok {
		return
	}
	d.card.Args(selections).Int(len(rows))
	d.card.Launch(d.card.Kernel("select", "select_highest"), total, 1, 1024, 0)
}
