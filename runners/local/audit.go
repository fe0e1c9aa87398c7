package local

import (
	"fmt"
	"slices"
	"sync"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// AuditError says that a variant's cache does not hold what its budget says. It fails the
// run, none of whose figures can then be trusted.
type AuditError struct {
	Variant compress.Variant
	Layer   int
	What    string
}

func (e *AuditError) Error() string {
	return fmt.Sprintf("audit: %s, layer %d: %s", e.Variant, e.Layer, e.What)
}

// audited is what Audit found in one layer.
type audited struct {
	positions [][]int32 // by head
	total     int
	min, max  int
	complaint string
}

// positionRows are buffers for positions that are only checked.
var positionRows = sync.Pool{New: func() any { return new([]int32) }}

// Audit reads back what the device really kept of a prompt of n tokens for a variant, and
// checks it against the variant's budget, or the model's own window, or a state of linear attention, in layers that keep that
// whatever the variant; a difference is an *AuditError. What it tells is of the layers in which
// policies choose. Where keep is set it also returns the positions, by such layer and head. A
// layer is checked while the next one's positions are read.
func Audit(d engine.Device, m models.Config, v compress.Variant, s engine.Sequence, n int, keep bool) (runners.Kept, [][][]int32, error) {
	layers := make([]audited, len(s.Caches))
	var checking sync.WaitGroup
	defer checking.Wait()
	l := m.PolicyPlace(n, 0)
	l.Index = -1
	for i, c := range s.Caches {
		fixed := m.Fixed(i)
		if m.Linear.Has(i) {
			if got, want := c.State.Bytes(), m.Linear.StateBytes(); got != want || len(c.Len) > 0 {
				layers[i].complaint = fmt.Sprintf("a state of %d bytes beside %d cache heads, want %d bytes alone", got, len(c.Len), want)
			}
			continue
		}
		want := windowOf(m, i, n)
		if !fixed {
			l.Index++
			want = v.Expect(l)
		}
		l := l
		if len(c.Len) != want.Heads {
			layers[i].complaint = fmt.Sprintf("%d cache heads, want %d", len(c.Len), want.Heads)
			continue
		}
		var rows []int32
		done := func() {}
		if c.Positions.Len > 0 {
			if keep {
				rows = make([]int32, c.Positions.Len)
			} else {
				held := positionRows.Get().(*[]int32)
				*held = slices.Grow((*held)[:0], c.Positions.Len)[:c.Positions.Len]
				rows, done = *held, func() { positionRows.Put(held) }
			}
			d.GetInts(rows, c.Positions)
		}
		checking.Go(func() {
			layers[i] = auditLayer(c, want, rows, n)
			if layers[i].complaint == "" && rows != nil && !fixed {
				if err := v.Audit(l, layers[i].positions); err != nil {
					layers[i].complaint = err.Error()
				}
			}
			if !keep || fixed {
				layers[i].positions = nil
			}
			done()
		})
	}
	checking.Wait()
	if err := d.Sync(); err != nil {
		return runners.Kept{}, nil, err // it is the cause of what was found
	}
	kept := runners.Kept{Min: n}
	var all [][][]int32
	sum, heads := 0, 0
	every := sync.OnceValue(func() []int32 { return everyPosition(n) }) // one list for all heads: a long prompt's are large
	for i, l := range layers {
		if l.complaint != "" {
			return kept, nil, &AuditError{v, i, l.complaint}
		}
		if m.Fixed(i) {
			continue
		}
		kept.Min, kept.Max = min(kept.Min, l.min), max(kept.Max, l.max)
		sum += l.total
		heads += len(s.Caches[i].Len)
		if keep {
			for h, p := range l.positions {
				if p == nil { // all of them: the device has no list
					l.positions[h] = every()
				}
			}
			all = append(all, l.positions)
		}
	}
	kept.Mean = float64(sum) / float64(heads)
	return kept, all, nil
}

// windowOf is what a layer holds of a prompt of n tokens if it keeps the model's own window.
func windowOf(m models.Config, layer, n int) compress.Expectation {
	w := min(n, m.Windows[layer])
	return compress.Expectation{Heads: m.Heads.KV, PerHead: w, Total: m.Heads.KV * w, Tail: w}
}

// everyPosition lists all positions of a prompt of n tokens.
func everyPosition(n int) []int32 {
	p := make([]int32, n)
	for j := range p {
		p[j] = int32(j)
	}
	return p
}

// auditLayer checks a layer. rows are the positions of all its heads, nil where it holds all
// n and has no list of them.
func auditLayer(c engine.Cache, want compress.Expectation, rows []int32, n int) audited {
	l := audited{min: n}
	for head, length := range c.Len {
		if want.PerHead > 0 && length != want.PerHead {
			return audited{complaint: fmt.Sprintf("head %d keeps %d positions, want %d", head, length, want.PerHead)}
		}
		var p []int32
		if rows != nil {
			p = rows[c.Start[head] : c.Start[head]+length]
			if complaint := checkPositions(p, n, want.Tail); complaint != "" {
				return audited{complaint: fmt.Sprintf("head %d: %s", head, complaint)}
			}
		} else if length != n {
			return audited{complaint: fmt.Sprintf("head %d keeps %d positions and does not say which", head, length)}
		}
		l.positions = append(l.positions, p)
		l.total += length
		l.min, l.max = min(l.min, length), max(l.max, length)
	}
	if l.total < want.Total-want.Spread || l.total > want.Most() {
		asked := fmt.Sprint(want.Total)
		if want.Spread > 0 {
			asked += fmt.Sprintf(" ± %d", want.Spread)
		}
		return audited{complaint: fmt.Sprintf("%d positions in all heads, want %s", l.total, asked)}
	}
	return l
}

// checkPositions returns what is wrong with the positions of a head, the last tail of which
// must be the prompt's last.
func checkPositions(p []int32, n, tail int) string {
	last := int32(-1)
	for _, x := range p {
		if x <= last {
			return fmt.Sprintf("position %d follows %d", x, last)
		}
		last = x
	}
	if int(last) >= n {
		return fmt.Sprintf("position %d of a prompt of %d", last, n)
	}
	for i := range tail {
		if want := int32(n - tail + i); p[len(p)-tail+i] != want {
			return fmt.Sprintf("position %d of the window is missing", want)
		}
	}
	return ""
}

// CacheBytes is the size of what a sequence's caches hold of its prompt, without the room
// for new tokens.
func CacheBytes(s engine.Sequence, t engine.Type) (bytes int64) {
	for _, c := range s.Caches {
		bytes += c.Held(t)
	}
	return bytes
}
