package enginetest

import (
	"fmt"
	"math"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

func arrays(b *bench) {
	v := b.normal(1000)
	a := b.in(v)
	first := a.input
	// What went through the type once goes through it unchanged.
	again := b.in(first)
	if err := same(again.input, first); err != nil {
		b.Errorf("put, get: %v", err)
	}
	if b.dev.Type() == engine.Float32 {
		if err := same(first, v); err != nil {
			b.Errorf("put, get: %v", err)
		}
	}
	dst := b.out(600)
	b.dev.Copy(dst.dev.Slice(100, 400), a.dev.Slice(33, 333))
	got := b.get(dst.dev)
	if err := same(got[100:400], first[33:333]); err != nil {
		b.Errorf("copy: %v", err)
	}
	for i, g := range got {
		if (i < 100 || i >= 400) && g == g {
			b.Fatalf("copy wrote number %d, which is outside its slice", i)
		}
	}
	ints := b.inInts([]int32{3, -1, 1 << 30, 7})
	to := b.outInts(4)
	b.dev.Copy(to.dev, ints.dev)
	for i, g := range b.getInts(to.dev) {
		if g != ints.ints[i] {
			b.Errorf("copy: integer %d is %d, want %d", i, g, ints.ints[i])
		}
	}
	b.dev.Put(dst.dev.Slice(5, 6), first[:1])
	if g := b.get(dst.dev.Slice(5, 6)); g[0] != first[0] {
		b.Errorf("put to a slice: %v, want %v", g[0], first[0])
	}
	b.unchanged("copy")
}

func memoryAccount(b *bench) {
	b.dev.ResetPeak()
	before := b.dev.Memory()
	a, err := b.dev.New(b.dev.Type(), 100_000)
	b.must(err)
	during := b.dev.Memory()
	b.dev.Free(a)
	after := b.dev.Memory()
	if during.InUse-before.InUse < a.Bytes() {
		b.Errorf("an array of %d bytes changed InUse from %d to %d", a.Bytes(), before.InUse, during.InUse)
	}
	if after.InUse != before.InUse {
		b.Errorf("InUse is %d after New and Free, was %d", after.InUse, before.InUse)
	}
	if after.Peak < during.InUse {
		b.Errorf("peak is %d, was %d in use", after.Peak, during.InUse)
	}
	b.dev.ResetPeak()
	if m := b.dev.Memory(); m.Peak != m.InUse {
		b.Errorf("peak is %d after a reset, %d in use", m.Peak, m.InUse)
	}
	w, err := b.dev.LoadWeight([]engine.Stored{b.matrix(engine.F32, 64, 64)}, nil)
	b.must(err)
	loaded := b.dev.Memory()
	if w.Bytes() <= 0 || loaded.Weights-before.Weights != w.Bytes() {
		b.Errorf("a weight of %d bytes changed Weights from %d to %d", w.Bytes(), before.Weights, loaded.Weights)
	}
	b.dev.FreeWeight(w)
	if m := b.dev.Memory(); m.Weights != before.Weights || m.InUse != before.InUse {
		b.Errorf("%+v after freeing a weight, %+v before it was loaded", m, before)
	}
}

// errors: a caller's mistake in shapes panics and says both.
func errors(b *bench) {
	w := b.weight([]engine.Stored{b.matrix(engine.F32, 32, 64)}, nil)
	x, dst := b.in(b.normal(128)), b.out(65)
	defer func() {
		if recover() == nil {
			b.Error("a product into 65 numbers of (2, 32) did not panic")
		}
	}()
	b.dev.MatMul(dst.dev, x.dev, w.dev)
}

func weights(b *bench) {
	w, err := b.dev.LoadWeight([]engine.Stored{b.matrix(engine.F32, 8, 32), b.matrix(engine.BF16, 8, 64)}, nil)
	if err == nil {
		b.dev.FreeWeight(w)
		b.Error("parts of 32 and 64 columns were stacked")
	} else if !strings.Contains(err.Error(), "32") || !strings.Contains(err.Error(), "64") {
		b.Errorf("the error does not name both widths: %v", err)
	}
	p := b.weight([]engine.Stored{b.matrix(engine.F32, 8, 32), b.matrix(engine.Q8_0, 40, 32)}, nil)
	if p.dev.Rows() != 48 || p.dev.Cols() != 32 {
		b.Errorf("8 and 40 rows of 32 make (%d, %d)", p.dev.Rows(), p.dev.Cols())
	}
}

func vector(b *bench) {
	m := b.matrix(engine.F32, 1, 129)
	a, err := b.dev.LoadVector(m)
	b.must(err)
	defer b.dev.Free(a)
	if a.Type != engine.Float32 {
		b.Errorf("a vector is %s, want float32", a.Type)
	}
	if err := same(b.get(a), m.values); err != nil {
		b.Error(err)
	}
}

func embed(b *bench) {
	for _, s := range Storages {
		table := b.weight([]engine.Stored{b.matrix(s, 77, 96)}, nil)
		for _, n := range []int{1, 33, 127} {
			ids := make([]int32, n)
			for i := range ids {
				ids[i] = int32(b.rng.IntN(77))
			}
			ids[0], ids[n-1] = 76, 0
			p, dst := b.inInts(ids), b.out(n*96)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.Embed(at(dst), b.on(d, table), at(p)) })
			if b.dev.Type() == engine.Float32 { // exact: reading is no arithmetic
				want := make([]float32, n*96)
				b.ref.Get(want, dst.ref)
				for i, g := range b.get(dst.dev) {
					if g != want[i] {
						b.Fatalf("%s: number %d is %v, want %v", s, i, g, want[i])
					}
				}
			}
			b.check(s.String(), dst, 96, 0)
			b.release()
		}
	}
	table := b.weight([]engine.Stored{b.matrix(engine.F32, 77, 32)}, nil)
	ids, dst := b.inInts([]int32{5, 77}), b.out(64)
	if strings.HasPrefix(b.dev.Name(), "ref") {
		return // the reference is not asked for manners
	}
	b.dev.Embed(dst.dev, table.dev, ids.dev)
	if err := b.dev.Sync(); err == nil || !strings.Contains(err.Error(), "mbed") {
		b.Errorf("token 77 of a table of 77: Sync says %v", err)
	}
	if err := b.dev.Sync(); err != nil {
		b.Errorf("Sync reports an error twice: %v", err)
	}
}

