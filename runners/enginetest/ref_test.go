package enginetest

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestRounded runs the suite on devices of the half types.
func TestRounded(t *testing.T) {
	for _, kind := range []engine.Type{engine.BFloat16, engine.Float16} {
		t.Run(kind.String(), func(t *testing.T) {
			if kind == engine.Float16 && os.Getenv("SNAPBENCH_LONG") == "" {
				t.Skip("SNAPBENCH_LONG=1 runs it")
			}
			Run(t, Rounded(kind), Options{})
		})
	}
}

// TestRounding compares Rounded's rounding with another implementation of the formats.
func TestRounding(t *testing.T) {
	b, h := Rounded(engine.BFloat16).(*rounded), Rounded(engine.Float16).(*rounded)
	rng := rand.New(rand.NewPCG(7, 8))
	for range 100_000 {
		v := float32(math.Ldexp(rng.NormFloat64(), rng.IntN(50)-30))
		if got, want := b.nearest(v), math.Float32frombits(uint32(toBFloat16(v))<<16); got != want {
			t.Fatalf("%v to bfloat16 is %v, want %v", v, got, want)
		}
		if got := h.nearest(v); math.Abs(float64(v)) < 65504 && got != fromHalf(toHalf(v)) {
			t.Fatalf("%v to float16 is %v, want %v", v, got, fromHalf(toHalf(v)))
		}
	}
	inf := float32(math.Inf(1))
	for v, want := range map[float32]float32{65519: 65504, 65520: inf, -1e6: -inf, inf: inf, 0x1p-25: 0, 0x1.8p-25: 0x1p-24} {
		if got := h.nearest(v); got != want {
			t.Errorf("%v to float16 is %v, want %v", v, got, want)
		}
	}
	if v := b.nearest(float32(math.NaN())); v == v {
		t.Error("NaN to bfloat16 is a number")
	}
}

// The tests below hold the reference itself to the formulas, written in another way.

func TestReferenceAttention(t *testing.T) {
	b := newBench(t, ref.New())
	h := engine.Heads{Query: 4, KV: 2, Size: 8}
	const n, start, m = 40, 7, 33
	kv := b.kv(n, h)
	q, out := b.in(b.normal(m*32)), b.out(m*32)
	for _, window := range []int{0, 1, 5, 100} {
		b.dev.Attention(out.dev, q.dev, kv.on(func(p *pair) engine.Array { return p.dev }), start, engine.Attention{Heads: h, Window: window, Scale: 0.3})
		got := b.get(out.dev)
		for i := range m {
			for a := range h.Query {
				// The whole row of probabilities, hidden keys as e^-∞ = 0, without
				// subtracting the maximum.
				p, total := make([]float64, n), 0.0
				for j := range n {
					if j > start+i || window > 0 && j <= start+i-window {
						continue
					}
					s := 0.0
					for c := range 8 {
						s += float64(q.input[(i*4+a)*8+c]) * float64(kv.k.input[(a/2*n+j)*8+c])
					}
					p[j] = math.Exp(0.3 * s)
					total += p[j]
				}
				for c := range 8 {
					want := 0.0
					for j := range n {
						want += p[j] / total * float64(kv.v.input[(a/2*n+j)*8+c])
					}
					if diff := math.Abs(want - float64(got[(i*4+a)*8+c])); !(diff <= 1e-6) {
						t.Fatalf("window %d, row %d, head %d: off by %v", window, i, a, diff)
					}
				}
			}
		}
	}
}

// TestReferenceAttentionRows adds rows up to what window scores and column sums say, and counts and sorts them.
func TestReferenceAttentionRows(t *testing.T) {
	b := newBench(t, ref.New())
	h := engine.Heads{Query: 4, KV: 2, Size: 8}
	const n, m, columns = 50, 6, 44
	kv := b.kv(n, h)
	on := func(p *pair) engine.Array { return p.dev }
	q, rows, scores := b.in(b.normal(m*32)), b.out32(4*m*columns), b.out32(4*(n-m))
	b.dev.AttentionRows(rows.dev, q.dev, kv.on(on), n-m, engine.Attention{Heads: h, Scale: 0.3})
	b.dev.WindowScores([]engine.Array{scores.dev}, []int{m}, q.dev, kv.on(on), engine.Attention{Heads: h, Scale: 0.3})
	counts, highest := b.out32(4*columns), b.out32(4*m)
	b.dev.CountAbove(counts.dev, rows.dev, 4, 0.02)
	b.dev.HighestSums(highest.dev, rows.dev, []int{1, 1, columns, columns})
	got, want, above, high := b.get(rows.dev), b.get(scores.dev), b.get(counts.dev), b.get(highest.dev)
	for a := range h.Query {
		for j := range columns {
			sum, count := 0.0, float32(0)
			for i := range m {
				v := got[(a*m+i)*columns+j]
				if sum += float64(v); v > 0.02 {
					count++
				}
			}
			if x := want[a*(n-m)+j]; !(math.Abs(sum-float64(x)) <= 1e-6) || above[a*columns+j] != count {
				t.Fatalf("head %d, key %d: rows add up to %v, want %v; %v above, want %v", a, j, sum, x, above[a*columns+j], count)
			}
		}
		for i := range m {
			row := got[(a*m+i)*columns:][:columns]
			x := 0.0
			for _, v := range row {
				if x += float64(v); a < 2 {
					x = float64(slices.Max(row))
				}
			}
			if !(math.Abs(x-float64(high[a*m+i])) <= 1e-6) {
				t.Errorf("head %d, row %d: the highest sum to %v, want %v", a, i, high[a*m+i], x)
			}
		}
	}
}

