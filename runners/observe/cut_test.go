package observe_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/observe"
)

// tied is how near two of SnapKV's scores may be, as a part of the higher one, for two programs' float32 to order them
// otherwise: logits of size 10 that differ in their last bits give powers that differ by some 1e-5.
const tied = 1e-4

// layerRows is one layer of a prompt and its forced text: keys, and the queries from first on.
type layerRows struct {
	queries, keys []float32
	first, tokens int
	heads         engine.Heads
}

// rowsOf reads a text up to a layer.
func rowsOf(t *testing.T, m *models.Model, ids []int32, layer, first int) layerRows {
	t.Helper()
	d, width := m.Device(), m.QueryWidth()
	x := layerRows{first: first, tokens: len(ids), heads: m.Heads, queries: make([]float32, (len(ids)-first)*width), keys: make([]float32, len(ids)*m.KVWidth())}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	seen := false
	done, err := m.Prefill(ctx, models.Prompt{
		IDs: ids,
		Trace: models.Trace{Queries: func(at, start int, q engine.Array) {
			if skip := max(0, first-start) * width; at == layer && skip < q.Len {
				to := max(0, start-first) * width
				d.Get(x.queries[to:to+q.Len-skip], q.Slice(skip, q.Len))
			}
		},
			KV: func(at int, kv engine.KV) {
				if at == layer {
					d.Get(x.keys, kv.K)
					if err := d.Sync(); err != nil {
						t.Error(err)
					}
					seen = true
					cancel() // nothing behind it is needed
				}
			}},
	})
	if err == nil {
		done.Free()
	} else if !seen {
		t.Fatal(err)
	}
	return x
}

// row is the attention of one query of a head, in float64.
func (x layerRows) row(position, h int) []float64 {
	size := x.heads.Size
	q := x.queries[((position-x.first)*x.heads.Query+h)*size:][:size]
	keys := x.keys[h/x.heads.Group()*x.tokens*size:]
	row, highest, sum := make([]float64, position+1), math.Inf(-1), 0.0
	for j := range row {
		for i, v := range q {
			row[j] += float64(v) * float64(keys[j*size+i])
		}
		row[j] /= math.Sqrt(float64(size))
		highest = max(highest, row[j])
	}
	for j := range row {
		row[j] = math.Exp(row[j] - highest)
		sum += row[j]
	}
	for j := range row {
		row[j] /= sum
	}
	return row
}

// snap is SnapKV as a head of a cache chooses by it: its parameters, and the query heads that share the cache.
type snap struct {
	capacity, w, kernel int
	average, pooled     bool // average pooling; pooled before the query heads are put together
	members             []int
}

// cut is what a head keeps of attention. Positions of one score are taken earliest first by any program; scores that are
// tied may come in any order, and each has its share.
type cut struct {
	shares []float64
	scores []float64 // tied with the last one kept, and that one; highest first
}

// cutOf works out a choice by its definition, in float64. content leaves out sinks and the last window.
func cutOf(t *testing.T, m *models.Model, s observe.Settings, prompt, forced []int32, layer int, p snap, content bool) (c cut) {
	t.Helper()
	n := len(prompt)
	z, err := s.Sizes(n, len(forced))
	if err != nil {
		t.Fatal(err)
	}
	x := rowsOf(t, m, slices.Concat(prompt, forced), layer, n-max(p.w, z.Windows*s.Window))
	scores, generated, behind := make([]float64, n-p.w), make([]float64, n), make([]float64, n)
	var each [][]float64
	for _, h := range p.members {
		sums := x.sum(h, n-p.w, n, n-p.w)
		if p.pooled {
			sums = pool(sums, p.kernel, p.average)
		}
		each = append(each, sums)
		add(generated, x.sum(h, n, x.tokens, n))
		for i := range z.Windows - 1 {
			if start := n - (z.Windows-i)*s.Window; content {
				add(behind, x.sum(h, start, start+s.Window, start))
			}
		}
	}
	for _, sums := range each {
		add(scores, sums)
	}
	if !p.pooled {
		scores = pool(scores, p.kernel, p.average)
	}
	sorted := slices.Clone(scores)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	last := sorted[p.capacity-p.w-1]
	all, certain, left := 0.0, 0.0, p.capacity
	among := map[float64][]float64{} // the attention of tied positions, by score
	for j, a := range generated {
		if content {
			rows := 0
			for i := range z.Windows - 1 {
				if n-(z.Windows-i)*s.Window > j {
					rows += s.Window
				}
			}
			if j >= z.Prompt || rows > 0 && behind[j]/float64(rows*len(p.members)) > s.Sink {
				a = 0
			}
		}
		all += a
		switch {
		case j >= n-p.w || scores[j] > last*(1+tied):
			certain += a
			left--
		case scores[j] >= last*(1-tied):
			among[scores[j]] = append(among[scores[j]], a)
		}
	}
	c.scores = slices.Sorted(maps.Keys(among))
	slices.Reverse(c.scores)
	if len(c.scores) > mostTied {
		return c
	}
	orders(c.scores, func(order []float64) {
		kept, left := certain, left
		for _, score := range order {
			for _, a := range among[score][:min(left, len(among[score]))] {
				kept += a
				left--
			}
		}
		c.shares = append(c.shares, kept/all)
	})
	return c
}

