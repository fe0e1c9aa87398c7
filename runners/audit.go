package runners

import (
	"fmt"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// AuditError says that a variant's cache does not hold what its budget says. It
// fails a run: no figure of it can be trusted.
type AuditError struct {
	Variant compress.Variant
	Layer   int
	What    string
}

func (e *AuditError) Error() string {
	return fmt.Sprintf("audit: %s, layer %d: %s", e.Variant, e.Layer, e.What)
}

// audit reads back what the device really kept for a variant and holds it
// against the variant's budget.
func audit(d engine.Device, v compress.Variant, s engine.Sequence, n int, h engine.Heads) (Kept, [][][]int32, error) {
	kept := Kept{Min: n}
	var all [][][]int32
	sum, heads := 0, 0
	for i, c := range s.Caches {
		want := v.Expect(compress.Layer{Index: i, Layers: len(s.Caches), Tokens: n, Heads: h})
		fail := func(format string, arguments ...any) error {
			return &AuditError{v, i, fmt.Sprintf(format, arguments...)}
		}
		if len(c.Len) != want.Heads {
			return kept, nil, fail("%d cache heads, want %d", len(c.Len), want.Heads)
		}
		var rows []int32
		if c.Positions.Len > 0 {
			rows = make([]int32, c.Positions.Len)
			d.GetInts(rows, c.Positions)
			if err := d.Sync(); err != nil {
				return kept, nil, err
			}
		}
		total := 0
		var positions [][]int32
		for head, length := range c.Len {
			if want.PerHead > 0 && length != want.PerHead {
				return kept, nil, fail("head %d keeps %d positions, want %d", head, length, want.PerHead)
			}
			var p []int32
			if rows != nil {
				p = rows[c.Start[head] : c.Start[head]+length]
				if err := checkPositions(p, n, want.Tail); err != "" {
					return kept, nil, fail("head %d: %s", head, err)
				}
			} else if length != n {
				return kept, nil, fail("head %d keeps %d positions and does not say which", head, length)
			}
			positions = append(positions, p)
			total += length
			kept.Min, kept.Max = min(kept.Min, length), max(kept.Max, length)
		}
		if total != want.Total {
			return kept, nil, fail("%d positions in all heads, want %d", total, want.Total)
		}
		sum += total
		heads += len(c.Len)
		all = append(all, positions)
	}
	kept.Mean = float64(sum) / float64(heads)
	return kept, all, nil
}

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

// cacheBytes is what a sequence's prompt takes, without the room behind it.
func cacheBytes(s engine.Sequence, t engine.Type) int64 {
	var bytes int64
	for _, c := range s.Caches {
		for _, length := range c.Len {
			bytes += 2 * int64(length) * int64(c.Size) * int64(t.Size())
		}
	}
	return bytes
}
