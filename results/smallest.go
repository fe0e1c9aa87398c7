package results

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Tolerated is the drop, in scores of 0 to 1, up to which [Table.Smallest] takes a cache for small enough.
const Tolerated = 0.05

// Smallest answers how small the cache can get before the score suffers.
type Smallest struct {
	Variant string  // "" where none is small enough
	Times   float64 // its cache's bytes as a multiple of the full cache's
	Proven  bool    // the drop's interval ends within what is tolerated; else only the mean does
	Head    string  // the answer in a few words
	Text    string  // the same as a sentence, with the drop's interval
}

// Smallest finds, over the table's last line (its only task, or the average), the smallest cache whose drop is proven to be
// at most [Tolerated]; or else the smallest whose mean drop is; or else says that there is none. ok is false for a table
// without drops, or whose rows do not know their bytes.
func (t Table) Smallest() (s Smallest, ok bool) {
	if t.Caches == nil || len(t.Lines) == 0 {
		return s, false
	}
	line := t.Lines[len(t.Lines)-1]
	var order []int // of variants that are smaller than the full cache, the smallest first
	for k, c := range line.Cells {
		if c.Drop != nil && c.Drop.N > 0 && t.Caches[k].TimesFull < 1-1e-9 {
			order = append(order, k)
		}
	}
	if len(order) == 0 {
		return s, false
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := t.Caches[a].TimesFull, t.Caches[b].TimesFull; {
		case math.Abs(x-y) > 1e-6*x:
			return cmp.Compare(x, y)
		default: // of two caches of one size, the one that loses less
			return cmp.Compare(line.Cells[a].Drop.Drop, line.Cells[b].Drop.Drop)
		}
	})
	find := func(fits func(*Comparison) bool) int {
		return slices.IndexFunc(order, func(k int) bool { return fits(line.Cells[k].Drop) })
	}
	over := fmt.Sprintf("on %s", line.Name)
	if line.Average {
		over = fmt.Sprintf("on the %s tasks", line.Name)
	}
	loses := func(k int) string {
		d := line.Cells[k].Drop
		failed := ""
		if n := line.Cells[k].Failed; n > 0 {
			failed = fmt.Sprintf("; it failed in %d more", n)
		}
		return fmt.Sprintf("%s keeps %s × the bytes of the full cache and loses %s against %s %s (%d samples%s)",
			t.Labels[k], t.Caches[k], *d, t.Against(), over, d.N, failed)
	}
	if i := find(func(d *Comparison) bool { return d.Hi <= Tolerated }); i >= 0 {
		k := order[i]
		s = Smallest{Variant: t.Variants[k], Times: t.Caches[k].TimesFull, Proven: true, Head: t.Caches[k].String() + " × the full cache"}
		s.Text = fmt.Sprintf("%s: with 95 %% confidence at most %.0f.", loses(k), 100*Tolerated)
	} else if i := find(func(d *Comparison) bool { return d.Drop <= Tolerated }); i >= 0 {
		k := order[i]
		s = Smallest{Variant: t.Variants[k], Times: t.Caches[k].TimesFull, Head: "Perhaps " + t.Caches[k].String() + " × the full cache"}
		s.Text = fmt.Sprintf("%s. The interval is too wide to promise at most %.0f", loses(k), 100*Tolerated)
		if n := line.Cells[k].Drop.Needed(Tolerated, (1-confidence)/2); n > 0 {
			s.Text += fmt.Sprintf("; about %d samples would do", n)
		}
		s.Text += "."
	} else {
		k := slices.MinFunc(order, func(a, b int) int {
			return cmp.Compare(line.Cells[a].Drop.Drop, line.Cells[b].Drop.Drop)
		})
		s = Smallest{Times: math.NaN(), Head: "Not as small as any that was tried"}
		s.Text = fmt.Sprintf("Every smaller cache loses more than %.0f points. The least is lost by this one: %s.", 100*Tolerated, loses(k))
	}
	if n := len(order); n > 1 {
		s.Text += fmt.Sprintf(" It is one of %d caches that were tried; the interval is of this one alone.", n)
	}
	return s, true
}