// mostTied is how many scores may be tied for their orders to be tried: with more a difference explains nothing.
const mostTied = 4

// orders calls each with every order of a list.
func orders(list []float64, each func([]float64)) {
	if len(list) < 2 {
		each(list)
		return
	}
	for i, v := range list {
		orders(slices.Concat(list[:i], list[i+1:]), func(rest []float64) { each(append([]float64{v}, rest...)) })
	}
}

// sum adds up a head's rows lo to hi, over the first n positions.
func (x layerRows) sum(h, lo, hi, n int) []float64 {
	sums := make([]float64, n)
	for r := lo; r < hi; r++ {
		add(sums, x.row(r, h)[:n])
	}
	return sums
}

func add(to, list []float64) {
	for j, v := range list {
		to[j] += v
	}
}

// pool is the highest score within a kernel, or their mean, where there is nothing 0.
func pool(scores []float64, kernel int, average bool) []float64 {
	list := make([]float64, len(scores))
	for j := range scores {
		within := scores[max(0, j-kernel/2):min(len(scores), j+kernel/2+1)]
		if !average {
			list[j] = slices.Max(within)
			continue
		}
		for _, v := range within {
			list[j] += v / float64(kernel)
		}
	}
	return list
}

// explained says whether another order of tied scores gives a head's recorded share.
func explained(t *testing.T, m *models.Model, s observe.Settings, prompt, forced []int32, path string, want float64) bool {
	t.Helper()
	parts := strings.Split(path, "/") // "", "variants", name, "captured" or "content", layer, head
	v, err := compress.Parse(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	params, number := v.Params(), func(text string) int { n, _ := strconv.Atoi(text); return n }
	capacity, ok := v.Capacity(0, len(prompt))
	p := snap{capacity: capacity, w: number(params["w"]), kernel: number(params["k"]), average: params["pool"] == "avg", pooled: params["gqa"] == "kvpress"}
	if v.Policy() != "snapkv" || !ok || capacity <= p.w || capacity >= len(prompt) || !slices.Contains([]string{"query_head", "kv_head_mean", "kvpress"}, params["gqa"]) {
		return false
	}
	layer, h, group := number(parts[4]), number(parts[5]), m.Heads.Group()
	if p.members = []int{h}; params["gqa"] != "query_head" {
		p.members = nil
		for i := range group {
			p.members = append(p.members, h*group+i)
		}
	}
	c := cutOf(t, m, s, prompt, forced, layer, p, parts[3] == "content")
	t.Logf("%s is recorded as %.6f: the scores %.9g are within %g of each other, and in some order give %.6f", path, want, c.scores, tied, c.shares)
	return slices.ContainsFunc(c.shares, func(v float64) bool { return math.Abs(v-want) <= 5e-5 })
}

// What is worked out by the definition is what the engine keeps, and no other share is explained.
func TestCuts(t *testing.T) {
	m := tiny(t)
	q := question(t, m)
	var err error
	if q.Variants, err = compress.ParseAll("snapkv(cap=48,w=16,k=5,gqa=query_head);snapkv(cap=32,w=8,k=3,pool=avg);snapkv(cap=40,w=8,k=7,gqa=kvpress);knorm(cap=40)"); err != nil {
		t.Fatal(err)
	}
	o, err := observe.Run(t.Context(), m, small, q)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, v := range q.Variants {
		of := o.Variants[v.String()]
		for what, layers := range map[string][][]observe.Share{"captured": of.Captured, "content": of.Content} {
			layer := len(layers) - 1
			for h, share := range layers[layer] {
				path := fmt.Sprintf("/variants/%s/%s/%d/%d", v, what, layer, h)
				own, other := explained(t, m, small, q.Prompt, q.Forced, path, float64(share)), explained(t, m, small, q.Prompt, q.Forced, path, float64(share)+0.002)
				if want := v.Policy() == "snapkv"; own != want || other {
					t.Errorf("%s, %v: explained %v, and %v a share that it is not", path, share, own, other)
				}
				compared++
			}
		}
	}
	t.Logf("%d shares", compared)
}