func rmsNorm(b *bench) {
	for _, width := range []int{8, 80, 129, 576, 4096} {
		for _, m := range sizes {
			if width*m > 600_000 || !b.affords(4*width*m) {
				continue
			}
			x, g, dst := b.in(b.normal(m*width)), b.in32(b.normal(width)), b.out(m*width)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.RMSNorm(at(dst), at(x), at(g), 1e-5) })
			b.check(fmt.Sprintf("(%d, %d)", m, width), dst, width, 1)
			b.release()
		}
	}
}

func matMul(b *bench) {
	for _, c := range []struct{ rows, cols int }{{1, 8}, {17, 33}, {100, 80}, {96, 129}, {192, 576}, {33, 1000}, {31, 1536}} {
		for _, bias := range []bool{false, true} {
			var vectors []engine.Stored
			if bias {
				vectors = []engine.Stored{b.matrix(engine.F32, 1, c.rows)}
			}
			w := b.weight([]engine.Stored{b.matrix(engine.F32, c.rows, c.cols)}, vectors)
			for _, m := range append([]int{2, 3, 4, 5, 6, 7, 13, 14, 15, 20}, sizes...) {
				if m*c.rows*c.cols > 6_000_000 || !b.affords(3*m*c.rows*c.cols) {
					continue
				}
				b.product(fmt.Sprintf("x (%d, %d), w (%d, %d), bias %v", m, c.cols, c.rows, c.cols, bias), m, w)
			}
		}
	}
	// Long sums, as in the widths of 7B models.
	for _, cols := range []int{4096, 11008} {
		w := b.weight([]engine.Stored{b.matrix(engine.F32, 35, cols)}, nil)
		for _, m := range []int{1, 2, 33} {
			if b.affords(3 * m * 35 * cols) {
				b.product(fmt.Sprintf("x (%d, %d)", m, cols), m, w)
			}
		}
	}
}