// TestReferenceWindowScores compares scores with what attention gives each key.
func TestReferenceWindowScores(t *testing.T) {
	b := newBench(t, ref.New())
	h := engine.Heads{Query: 4, KV: 2, Size: 8}
	const n, w = 50, 6
	kv := b.kv(n, h)
	on := func(p *pair) engine.Array { return p.dev }
	q := b.in(b.normal(w * 32))
	dst := b.out32(4 * (n - w))
	b.dev.WindowScores([]engine.Array{dst.dev}, []int{w}, q.dev, kv.on(on), engine.Attention{Heads: h, Scale: 0.3})
	got := b.get(dst.dev)
	// With values that are 1 at one key and 0 elsewhere, attention returns that key's
	// probability.
	for _, j := range []int{0, 17, n - w - 1} {
		v := make([]float32, 2*n*8)
		for g := range 2 {
			v[(g*n+j)*8] = 1
		}
		ones, out := b.in(v), b.out(w*32)
		one := kvPair{kv.k, ones, n, h, 0}
		b.dev.Attention(out.dev, q.dev, one.on(on), n-w, engine.Attention{Heads: h, Scale: 0.3})
		o := b.get(out.dev)
		for a := range h.Query {
			want := 0.0
			for i := range w {
				want += float64(o[(i*4+a)*8])
			}
			if diff := math.Abs(want - float64(got[a*(n-w)+j])); !(diff <= 1e-6) {
				t.Errorf("head %d, key %d: %v, want %v", a, j, got[a*(n-w)+j], want)
			}
		}
	}
}

// TestReferenceSelect counts instead of sorting: a position is chosen if fewer
// than count others come before it.
func TestReferenceSelect(t *testing.T) {
	b := newBench(t, ref.New())
	rng := rand.New(rand.NewPCG(5, 6))
	const m = 60
	v := make([]float32, m)
	for i := range v {
		v[i] = []float32{0, 1, 2, float32(math.NaN()), float32(math.Inf(-1))}[rng.IntN(5)]
	}
	before := func(i, j int) bool { // i is chosen before j
		a, c := v[i], v[j]
		if a != a || c != c {
			return a == a && c != c || (a != a) == (c != c) && i < j
		}
		return a > c || a == c && i < j
	}
	src := b.pair(engine.Float32, m)
	b.dev.Put(src.dev, v)
	for count := range m + 1 {
		dst := b.outInts(count + 3)
		b.dev.Select([]engine.Selection{{Scores: src.dev, Rows: 1, Count: count, Tail: 3, Dst: dst.dev}})
		var want []int32
		for j := range m {
			n := 0
			for i := range m {
				if i != j && before(i, j) {
					n++
				}
			}
			if n < count {
				want = append(want, int32(j))
			}
		}
		want = append(want, m, m+1, m+2)
		for i, g := range b.getInts(dst.dev) {
			if g != want[i] {
				t.Fatalf("count %d: position %d is %d, want %d", count, i, g, want[i])
			}
		}
	}
}

