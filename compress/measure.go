package compress

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// What the device measures for policies.

func (o *ops) WindowScores(w int) Scores {
	h := o.layer.Heads
	held := o.held()
	if w > held || w >= o.layer.Tokens {
		panic(fmt.Sprintf("compress: window of %d, %d queries are held of %d tokens", w, held, o.layer.Tokens))
	}
	question := func(w int) string { return fmt.Sprintf("window %d", w) }
	if s, ok := o.memo[question(w)]; ok {
		return s
	}
	var dst []engine.Array
	var windows []int
	for _, x := range append([]int{w}, o.windows...) {
		if _, ok := o.memo[question(x)]; ok || x > held || x >= o.layer.Tokens || slices.Contains(windows, x) {
			continue
		}
		a, ok := o.array(engine.Float32, h.Query*(o.layer.Tokens-x))
		if !ok {
			return Scores{Rows: h.Query}
		}
		dst, windows = append(dst, a), append(windows, x)
	}
	o.device.WindowScores(dst, windows, o.source.Queries, o.source.KV, o.layer.Attention)
	for i, x := range windows {
		o.memo[question(x)] = Scores{Array: dst[i], Rows: h.Query, question: question(x)}
	}
	return o.memo[question(w)]
}

// held is how many queries prefill kept.
func (o *ops) held() int { return o.source.Queries.Len / (o.layer.Heads.Query * o.layer.Heads.Size) }

func (o *ops) Columns() Scores {
	return Scores{Array: o.source.Columns, Rows: o.layer.Heads.Query, question: "columns"}
}

// of returns the layer's keys or values.
func (o *ops) of(s State) engine.Array {
	if s == ValueState {
		return o.source.KV.V
	}
	return o.source.KV.K
}

func (o *ops) Norms(s State) Scores {
	h := o.layer.Heads
	return o.once(fmt.Sprintf("norms of %v", s), nil, h.KV, o.layer.Tokens, func(dst engine.Array) {
		o.device.RowNorms(dst, o.of(s), h.Size)
	})
}

func (o *ops) Sum(s State, weights Scores) Scores {
	h := o.layer.Heads
	return o.once(fmt.Sprintf("sum of %v by", s), []Scores{weights}, h.KV, h.Size, func(dst engine.Array) {
		o.device.WeightedRows(dst, o.of(s), weights.Array, h.Size)
	})
}

func (o *ops) Cosines(s State, vectors Scores) Scores {
	h := o.layer.Heads
	return o.once(fmt.Sprintf("cosines of %v with", s), []Scores{vectors}, h.KV, o.layer.Tokens, func(dst engine.Array) {
		o.device.RowDots(dst, o.of(s), vectors.Array, h.Size, true)
	})
}

func (o *ops) ByPosition(question string, f func(position int) float32) Scores {
	question = "position: " + question
	a, ok := o.fixed[question]
	if !ok {
		if a, ok = o.scratch(engine.Float32, o.layer.Tokens); !ok {
			return Scores{Rows: 1}
		}
		row := make([]float32, a.Len)
		for j := range row {
			row[j] = f(j)
		}
		o.device.Put(a, row)
		o.fixed[question] = a
	}
	return Scores{Array: a, Rows: 1, question: question}
}

func (o *ops) Combine(a, b Scores, how engine.Combination, factor float32) Scores {
	rows, m := max(a.Rows, b.Rows), b.Width()
	if b.Rows == 0 {
		m = a.Width()
	}
	return o.once(fmt.Sprintf("%g × %d of", factor, how), []Scores{a, b}, rows, m, func(dst engine.Array) {
		o.device.CombineScores(dst, a.Array, b.Array, rows, how, factor)
	})
}

func (o *ops) Scale(s Scores, factors []float32) Scores {
	m := s.Width()
	return o.once(fmt.Sprintf("%v × the rows of", factors), []Scores{s}, s.Rows, m, func(dst engine.Array) {
		for r, f := range factors {
			o.device.CombineScores(dst.Slice(r*m, (r+1)*m), s.Array.Slice(r*m, (r+1)*m), engine.Array{}, 1, engine.ScoresTimes, f)
		}
	})
}

func (o *ops) Totals(s Scores) []float32 {
	totals := make([]float32, s.Rows)
	// Each score is the weight of a row of one number, which is 1.
	const question = "ones"
	ones, ok := o.fixed[question]
	if !ok {
		if ones, ok = o.scratch(o.device.Type(), o.layer.Heads.KV*o.layer.Tokens); !ok {
			return totals
		}
		o.device.Put(ones, slices.Repeat([]float32{1}, ones.Len))
		o.fixed[question] = ones
	}
	sums, ok := o.scratch(engine.Float32, s.Rows)
	if !ok {
		return totals
	}
	defer o.device.Free(sums)
	o.device.WeightedRows(sums, ones, s.Array, 1)
	o.device.Get(totals, sums)
	o.failed(o.device.Sync())
	return totals
}

func (o *ops) First(s Scores, m int) Scores {
	if m == s.Width() {
		return s
	}
	return o.once(fmt.Sprintf("first %d of", m), []Scores{s}, s.Rows, m, func(dst engine.Array) {
		o.device.CombineScores(dst, s.Array, engine.Array{}, s.Rows, engine.ScoresTimes, 1)
	})
}

func (o *ops) Group(s Scores, how engine.Grouping) Scores {
	h := o.layer.Heads
	if h.Group() == 1 && how != engine.GroupAll {
		return s // one query head per KV head: nothing to reduce
	}
	return o.once(fmt.Sprintf("group %d of", how), []Scores{s}, h.KV, s.Width(), func(dst engine.Array) {
		o.device.GroupScores(dst, s.Array, h, how)
	})
}

// one reduces all rows to one.
func (o *ops) one(s Scores, how engine.Grouping) Scores {
	if s.Rows == 1 {
		return s
	}
	return o.once(fmt.Sprintf("one row %d of", how), []Scores{s}, 1, s.Width(), func(dst engine.Array) {
		o.device.GroupScores(dst, s.Array, engine.Heads{Query: s.Rows, KV: 1, Size: o.layer.Heads.Size}, how)
	})
}

func (o *ops) Average(s Scores) Scores { return o.one(s, engine.GroupMean) }

func (o *ops) Pool(s Scores, kernel int, kind engine.Pooling) Scores {
	if kernel == 1 {
		return s // a kernel of one changes nothing
	}
	return o.once(fmt.Sprintf("pool %d %d of", kernel, kind), []Scores{s}, s.Rows, s.Width(), func(dst engine.Array) {
		o.device.PoolScores(dst, s.Array, s.Rows, kernel, kind)
	})
}

func (o *ops) ChunkMeans(s Scores, size int) Scores {
	return o.once(fmt.Sprintf("means of %d of", size), []Scores{s}, s.Rows, s.Width(), func(dst engine.Array) {
		o.device.ChunkMeans(dst, s.Array, s.Rows, size)
	})
}

func (o *ops) Frame(s Scores, head, tail int, value float32) Scores {
	m := s.Width()
	return o.once(fmt.Sprintf("%d and %d of %g around", head, tail, value), []Scores{s}, s.Rows, m+tail, func(dst engine.Array) {
		fill := slices.Repeat([]float32{value}, max(head, tail))
		for r := range s.Rows {
			row := dst.Slice(r*(m+tail), (r+1)*(m+tail))
			o.device.Copy(row.Slice(0, m), s.Array.Slice(r*m, (r+1)*m))
			o.device.Put(row.Slice(0, head), fill[:head])
			o.device.Put(row.Slice(m, m+tail), fill[:tail])
		}
	})
}
