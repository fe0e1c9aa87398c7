package compress

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// What the device selects by scores, and the little that is read back of it.

func (o *ops) Top(s Scores, sinks, count, tail int) Kept {
	rows := s.Rows
	if rows == 1 {
		rows = o.layer.Heads.KV
	}
	return o.TopEach(s, sinks, slices.Repeat([]int{count}, rows), tail)
}

// TopEach notes a selection, to be made with all others of the layer.
func (o *ops) TopEach(s Scores, sinks int, counts []int, tail int) Kept {
	question := fmt.Sprintf("%s, top %d+%v+%d", s.question, sinks, counts, tail)
	if k, ok := o.chosen[question]; ok {
		return k
	}
	k := Kept{Kept: engine.Kept{Len: make([]int, len(counts))}, Host: s.host}
	selected, total := make([]int, len(counts)), 0
	for i, count := range counts {
		selected[i] = sinks + count
		k.Len[i] = selected[i] + tail
		total += k.Len[i]
	}
	positions, ok := o.array(engine.Int32, total)
	if !ok {
		return Kept{}
	}
	k.Positions = positions
	selection := engine.Selection{Scores: s.Array, Rows: s.Rows, Counts: selected, Head: sinks, Tail: tail, Dst: positions}
	switch {
	case s.Rows == len(counts):
		o.selections = append(o.selections, selection)
	case s.Rows == 1:
		at := 0
		for i, length := range k.Len {
			selection.Counts, selection.Dst = selected[i:i+1], positions.Slice(at, at+length)
			o.selections = append(o.selections, selection)
			at += length
		}
	default:
		panic(fmt.Sprintf("compress: %d counts for %d rows of scores", len(counts), s.Rows))
	}
	o.chosen[question] = k
	return k
}

func (o *ops) Share(s Scores, sinks, count, least int) []int {
	// Rows that have fewer than they are sure of are left out with these, and the others
	// share what remains: a higher bar, under which no row rises that was below.
	var open []int
	for r := range s.Rows {
		open = append(open, r)
	}
	counts := slices.Repeat([]int{least}, s.Rows)
	for {
		above := o.above(s, sinks, open, count-least*(s.Rows-len(open)))
		var sure []int
		for i, r := range open {
			if above[i] >= least {
				sure = append(sure, r)
			}
		}
		if o.err != nil || len(sure) == len(open) {
			for i, r := range open {
				counts[r] = above[i]
			}
			return counts
		}
		open = sure
	}
}

// above returns how many of the count highest scores of the given rows together each of
// these has, the first sinks positions left aside.
func (o *ops) above(s Scores, sinks int, rows []int, count int) []int {
	counts := make([]int, len(rows))
	if count == 0 || o.err != nil {
		return counts
	}
	if len(rows) == 1 {
		counts[0] = count
		return counts
	}
	scores, m := s.Array, s.Width()-sinks
	if m != s.Width() || len(rows) != s.Rows {
		var ok bool
		if scores, ok = o.scratch(engine.Float32, len(rows)*m); !ok {
			return counts
		}
		defer o.device.Free(scores)
		for i, r := range rows {
			from := r*s.Width() + sinks
			o.device.Copy(scores.Slice(i*m, (i+1)*m), s.Array.Slice(from, from+m))
		}
	}
	for _, p := range o.highest(scores, count) {
		counts[int(p)/m]++
	}
	return counts
}

// highest reads where the count highest of all scores are, as one row.
func (o *ops) highest(scores engine.Array, count int) []int32 {
	at := make([]int32, count)
	positions, ok := o.scratch(engine.Int32, count)
	if !ok {
		return at
	}
	defer o.device.Free(positions)
	o.device.Select([]engine.Selection{{Scores: scores, Rows: 1, Count: count, Dst: positions}})
	o.device.GetInts(at, positions)
	o.failed(o.device.Sync())
	return at
}

func (o *ops) Highest(s Scores, from int) float32 {
	question := fmt.Sprintf("from %d on, %s", from, s.question)
	if high, ok := o.highs[question]; ok {
		return high
	}
	row := o.one(s, engine.GroupMax)
	if o.err != nil {
		return 0
	}
	from += int(o.highest(row.Array.Slice(from, row.Array.Len), 1)[0])
	o.highs[question] = o.numbers(row, from, from+1)[0]
	return o.highs[question]
}

func (o *ops) Among(s Scores, count, position int) bool {
	if o.err != nil {
		return false
	}
	_, found := slices.BinarySearch(o.highest(s.Array, count), int32(position))
	return found
}

func (o *ops) Part(s Scores, lo, hi int) []float32 { return o.numbers(o.Average(s), lo, hi) }

// numbers reads a part of a single row.
func (o *ops) numbers(row Scores, lo, hi int) []float32 {
	out := make([]float32, hi-lo)
	if o.err == nil && len(out) > 0 {
		o.device.Get(out, row.Array.Slice(lo, hi))
		o.failed(o.device.Sync())
	}
	return out
}

func (o *ops) Everything() Kept {
	k := Kept{Kept: engine.Kept{All: true, Len: make([]int, o.layer.Heads.KV)}}
	for i := range k.Len {
		k.Len[i] = o.layer.Tokens
	}
	return k
}

func (o *ops) Positions(heads [][]int32) Kept {
	var k Kept
	for _, h := range heads {
		k.Len = append(k.Len, len(h))
	}
	all := slices.Concat(heads...)
	a, ok := o.array(engine.Int32, len(all))
	if !ok {
		return k
	}
	o.device.PutInts(a, all)
	k.Positions = a
	return k
}

func (o *ops) Fixed(question string, f func() []int32) Kept {
	question = "positions: " + question
	heads := o.layer.Heads.KV
	a, ok := o.fixed[question]
	if !ok {
		all := slices.Repeat(f(), heads)
		if a, ok = o.scratch(engine.Int32, len(all)); !ok {
			return Kept{}
		}
		o.device.PutInts(a, all)
		o.fixed[question] = a
	}
	return Kept{Kept: engine.Kept{Positions: a, Len: slices.Repeat([]int{a.Len / heads}, heads)}}
}