// TestReferenceRotation: the product of a turned query and a turned key depends on the
// distance of their positions only.
func TestReferenceRotation(t *testing.T) {
	b := newBench(t, ref.New())
	h := engine.Heads{Query: 1, KV: 1, Size: 16}
	r := b.rotary(engine.Rotation{Frequencies: frequencies(16, 10000), Scale: 1}, 100)(b.dev)
	one := b.normal(16 * 3)
	dot := func(start, m int) []float64 {
		// The same projections at every position; q at the last, k at each.
		var x []float32
		for range m {
			x = append(x, one...)
		}
		n := start + m
		in, q, k, v := b.in(x), b.out(m*16), b.out(n*16), b.out(n*16)
		b.dev.Rotate(q.dev, engine.KV{K: k.dev, V: v.dev, Tokens: n, Heads: 1, Size: 16}, in.dev, start, h, r, engine.QKNorm{})
		qs, ks := b.get(q.dev), b.get(k.dev)
		var out []float64
		for j := start; j < n; j++ {
			s := 0.0
			for c := range 16 {
				s += float64(qs[(m-1)*16+c]) * float64(ks[j*16+c])
			}
			out = append(out, s)
		}
		return out
	}
	a, c := dot(0, 20), dot(60, 20)
	for i := range a {
		if diff := math.Abs(a[i] - c[i]); !(diff <= 1e-4) {
			t.Errorf("distance %d: %v at 0, %v at 60", 19-i, a[i], c[i])
		}
	}
	if !(math.Abs(a[0]-a[19]) > 1e-3) {
		t.Error("the product does not depend on the distance")
	}
}

// TestReferencePartialRotation: pairs are (i, i+r/2) of the first r numbers, the amplitude
// is theirs alone, and later positions have their own frequencies.
func TestReferencePartialRotation(t *testing.T) {
	b := newBench(t, ref.New())
	h := engine.Heads{Query: 1, KV: 1, Size: 6}
	r, err := b.dev.NewRotary(engine.Rotation{Frequencies: []float32{0.5, 0.25}, Scale: 2, Later: []float32{1, 0.125}, From: 3}, 10)
	b.must(err)
	for _, c := range []struct {
		position int
		f        [2]float64
	}{{2, [2]float64{0.5, 0.25}}, {3, [2]float64{1, 0.125}}, {4, [2]float64{1, 0.125}}} {
		in := b.in([]float32{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6})
		q, k, v := b.out(6), b.out(6*5), b.out(6*5)
		b.dev.Rotate(q.dev, engine.KV{K: k.dev, V: v.dev, Tokens: 5, Heads: 1, Size: 6}, in.dev, c.position, h, r, engine.QKNorm{})
		var want [6]float64
		for i, pair := range [][2]float64{{1, 3}, {2, 4}} {
			sin, cos := math.Sincos(float64(c.position) * c.f[i])
			want[i], want[i+2] = 2*(pair[0]*cos-pair[1]*sin), 2*(pair[1]*cos+pair[0]*sin)
		}
		want[4], want[5] = 5, 6
		for name, got := range map[string][]float32{"q": b.get(q.dev), "k": b.get(k.dev)[c.position*6:]} {
			for i := range want {
				if !(math.Abs(float64(got[i])-want[i]) < 1e-5) {
					t.Errorf("position %d: %s[%d] is %g, want %g", c.position, name, i, got[i], want[i])
				}
			}
		}
	}
}

// TestReferenceDecode: decoding a prompt's last token over a full cache is
// attention's last row.
func TestReferenceDecode(t *testing.T) {
	b := newBench(t, ref.New())
	h := engine.Heads{Query: 4, KV: 2, Size: 8}
	const n = 30
	r := b.rotary(engine.Rotation{Frequencies: frequencies(8, 10000), Scale: 1}, n+1)(b.dev)
	on := func(p *pair) engine.Array { return p.dev }
	x := b.in(b.normal((n + 1) * 64))
	q, k, v := b.out((n+1)*32), b.out(2*(n+1)*8), b.out(2*(n+1)*8)
	whole := kvPair{k, v, n + 1, h, 0}.on(on)
	b.dev.Rotate(q.dev, whole, x.dev, 0, h, r, engine.QKNorm{})
	out := b.out((n + 1) * 32)
	b.dev.Attention(out.dev, q.dev, whole, 0, engine.Attention{Heads: h, Scale: 0.3})
	want := b.get(out.dev)[n*32:]

	k2, v2, q2 := b.out(2*n*8), b.out(2*n*8), b.out(n*32)
	prompt := kvPair{k2, v2, n, h, 0}.on(on)
	b.dev.Rotate(q2.dev, prompt, x.dev.Slice(0, n*64), 0, h, r, engine.QKNorm{})
	caches, err := b.dev.Gather(prompt, []engine.Kept{{Len: []int{n, n}, All: true}}, 1)
	b.must(err)
	batch, err := b.dev.NewBatch([]engine.Sequence{{Caches: caches, Position: n}}, h)
	b.must(err)
	q3, got := b.out(32), b.out(32)
	b.dev.RotateAppend(q3.dev, batch, 0, x.dev.Slice(n*64, (n+1)*64), r, engine.QKNorm{})
	b.dev.AttendCaches(got.dev, q3.dev, batch, 0, engine.Attention{Heads: h, Scale: 0.3})
	if err := Compare(b.get(got.dev), want, 32, n, engine.Float32); err != nil {
		t.Error(err)
	}
}