// product checks MatMul into both types, and MatMulAdd.
func (b *bench) product(what string, m int, w weightPair) {
	b.Helper()
	rows, cols := w.ref.Rows(), w.ref.Cols()
	x := b.in(b.normal(m * cols))
	dst, wide, sum := b.out(m*rows), b.out32(m*rows), b.in(b.normal(m*rows))
	sum.input = nil // it is an output too
	b.both(func(d engine.Device, at func(*pair) engine.Array) {
		d.MatMul(at(dst), at(x), b.on(d, w))
		d.MatMul(at(wide), at(x), b.on(d, w))
		d.MatMulAdd(at(sum), at(x), b.on(d, w))
	})
	b.check(what, dst, m*rows, cols)
	b.check(what+" to float32", wide, m*rows, cols)
	b.check(what+" added", sum, m*rows, cols)
	b.release()
}

func matMulStorages(b *bench) {
	for _, s := range Storages {
		for _, cols := range []int{32, 96, 576, 1568} {
			w := b.weight([]engine.Stored{b.matrix(s, 75, cols)}, []engine.Stored{b.matrix(engine.F32, 1, 75)})
			for _, m := range []int{1, 2, 3, 33, 65} {
				if b.affords(3 * m * 75 * cols) {
					b.product(fmt.Sprintf("%s, x (%d, %d)", s, m, cols), m, w)
				}
			}
		}
	}
	// A projection of q, k and v, stored each its own way, one without a bias.
	w := b.weight([]engine.Stored{b.matrix(engine.Q4_1, 72, 192), b.matrix(engine.Q4_1, 24, 192), b.matrix(engine.BF16, 40, 192), b.matrix(engine.Q8_0, 9, 192)},
		[]engine.Stored{b.matrix(engine.F32, 1, 72), nil, b.matrix(engine.BF16, 1, 40), nil})
	for _, m := range []int{1, 3, 65} {
		b.product(fmt.Sprintf("mixed parts, %d rows", m), m, w)
	}
}

func swiGLU(b *bench) {
	for _, ff := range []int{8, 33, 96, 1536} {
		for _, m := range sizes {
			if m*ff > 400_000 || !b.affords(40*m*ff) {
				continue
			}
			v := b.normal(m * 2 * ff)
			for i := range v {
				v[i] *= 4
			}
			v[0] = 0
			x, dst := b.in(v), b.out(m*ff)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.SwiGLU(at(dst), at(x), ff) })
			b.check(fmt.Sprintf("(%d, %d)", m, ff), dst, 1, 4)
			// Where the power leaves the range of the type: compared by the row.
			extremes := []float32{-30, 30, -60, 60, -88, 88, -89, 89, -100, 100, -1000, 1000}
			for i := range v {
				v[i] = extremes[b.rng.IntN(len(extremes))]
			}
			x, dst = b.in(v), b.out(m*ff)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.SwiGLU(at(dst), at(x), ff) })
			b.check(fmt.Sprintf("extremes (%d, %d)", m, ff), dst, ff, 4)
			b.release()
		}
	}
}

func mixture(b *bench) {
	mixtureOf(b, 5, 96, []int{1, 2, 5}, []int{1, 2, 8, 33, 129, 900})
	mixtureOf(b, 40, 32, []int{3}, []int{1, 7, 33}) // more experts than a word has bits
}

