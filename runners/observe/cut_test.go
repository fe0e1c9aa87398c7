package observe_test

import (
	"context"
	"fmt"
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
		TraceQ: func(at, start int, q engine.Array) {
			if skip := max(0, first-start) * width; at == layer && skip < q.Len {
				to := max(0, start-first) * width
				d.Get(x.queries[to:to+q.Len-skip], q.Slice(skip, q.Len))
			}
		},
		TraceKV: func(at int, kv engine.KV) {
			if at == layer {
				d.Get(x.keys, kv.K)
				if err := d.Sync(); err != nil {
					t.Error(err)
				}
				seen = true
				cancel() // nothing behind it is needed
			}
		},
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

// cut is what decides the share of attention that one head keeps, and how far another order of tied scores may move it.
type cut struct {
	lo, hi  float64 // the share, over all choices among tied positions
	gap     float64 // between the last score kept and the first left out, as a part of it
	certain int     // positions above every tie
	among   int     // tied positions
}

// cutOf works out SnapKV's choice in one query head by the definition, in float64: scores are sums over the window's rows,
// then their highest within a kernel. content leaves out sinks and the last window.
func cutOf(t *testing.T, m *models.Model, s observe.Settings, prompt, forced []int32, layer, h, capacity, w, kernel int, content bool) cut {
	t.Helper()
	n := len(prompt)
	z, err := s.Sizes(n, len(forced))
	if err != nil {
		t.Fatal(err)
	}
	first := n - max(w, z.Windows*s.Window)
	x := rowsOf(t, m, slices.Concat(prompt, forced), layer, first)
	sums, generated, counts := make([]float64, n-w), make([]float64, n), make([]bool, n)
	for r := n - w; r < n; r++ {
		for j, a := range x.row(r, h)[:n-w] {
			sums[j] += a
		}
	}
	for r := n; r < x.tokens; r++ {
		for j, a := range x.row(r, h)[:n] {
			generated[j] += a
		}
	}
	for j := range counts {
		counts[j] = !content || j < z.Prompt
	}
	if content {
		behind, seen := make([]float64, n), make([]int, n)
		for i := range z.Windows - 1 {
			start := n - (z.Windows-i)*s.Window
			for r := start; r < start+s.Window; r++ {
				for j, a := range x.row(r, h)[:start] {
					behind[j] += a
				}
			}
			for j := range start {
				seen[j] += s.Window
			}
		}
		for j := range counts {
			counts[j] = counts[j] && (seen[j] == 0 || behind[j]/float64(seen[j]) <= s.Sink)
		}
	}
	scores := make([]float64, len(sums))
	for j := range sums {
		scores[j] = slices.Max(sums[max(0, j-kernel/2):min(len(sums), j+kernel/2+1)])
	}
	sorted := slices.Clone(scores)
	slices.SortFunc(sorted, func(a, b float64) int { return int(math.Copysign(1, b-a)) * btoi(a != b) })
	last := sorted[capacity-w-1]
	all, certain := 0.0, 0.0
	var c cut
	var among []float64
	for j, a := range generated {
		if !counts[j] {
			a = 0
		}
		all += a
		switch {
		case j >= n-w || scores[j] > last*(1+tied):
			certain += a
			c.certain++
		case scores[j] >= last*(1-tied):
			among = append(among, a)
		}
	}
	slices.Sort(among)
	lo, hi := certain, certain
	for i := range capacity - c.certain {
		lo, hi = lo+among[i], hi+among[len(among)-1-i]
	}
	below := slices.IndexFunc(sorted, func(v float64) bool { return v < last })
	if c.gap = math.Inf(1); below >= 0 {
		c.gap = (last - sorted[below]) / last
	}
	c.lo, c.hi, c.among = lo/all, hi/all, len(among)
	return c
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// explained says whether another order of tied scores gives a head's recorded share.
func explained(t *testing.T, m *models.Model, s observe.Settings, prompt, forced []int32, path string, want float64) bool {
	t.Helper()
	parts := strings.Split(path, "/") // "", "variants", name, "captured" or "content", layer, head
	v, err := compress.Parse(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	number := map[string]int{}
	for _, p := range v.Parameters() {
		number[p.Name], _ = strconv.Atoi(p.Text)
	}
	if params := v.Params(); v.Policy() != "snapkv" || params["gqa"] != "query_head" || params["pool"] != "max" {
		return false
	}
	capacity, ok := v.Capacity(0, len(prompt))
	layer, _ := strconv.Atoi(parts[4])
	h, _ := strconv.Atoi(parts[5])
	if !ok || capacity <= number["w"] || capacity >= len(prompt) {
		return false
	}
	c := cutOf(t, m, s, prompt, forced, layer, h, capacity, number["w"], number["k"], parts[3] == "content")
	t.Logf("%s is recorded as %.6f: with %d positions above all ties and the others among %d within %g of the last one kept it is %.6f to %.6f; the next lower score is lower by %.1e of it",
		path, want, c.certain, c.among, tied, c.lo, c.hi, c.gap)
	return want >= c.lo-5e-5 && want <= c.hi+5e-5
}

// pathOf is the place of a head's share in a record.
func pathOf(variant, what string, layer, h int) string {
	return fmt.Sprintf("/variants/%s/%s/%d/%d", variant, what, layer, h)
}