// TestReferenceDivergence: KL of two distributions of two outcomes, by hand.
func TestReferenceDivergence(t *testing.T) {
	b := newBench(t, ref.New())
	logits, dst := b.in32([]float32{0, 0, float32(math.Log(3)), 0}), b.out32(1)
	b.dev.Divergence(dst.dev, logits.dev, 2, []int{0}, []int{1})
	want := 0.5*math.Log(0.5/0.75) + 0.5*math.Log(0.5/0.25)
	if diff := math.Abs(float64(b.get(dst.dev)[0]) - want); !(diff <= 1e-7) {
		t.Errorf("off by %v from %v", diff, want)
	}
}

// TestReferenceNorm: SwiGLU, the other activations and RMSNorm of numbers that can be checked by eye.
func TestReferenceNorm(t *testing.T) {
	b := newBench(t, ref.New())
	x, g, dst := b.in([]float32{3, -4, 0, 0}), b.in32([]float32{1, 2, 1, 1}), b.out(4)
	b.dev.RMSNorm(dst.dev, x.dev, g.dev, 0)
	if err := Compare(b.get(dst.dev), []float32{1.2, -3.2, 0, 0}, 4, 1, engine.Float32); err != nil {
		t.Error(err)
	}
	gu, out := b.in([]float32{float32(math.Log(3)), 0, 8, 5}), b.out(2)
	b.dev.Gate(out.dev, gu.dev, 2, engine.Activation{})
	if err := Compare(b.get(out.dev), []float32{float32(math.Log(3) * 0.75 * 8), 0}, 2, 1, engine.Float32); err != nil {
		t.Error(err)
	}
	gu = b.in([]float32{1, -1, 2, 2}) // tanh(√(2/π)·1.044715) = 0.68238388
	b.dev.Gate(out.dev, gu.dev, 2, engine.Activation{Kind: engine.TanhGEGLU})
	if err := Compare(b.get(out.dev), []float32{1.68238388, -0.31761612}, 2, 1, engine.Float32); err != nil {
		t.Error(err)
	}
	gu = b.in([]float32{9, float32(-math.Log(3)), 8, -8}) // 3·σ(6)·(3+1), -log 3·σ(-2·log 3)·(-3+1)
	b.dev.Gate(out.dev, gu.dev, 2, engine.Activation{Kind: engine.ClampedSwiGLU, Alpha: 2, Limit: 3})
	if err := Compare(b.get(out.dev), []float32{float32(12 / (1 + math.Exp(-6))), float32(math.Log(3) * 0.1 * 2)}, 2, 1, engine.Float32); err != nil {
		t.Error(err)
	}
}

// TestReferenceShares: one expert of several gives its share of the softmax over all of them
// where shares are of all, and all of its result where they are of the chosen.
func TestReferenceShares(t *testing.T) {
	b := newBench(t, ref.New())
	const width, ff, experts = 32, 32, 5
	e := engine.Experts{Router: b.weight([]engine.Stored{b.matrix(engine.F32, experts, width)}, []engine.Stored{b.matrix(engine.F32, 1, experts)}).dev, PerToken: 1}
	for range experts {
		e.GateUp = append(e.GateUp, b.weight([]engine.Stored{b.matrix(engine.F32, 2*ff, width)}, nil).dev)
		e.Down = append(e.Down, b.weight([]engine.Stored{b.matrix(engine.F32, width, ff)}, nil).dev)
	}
	x, logits := b.in(b.normal(width)), b.out(experts)
	b.dev.MatMul(logits.dev, x.dev, e.Router)
	total, highest := 0.0, 0.0
	for _, l := range b.get(logits.dev) {
		total += math.Exp(float64(l))
		highest = max(highest, math.Exp(float64(l)))
	}
	var got [2][]float32
	for i, s := range []engine.Shares{engine.SharesOfChosen, engine.SharesOfAll} {
		dst := b.in(make([]float32, width))
		e.Shares = s
		b.dev.MixtureAdd(dst.dev, x.dev, e)
		got[i] = b.get(dst.dev)
	}
	for j, whole := range got[0] {
		if want := float64(whole) * highest / total; !(math.Abs(float64(got[1][j])-want) <= 1e-6) || whole == 0 {
			t.Fatalf("number %d is %v, a share of %v is %v", j, got[1][j], highest/total, want)
		}
	}
}