func mixtureOf(b *bench, experts, ff int, perTokens, rows []int) {
	const width = 64
	router := b.weight([]engine.Stored{b.matrix(engine.F32, experts, width)}, nil)
	var gateUp, down []weightPair
	for range experts {
		gateUp = append(gateUp, b.weight([]engine.Stored{b.matrix(engine.F32, ff, width), b.matrix(engine.Q8_0, ff, width)}, nil))
		down = append(down, b.weight([]engine.Stored{b.matrix(engine.BF16, width, ff)}, nil))
	}
	on := func(d engine.Device, perToken int) engine.Experts {
		e := engine.Experts{Router: b.on(d, router), PerToken: perToken}
		for i := range gateUp {
			e.GateUp, e.Down = append(e.GateUp, b.on(d, gateUp[i])), append(e.Down, b.on(d, down[i]))
		}
		return e
	}
	for _, perToken := range perTokens {
		for _, m := range rows {
			if m > 129 && !b.affords(3*m*perToken*ff*width) {
				continue
			}
			x := b.in(b.normal(m * width))
			if m == 2 {
				b.dev.Put(x.dev, make([]float32, m*width)) // all logits equal: the lowest indices
				b.ref.Put(x.ref, make([]float32, m*width))
				x.input = make([]float32, m*width)
			}
			dst := b.in(b.normal(m * width))
			dst.input = nil
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.MixtureAdd(at(dst), at(x), on(d, perToken)) })
			b.check(fmt.Sprintf("%d rows, %d of %d experts each", m, perToken, experts), dst, m*width, width)
			b.release()
		}
	}
}

func frequencies(size int, theta float64) []float32 {
	f := make([]float32, size/2)
	for i := range f {
		f[i] = float32(1 / math.Pow(theta, float64(2*i)/float64(size)))
	}
	return f
}

// rotaries makes the same rotation on both devices.
func (b *bench) rotary(size, n int, scale float32) func(engine.Device) engine.Rotary {
	b.Helper()
	dev, err := b.dev.NewRotary(frequencies(size, 10000), scale, n)
	b.must(err)
	on, err := b.ref.NewRotary(frequencies(size, 10000), scale, n)
	b.must(err)
	if dev.Positions() < n {
		b.Errorf("a rotary for %d positions serves %d", n, dev.Positions())
	}
	b.Cleanup(func() { b.dev.FreeRotary(dev) })
	return func(d engine.Device) engine.Rotary {
		if d == engine.Device(b.ref) {
			return on
		}
		return dev
	}
}

// headShapes are awkward ones and those of real families; the last two, the widest that
// every device serves and one whose rows are of no round size, run fewer rows.
var headShapes = []engine.Heads{{Query: 1, KV: 1, Size: 8}, {Query: 9, KV: 3, Size: 64}, {Query: 4, KV: 2, Size: 80}, {Query: 2, KV: 2, Size: 96}, {Query: 8, KV: 1, Size: 128},
	{Query: 2, KV: 1, Size: 256}, {Query: 4, KV: 2, Size: 20}}

// seldom says that a shape is one of the last two.
func seldom(h engine.Heads) bool { return h.Size == 256 || h.Size == 20 }

// kvPair is a layer's keys and values on both devices.
type kvPair struct {
	k, v *pair
	n    int
	h    engine.Heads
	from int // the first number of either
}

func (kv kvPair) on(at func(*pair) engine.Array) engine.KV {
	to := kv.from + kv.h.KV*kv.n*kv.h.Size
	return engine.KV{K: at(kv.k).Slice(kv.from, to), V: at(kv.v).Slice(kv.from, to), Tokens: kv.n, Heads: kv.h.KV, Size: kv.h.Size}
}

func (b *bench) kv(n int, h engine.Heads) kvPair { return b.kvFrom(0, n, h) }

// kvFrom makes keys and values that begin with this number of their arrays.
func (b *bench) kvFrom(from, n int, h engine.Heads) kvPair {
	size := from + h.KV*n*h.Size
	return kvPair{b.in(b.normal(size)), b.in(b.normal(size)), n, h, from}
}

