package enginetest

import (
	"fmt"
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestReferenceSinks: a sink is a key that all queries see, with nothing behind it. Keys and
// queries with a number more each make the same out of a key at the front, whose product is
// the sink.
func TestReferenceSinks(t *testing.T) {
	b := newBench(t, ref.New())
	h := engine.Heads{Query: 2, KV: 2, Size: 8}
	const n, start, w = 30, 6, 4
	const scale = 0.3
	on := func(p *pair) engine.Array { return p.dev }
	sinks := b.in32([]float32{1.25, -0.5})
	by := engine.Attention{Heads: h, Scale: scale, Sinks: sinks.dev}
	kv, q := b.kv(n, h), b.in(b.normal(n*2*8))
	// The same with a number more, 1 in each query, and one key more in front.
	longer := engine.Heads{Query: 2, KV: 2, Size: 9}
	k9, v9, q9 := make([]float32, 2*(n+1)*9), make([]float32, 2*(n+1)*9), make([]float32, (n+1)*2*9)
	keys, values, queries := b.get(kv.k.dev), b.get(kv.v.dev), b.get(q.dev)
	for a := range 2 {
		k9[a*(n+1)*9+8] = []float32{1.25, -0.5}[a] / scale
		for j := range n {
			copy(k9[(a*(n+1)+j+1)*9:][:8], keys[(a*n+j)*8:])
			copy(v9[(a*(n+1)+j+1)*9:][:8], values[(a*n+j)*8:])
			copy(q9[((j+1)*2+a)*9:][:8], queries[(j*2+a)*8:])
			q9[((j+1)*2+a)*9+8] = 1
		}
	}
	plain := engine.Attention{Heads: longer, Scale: scale}
	front := kvPair{b.in(k9), b.in(v9), n + 1, longer, 0}
	qs := b.in(q9)

	out, out9 := b.out((n-start)*16), b.out((n-start)*18)
	b.dev.Attention(out.dev, q.dev.Slice(start*16, n*16), kv.on(on), start, by)
	b.dev.Attention(out9.dev, qs.dev.Slice((start+1)*18, (n+1)*18), front.on(on), start+1, plain)
	sums, sums9 := b.out32(2*n), b.out32(2*(n+1))
	b.dev.Put(sums.dev, make([]float32, 2*n))
	b.dev.Put(sums9.dev, make([]float32, 2*(n+1)))
	b.dev.ColumnSums(sums.dev, q.dev.Slice(start*16, n*16), kv.on(on), start, by)
	b.dev.ColumnSums(sums9.dev, qs.dev.Slice((start+1)*18, (n+1)*18), front.on(on), start+1, plain)
	rows, rows9 := b.out32(2*w*n), b.out32(2*w*(n+1))
	b.dev.AttentionRows(rows.dev, q.dev.Slice((n-w)*16, n*16), kv.on(on), n-w, by)
	b.dev.AttentionRows(rows9.dev, qs.dev.Slice((n+1-w)*18, (n+1)*18), front.on(on), n+1-w, plain)
	scores, scores9 := b.out32(2*(n-w)), b.out32(2*(n+1-w))
	b.dev.WindowScores([]engine.Array{scores.dev}, []int{w}, q.dev, kv.on(on), by)
	b.dev.WindowScores([]engine.Array{scores9.dev}, []int{w}, qs.dev, front.on(on), plain)
	for _, c := range []struct {
		what           string
		got, want      *pair
		rows, width    int
		skip, wantMore int // numbers at the front of a row of want, and at its end, that got lacks
	}{
		{"attention", out, out9, (n - start) * 2, 8, 0, 1}, {"column sums", sums, sums9, 2, n, 1, 0},
		{"attention rows", rows, rows9, 2 * w, n, 1, 0}, {"window scores", scores, scores9, 2, n - w, 1, 0},
	} {
		got, want := b.get(c.got.dev), b.get(c.want.dev)
		for r := range c.rows {
			wide := c.skip + c.width + c.wantMore
			if err := Compare(got[r*c.width:(r+1)*c.width], want[r*wide+c.skip:][:c.width], c.width, n, engine.Float32); err != nil {
				t.Errorf("%s: row %d: %v", c.what, r, err)
			}
		}
	}
	// Decoding over a whole cache is attention's last row.
	caches, err := b.dev.Gather(kv.on(on), []engine.Kept{{Len: []int{n, n}, All: true}}, 1)
	b.must(err)
	batch, err := b.dev.NewBatch([]engine.Sequence{{Caches: caches, Position: n}}, h)
	b.must(err)
	r := b.rotary(engine.Rotation{Frequencies: frequencies(8, 10000), Scale: 1}, n+1)(b.dev)
	qkv, q1, got := b.in(b.normal(6*8)), b.out(16), b.out(16)
	b.dev.RotateAppend(q1.dev, batch, 0, qkv.dev, r, engine.QKNorm{})
	b.dev.AttendCaches(got.dev, q1.dev, batch, 0, by)
	c := caches[0]
	want := b.out(16)
	b.dev.Attention(want.dev, q1.dev, engine.KV{K: c.K, V: c.V, Tokens: n + 1, Heads: 2, Size: 8}, n, by)
	if err := Compare(b.get(got.dev), b.get(want.dev), 16, n, engine.Float32); err != nil {
		t.Errorf("over caches: %v", err)
	}
}

// TestReferenceCap: of two keys the first has the share 1/(1+e^(b-a)), a and b their logits.
func TestReferenceCap(t *testing.T) {
	b := newBench(t, ref.New())
	h := engine.Heads{Query: 1, KV: 1, Size: 2}
	on := func(p *pair) engine.Array { return p.dev }
	kv := kvPair{b.in([]float32{1, 0, 0, 1}), b.in([]float32{1, 0, 0, 1}), 2, h, 0}
	for _, c := range []struct{ x, y, limit float64 }{{2, -1, 3}, {40, 10, 5}, {-7, 0.5, 50}, {300, 200, 30}, {1, 2, 0}} {
		q, dst := b.in([]float32{float32(c.x), float32(c.y)}), b.out32(2)
		b.dev.AttentionRows(dst.dev, q.dev, kv.on(on), 1, engine.Attention{Heads: h, Scale: 1, Cap: float32(c.limit)})
		x, y := c.x, c.y
		if c.limit > 0 {
			// tanh as the ratio of sums of powers, not the library's.
			tanh := func(v float64) float64 { return (math.Exp(v) - math.Exp(-v)) / (math.Exp(v) + math.Exp(-v)) }
			x, y = c.limit*tanh(x/c.limit), c.limit*tanh(y/c.limit)
		}
		share := 1 / (1 + math.Exp(y-x))
		if err := Compare(b.get(dst.dev), []float32{float32(share), float32(1 - share)}, 2, 1, engine.Float32); err != nil {
			t.Errorf("%+v: %v", fmt.Sprint(c), err)
		}
	}
}
