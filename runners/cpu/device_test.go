package cpu

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
)

// TestDevice holds every set of kernels that this processor can run to the reference.
func TestDevice(t *testing.T) {
	for _, k := range available() {
		t.Run(k.name, func(t *testing.T) {
			d := open(k, 2)
			defer d.Close()
			enginetest.Run(t, d, enginetest.Options{})
		})
	}
}

// TestKernelsAgree: the assembly of both widths sums in the same order, so that
// a product has the same bits on a machine with AVX-512 and on one without.
func TestKernelsAgree(t *testing.T) {
	var products [][]float32
	var names []string
	for _, k := range available() {
		if k == goKernels {
			continue // rounds its products
		}
		d := open(k, 2)
		defer d.Close()
		rng := rand.New(rand.NewPCG(1, 2))
		var all []float32
		for _, s := range enginetest.Storages {
			cols := 1568
			if s == engine.Q4K || s == engine.Q5K || s == engine.Q6K {
				cols = 1792
			}
			w, err := d.LoadWeight([]engine.Stored{enginetest.Random("w", s, 75, cols, rng)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range []int{1, 2, 3, 29} {
				x, out := make([]float32, m*cols), make([]float32, m*75)
				for i := range x {
					x[i] = float32(rng.NormFloat64())
				}
				d.product(out, x, m, own("test", w), 0)
				all = append(all, out...)
			}
			d.FreeWeight(w)
		}
		products, names = append(products, all), append(names, k.name)
	}
	if len(products) < 2 {
		t.Skipf("this processor has one width of assembly at most: %v", names)
	}
	for i, v := range products[0] {
		if math.Float32bits(v) != math.Float32bits(products[1][i]) {
			t.Fatalf("number %d is %v by %s, %v by %s", i, v, names[0], products[1][i], names[1])
		}
	}
}

// TestThreads: a result has the same bits on any number of threads.
func TestThreads(t *testing.T) {
	k := available()[0]
	var want []float32
	for _, threads := range []int{1, 2, 5} {
		d := open(k, threads)
		h := engine.Heads{Query: 6, KV: 2, Size: 64}
		const n = 700
		rng := rand.New(rand.NewPCG(1, 2))
		array := func(n int) engine.Array {
			a, err := d.New(engine.Float32, n)
			if err != nil {
				t.Fatal(err)
			}
			v := f32("test", a)
			for i := range v {
				v[i] = float32(rng.NormFloat64())
			}
			return a
		}
		kv := engine.KV{K: array(2 * n * 64), V: array(2 * n * 64), Tokens: n, Heads: 2, Size: 64}
		q, out := array(n*6*64), array(n*6*64)
		d.Attention(out, q, kv, 0, engine.Attention{Heads: h, Scale: 0.125})
		w, err := d.LoadWeight([]engine.Stored{enginetest.Random("w", engine.Q4_1, 200, 384, rng)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		y := array(n * 200)
		d.MatMul(y, out, w)
		got := append(append([]float32{}, f32("test", out)...), f32("test", y)...)
		if want == nil {
			want = got
		}
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Fatalf("%d threads: number %d is %v, was %v on one", threads, i, v, want[i])
			}
		}
		d.Close()
	}
}

func TestNew(t *testing.T) {
	for _, k := range available() {
		t.Setenv("SNAPBENCH_CPU", k.name)
		d, err := New()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(d.Describe(), k.name) {
			t.Errorf("%s describes itself as %q", k.name, d.Describe())
		}
		d.Close()
	}
	t.Setenv("SNAPBENCH_CPU", "sse9")
	if _, err := New(); err == nil || !strings.Contains(err.Error(), `"sse9"`) || !strings.Contains(err.Error(), "go") {
		t.Errorf("kernels that do not exist: error %v", err)
	}
}

func TestOutOfMemory(t *testing.T) {
	d := open(goKernels, 1)
	defer d.Close()
	if _, ok := availableMemory(); !ok {
		t.Skip("this system does not say how much memory is free")
	}
	before := d.Memory()
	_, err := d.New(engine.Float32, 1<<44)
	var oom *engine.OutOfMemory
	if !errors.As(err, &oom) || oom.Need != 1<<46 || oom.Free <= 0 {
		t.Errorf("64 TiB: error %v", err)
	}
	kv := engine.KV{Tokens: 8, Heads: 1, Size: 8}
	kv.K, _ = d.New(engine.Float32, 64)
	kv.V, _ = d.New(engine.Float32, 64)
	used := d.Memory().InUse
	if _, err := d.Gather(kv, []engine.Kept{{Len: []int{8}, All: true}}, 1<<40); !errors.As(err, &oom) {
		t.Errorf("a cache with room for 2⁴⁰ rows: error %v", err)
	}
	if now := d.Memory().InUse; now != used {
		t.Errorf("a gather that failed holds %d bytes", now-used)
	}
	d.Free(kv.K, kv.V)
	if now := d.Memory().InUse; now != before.InUse {
		t.Errorf("%d bytes in use, were %d", now, before.InUse)
	}
	if _, err := d.New(engine.BFloat16, 8); err == nil {
		t.Error("a bfloat16 array on a float32 device")
	}
}

// TestPool: every task runs once, even if the workers have gone to sleep.
func TestPool(t *testing.T) {
	p := newPool(4, pause())
	defer p.close()
	for round := range 300 {
		n := round % 37
		count := make([]atomic.Int32, n)
		busy := make([]atomic.Int32, 4)
		p.run(n, func(task, worker int) {
			if busy[worker].Add(1) != 1 {
				t.Errorf("worker %d runs two tasks at a time", worker)
			}
			count[task].Add(1)
			if task == n/2 && round%50 == 0 {
				time.Sleep(time.Millisecond) // the caller gives up spinning
			}
			busy[worker].Add(-1)
		})
		for i := range count {
			if c := count[i].Load(); c != 1 {
				t.Fatalf("round %d: task %d ran %d times", round, i, c)
			}
		}
		if round%20 == 0 {
			time.Sleep(time.Millisecond) // and the workers do
		}
	}
	for _, c := range []struct{ n, step int }{{1001, 8}, {20, 1}, {20, 2}, {7, 8}, {1, 1}, {0, 4}, {24, 2}} {
		var covered, short, long atomic.Int64
		short.Store(int64(c.n))
		p.each(c.n, c.step, func(lo, hi, _ int) {
			if lo >= hi || lo%c.step != 0 || hi%c.step != 0 && hi != c.n {
				t.Errorf("%d in steps of %d: a range from %d to %d", c.n, c.step, lo, hi)
			}
			covered.Add(int64(1)<<32*int64(hi-lo) + int64(lo+hi-1)*int64(hi-lo)/2)
			steps := int64((hi - lo + c.step - 1) / c.step)
			for old := long.Load(); steps > old && !long.CompareAndSwap(old, steps); old = long.Load() {
			}
			for old := short.Load(); steps < old && !short.CompareAndSwap(old, steps); old = short.Load() {
			}
		})
		// So many places, and the sum of their numbers.
		if want := int64(1)<<32*int64(c.n) + int64(c.n)*int64(c.n-1)/2; covered.Load() != want {
			t.Errorf("%d in steps of %d: %#x is covered, want %#x", c.n, c.step, covered.Load(), want)
		}
		if c.n > 0 && long.Load()-short.Load() > 1 {
			t.Errorf("%d in steps of %d: ranges of %d to %d steps", c.n, c.step, short.Load(), long.Load())
		}
	}
}

func pause() func() { return available()[0].pause }

func TestTimesMinus8(t *testing.T) {
	for h := range uint16(0x7c00) {
		for _, h := range []uint16{h, h | 0x8000} {
			got, ok := timesMinus8(h)
			want := -8 * halfToFloat(h)
			if fits := math.Abs(float64(want)) <= 65504; ok != fits || fits && halfToFloat(got) != want {
				t.Fatalf("half %#x: %v, %v, want %v", h, halfToFloat(got), ok, want)
			}
		}
	}
}

// TestLargeScales: a block whose minimum is out of a half's range keeps its exact values.
func TestLargeScales(t *testing.T) {
	d := open(available()[0], 1)
	defer d.Close()
	m := enginetest.Random("w", engine.Q4_0, 1, 32, rand.New(rand.NewPCG(1, 2)))
	if f := formatOf(m); f != formatQ4 {
		t.Errorf("a usual Q4_0 matrix gets format %d", f)
	}
	if f := formatOf(hugeScale{m}); f != formatF32 {
		t.Errorf("a scale of 8192 gets format %d", f)
	}
}

type hugeScale struct{ *enginetest.Matrix }

func (h hugeScale) RawRow(i int) []byte {
	raw := append([]byte{}, h.Matrix.RawRow(i)...)
	raw[0], raw[1] = 0, 0x70 // 8192
	return raw
}