func rotate(b *bench) {
	for i, h := range headShapes {
		r := b.rotary(h.Size, 2000, 1+0.25*float32(i%2))
		for _, m := range sizes {
			start := []int{0, 5, 255}[m%3]
			n := start + m + 3
			row := (h.Query + 2*h.KV) * h.Size
			if !b.affords(40 * m * row) {
				continue
			}
			x := b.in(b.normal(m * row))
			q, k, v := b.out(m*h.Query*h.Size), b.out(h.KV*n*h.Size), b.out(h.KV*n*h.Size)
			norm := [2]*pair{b.in32(b.normal(h.Size)), b.in32(b.normal(h.Size))}
			withNorm := m%2 == 1
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				var qk engine.QKNorm
				if withNorm {
					qk = engine.QKNorm{Query: at(norm[0]), Key: at(norm[1]), Epsilon: 1e-6}
				}
				d.Rotate(at(q), kvPair{k, v, n, h, 0}.on(at), at(x), start, h, r(d), qk)
			})
			what := fmt.Sprintf("%+v, %d rows from %d", h, m, start)
			b.check(what+": q", q, h.Size, 2)
			// Rows outside start…start+m stay the NaN they were on both sides.
			b.check(what+": k", k, h.Size, 2)
			b.check(what+": v", v, h.Size, 0)
			b.release()
		}
	}
}

func attention(b *bench) {
	for _, h := range headShapes {
		for _, m := range sizes {
			if m > 129 && (m*h.Query*h.Size > 300_000 || seldom(h)) {
				continue
			}
			for i, c := range []struct{ start, window int }{{0, 0}, {300, 0}, {37, 20}, {511, 1}, {300, 250}, {0, 100_000}} {
				if m == 127 && i%2 == 0 || m == 129 && i%2 == 1 {
					continue // the reference is slow: the two share the cases
				}
				n := c.start + m
				seen := n
				if c.window > 0 {
					seen = min(n, c.window+m)
				}
				if !b.affords(2 * m * h.Query * h.Size * seen) {
					continue
				}
				kv := b.kv(n+5, h)
				q, out := b.in(b.normal(m*h.Query*h.Size)), b.out(m*h.Query*h.Size)
				scale := float32(1 / math.Sqrt(float64(h.Size)))
				b.both(func(d engine.Device, at func(*pair) engine.Array) {
					d.Attention(at(out), at(q), kv.on(at), c.start, h, c.window, scale)
				})
				// The powers may be rounded before they meet the values.
				b.checkChain(fmt.Sprintf("%+v, %d rows from %d, window %d", h, m, c.start, c.window), out, h.Size, h.Size+n, 2)
				b.release()
			}
		}
	}
	// Rows that begin anywhere.
	for _, h := range []engine.Heads{{Query: 2, KV: 1, Size: 64}, {Query: 2, KV: 2, Size: 128}} {
		const m, start = 33, 40
		kv := b.kvFrom(1, start+m, h)
		q, out := b.in(b.normal(1+m*h.Query*h.Size)), b.out(1+m*h.Query*h.Size)
		b.both(func(d engine.Device, at func(*pair) engine.Array) {
			d.Attention(at(out).Slice(1, out.ref.Len), at(q).Slice(1, q.ref.Len), kv.on(at), start, h, 0, 0.125)
		})
		b.checkChain(fmt.Sprintf("%+v, rows from number 1", h), out, out.ref.Len, h.Size+start+m, 2)
		b.release()
	}
	// Scores far apart: no power may overflow, and the far ones vanish.
	h := engine.Heads{Query: 2, KV: 1, Size: 64}
	if !b.affords(700 * 700 * 128) {
		return
	}
	kv := b.kv(700, h)
	q := b.normal(700 * 128)
	for i := range q {
		q[i] *= 60
	}
	qp, out := b.in(q), b.out(len(q))
	b.both(func(d engine.Device, at func(*pair) engine.Array) {
		d.Attention(at(out), at(qp), kv.on(at), 0, h, 0, 1)
	})
	// A score of 1500 carries 64·ε·1500 of its own sum's error into the power.
	b.check("steep", out, 700*128, 64*1000*1000)
}

