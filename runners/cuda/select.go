package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// selection is struct Selection of kernels/select.cu.
type selection struct {
	scores, dst           uint64
	m, count, tail, first int32
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
		if s.Count < 0 || s.Count > m || s.Tail < 0 {
			panic(fmt.Sprintf("cuda: Select: %d of %d scores and a tail of %d", s.Count, m, s.Tail))
		}
		same("Select", "dst", s.Dst.Len, s.Rows*(s.Count+s.Tail))
		if s.Dst.Len == 0 {
			continue
		}
		rows = append(rows, selection{d.pointer("Select", s.Scores, engine.Float32), d.pointer("Select", s.Dst, engine.Int32),
			int32(m), int32(s.Count), int32(s.Tail), int32(total)})
		total += s.Rows
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