func windowScores(b *bench) {
	for _, h := range headShapes {
		for _, c := range []struct {
			n, rows int
			w       []int
			window  int
		}{
			{33, 32, []int{32}, 0}, {40, 8, []int{8, 3}, 0}, {129, 32, []int{32}, 0}, {1000, 16, []int{16}, 0}, {1000, 33, []int{33}, 0}, {777, 64, []int{64}, 0},
			{500, 32, []int{32}, 100}, {260, 8, []int{8}, 4},
			{1000, 40, []int{16, 32}, 0}, {300, 64, []int{64, 5, 33}, 0}, {300, 33, []int{8, 33, 1, 16}, 50}, {70, 64, []int{64, 32}, 0},
		} {
			if !b.affords(2 * c.rows * len(c.w) * h.Query * h.Size * c.n) {
				continue
			}
			kv := b.kv(c.n, h)
			q := b.in(b.normal(c.rows * h.Query * h.Size))
			dst := make([]*pair, len(c.w))
			for x, w := range c.w {
				dst[x] = b.out32(h.Query * (c.n - w))
			}
			scale := float32(1 / math.Sqrt(float64(h.Size)))
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				arrays := make([]engine.Array, len(dst))
				for x := range dst {
					arrays[x] = at(dst[x])
				}
				d.WindowScores(arrays, c.w, at(q), kv.on(at), h, c.window, scale)
			})
			for x, w := range c.w {
				b.check(fmt.Sprintf("%+v, %+v: %d", h, c, w), dst[x], c.n-w, h.Size+c.n)
			}
			b.release()
		}
	}
}

func groupScores(b *bench) {
	for _, h := range headShapes {
		for _, m := range sizes {
			for _, how := range []engine.Grouping{engine.GroupMean, engine.GroupMax, engine.GroupAll} {
				src, dst := b.in32(b.normal(h.Query*m)), b.out32(h.KV*m)
				b.both(func(d engine.Device, at func(*pair) engine.Array) { d.GroupScores(at(dst), at(src), h, how) })
				b.check(fmt.Sprintf("%+v, %d, grouping %d", h, m, how), dst, m, 0)
				b.release()
			}
		}
	}
}

func poolScores(b *bench) {
	for _, m := range sizes {
		for _, kernel := range []int{1, 3, 5, 7, 13, 63} {
			for _, kind := range []engine.Pooling{engine.AveragePooling, engine.MaxPooling} {
				v := b.normal(3 * m)
				for i := range v[:m] {
					v[i] = -1 - v[i]*v[i] // padding with zeros must not win
				}
				src, dst := b.in32(v), b.out32(3*m)
				b.both(func(d engine.Device, at func(*pair) engine.Array) { d.PoolScores(at(dst), at(src), 3, kernel, kind) })
				b.check(fmt.Sprintf("(3, %d), kernel %d, kind %d", m, kernel, kind), dst, m, kernel)
				b.release()
			}
		}
	}
}

func selectRows(b *bench) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	negativeZero := float32(math.Copysign(0, -1))
	fill := map[string]func(int) float32{
		"normal":    func(int) float32 { return float32(b.rng.NormFloat64()) },
		"equal":     func(int) float32 { return 0.25 },
		"few":       func(int) float32 { return float32(b.rng.IntN(3)) },
		"zeros":     func(i int) float32 { return []float32{0, negativeZero}[b.rng.IntN(2)] },
		"NaN":       func(i int) float32 { return []float32{nan, 1, -1, nan, inf, -inf, 0}[b.rng.IntN(7)] },
		"all NaN":   func(int) float32 { return nan },
		"close":     func(int) float32 { return 1 + float32(b.rng.IntN(4))*0x1p-23 },
		"tiny":      func(int) float32 { return float32(b.rng.IntN(5)-2) * 0x1p-149 },
		"ascending": func(i int) float32 { return float32(i) },
	}
	for name, f := range fill {
		for _, m := range sizes {
			const rows = 3
			v := make([]float32, rows*m)
			for i := range v {
				v[i] = f(i)
			}
			src := b.pair(engine.Float32, len(v))
			b.dev.Put(src.dev, v)
			b.ref.Put(src.ref, v)
			src.input = v
			// All in one call, as a layer asks for its variants.
			var dst []*pair
			counts := []int{0, 1, m / 3, m - 1, m}
			tails := []int{0, 32, 7, 0, 1}
			for i := range counts {
				dst = append(dst, b.outInts(rows*(counts[i]+tails[i])))
			}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				var s []engine.Selection
				for i := range counts {
					s = append(s, engine.Selection{Scores: at(src), Rows: rows, Count: counts[i], Tail: tails[i], Dst: at(dst[i])})
				}
				d.Select(s)
			})
			for i := range counts {
				b.checkInts(fmt.Sprintf("%s: %d of %d, tail %d", name, counts[i], m, tails[i]), dst[i])
			}
			b.release()
		}
	}
}

func gather(b *bench) {
	for i, h := range append(headShapes, headShapes...) {
		kv := b.kvFrom(i/len(headShapes), 130, h) // rows that begin anywhere, too
		for _, heads := range []int{h.KV, h.Query} {
			lens, all := make([]int, heads), make([]int, heads)
			var positions []int32
			for i := range lens {
				lens[i], all[i] = (i*37+11)%130, 130 // ragged
				for _, p := range b.rng.Perm(130)[:lens[i]] {
					positions = append(positions, int32(p))
				}
			}
			chosen := b.inInts(positions)
			caches := map[engine.Device][]engine.Cache{}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				c, err := d.Gather(kv.on(at), []engine.Kept{{Positions: at(chosen), Len: lens}, {Len: all, All: true}}, 4)
				b.must(err)
				caches[d] = c
			})
			b.unchanged("gather")
			for i, want := range caches[b.ref] {
				b.sameCache(fmt.Sprintf("%+v, %d heads, kept %d", h, heads, i), caches[b.dev][i], want)
			}
			before := b.dev.Memory().InUse
			b.dev.FreeCache(caches[b.dev]...)
			if after := b.dev.Memory().InUse; after >= before {
				b.Errorf("freeing caches changed InUse from %d to %d", before, after)
			}
		}
		b.release()
	}
}

// sameCache compares what two caches hold, head by head: the layout of the heads
// is the device's own.
func (b *bench) sameCache(what string, got, want engine.Cache) {
	b.Helper()
	if len(got.Len) != len(want.Len) || got.Size != want.Size || got.Room != want.Room || (got.Positions.Len == 0) != (want.Positions.Len == 0) {
		b.Fatalf("%s: cache %+v, want %+v", what, got, want)
	}
	for h, n := range want.Len {
		if got.Len[h] != n {
			b.Fatalf("%s: head %d keeps %d rows, want %d", what, h, got.Len[h], n)
		}
		if room := got.K.Len/got.Size - got.Start[h] - n; room < got.Room {
			b.Fatalf("%s: head %d has room for %d rows, want %d", what, h, room, got.Room)
		}
		for name, a := range map[string][2]engine.Array{"keys": {got.K, want.K}, "values": {got.V, want.V}} {
			w := make([]float32, n*want.Size)
			b.ref.Get(w, a[1].Slice(want.Start[h]*want.Size, (want.Start[h]+n)*want.Size))
			if err := same(b.get(a[0].Slice(got.Start[h]*got.Size, (got.Start[h]+n)*got.Size)), w); err != nil {
				b.Errorf("%s: head %d: %s: %v", what, h, name, err)
			}
		}
		if want.Positions.Len > 0 {
			w := make([]int32, n)
			b.ref.GetInts(w, want.Positions.Slice(want.Start[h], want.Start[h]+n))
			for i, g := range b.getInts(got.Positions.Slice(got.Start[h], got.Start[h]+n)) {
				if g != w[i] {
					b.Fatalf("%s: head %d: position %d is %d, want %d", what, h, i, g, w[i])
				}
			}
		}
	}
}

// sequences gathers one layer's caches for several sequences out of one prompt:
// the full cache, and ragged ones, per KV head and per query head.
func (b *bench) sequences(h engine.Heads, n, room int) (kept []engine.Kept, positions []*pair) {
	all := make([]int, h.KV)
	for i := range all {
		all[i] = n
	}
	kept, positions = append(kept, engine.Kept{Len: all, All: true}), append(positions, nil)
	for i, heads := range []int{h.KV, h.Query, h.KV, h.Query} {
		lens := make([]int, heads)
		var p []int32
		for a := range lens {
			lens[a] = min(n, []int{1, 64, 33, n}[(i+a)%4])
			start := len(p)
			for j := range n {
				if left := lens[a] - (len(p) - start); b.rng.IntN(n-j) < left {
					p = append(p, int32(j))
				}
			}
		}
		kept, positions = append(kept, engine.Kept{Len: lens}), append(positions, b.inInts(p))
	}
	return kept, positions
}

func decode(b *bench) {
	const n, room, steps = 700, 3, 3
	for _, h := range headShapes {
		for _, window := range []int{0, 150} {
			kv := b.kv(n, h)
			kept, positions := b.sequences(h, n, room)
			r := b.rotary(h.Size, n+room, 1)
			norm := [2]*pair{b.in32(b.normal(h.Size)), b.in32(b.normal(h.Size))}
			batches := map[engine.Device]engine.Batch{}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				asked := append([]engine.Kept{}, kept...)
				for i, p := range positions {
					if p != nil {
						asked[i].Positions = at(p)
					}
				}
				caches, err := d.Gather(kv.on(at), asked, room)
				b.must(err)
				b.Cleanup(func() { d.FreeCache(caches...) })
				var s []engine.Sequence
				for _, c := range caches {
					s = append(s, engine.Sequence{Caches: []engine.Cache{c}, Position: n})
				}
				batch, err := d.NewBatch(s, h)
				b.must(err)
				b.Cleanup(func() { d.FreeBatch(batch) })
				batches[d] = batch
			})
			rows := len(kept)
			if g := batches[b.dev].Rows(); g != rows {
				b.Fatalf("a batch of %d has %d rows", rows, g)
			}
			x := b.in(b.normal(rows * (h.Query + 2*h.KV) * h.Size))
			q, out := b.out(rows*h.Query*h.Size), b.out(rows*h.Query*h.Size)
			for step := range steps {
				v := b.normal(x.dev.Len)
				b.dev.Put(x.dev, v)
				b.dev.Get(x.input, x.dev)
				b.ref.Put(x.ref, x.input)
				b.both(func(d engine.Device, at func(*pair) engine.Array) {
					batch := batches[d]
					d.Replay(batch, func() {
						d.RotateAppend(at(q), batch, 0, at(x), r(d), engine.QKNorm{Query: at(norm[0]), Key: at(norm[1]), Epsilon: 1e-6})
						d.AttendCaches(at(out), at(q), batch, 0, window, float32(1/math.Sqrt(float64(h.Size))))
					})
				})
				what := fmt.Sprintf("%+v, window %d, step %d", h, window, step)
				b.check(what+": q", q, h.Size, 2)
				b.checkChain(what+": out", out, h.Size, h.Size+n, 3) // queries and keys were rounded too
				b.both(func(d engine.Device, _ func(*pair) engine.Array) { d.Advance(batches[d]) })
				if g := batches[b.dev].Steps(); g != step+1 {
					b.Errorf("%d steps after Advance number %d", g, step+1)
				}
			}
			b.release()
		}
	}
}

func argMax(b *bench) {
	for _, m := range sizes {
		for _, vocab := range []int{1, 33, 1000} {
			if !b.affords(m * (200 + 2*vocab)) {
				continue
			}
			v := make([]float32, m*vocab)
			for i := range v {
				v[i] = float32(b.rng.IntN(40)) - 100 // many equals, all negative
			}
			logits, dst := b.in32(v), b.outInts(m)
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.ArgMax(at(dst), at(logits)) })
			b.checkInts(fmt.Sprintf("(%d, %d)", m, vocab), dst)
			b.release()
		}
	}
}

func divergence(b *bench) {
	const rows, vocab = 6, 1000
	v := b.normal(rows * vocab)
	for i := range v {
		v[i] *= 3
	}
	logits, dst := b.in32(v), b.out32(4)
	p, q := []int{0, 5, 2, 3}, []int{1, 0, 2, 4}
	b.both(func(d engine.Device, at func(*pair) engine.Array) { d.Divergence(at(dst), at(logits), vocab, p, q) })
	b.check("divergence", dst, 4, 100)
}
