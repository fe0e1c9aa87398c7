package cuda

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// TestPTX makes the PTX again and compares.
func TestPTX(t *testing.T) {
	if _, err := exec.LookPath("clang-19"); err != nil {
		t.Skip("clang-19, which makes the PTX, is not installed")
	}
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	dir := t.TempDir()
	if out, err := exec.Command("kernels/build.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("kernels/build.sh: %v\n%s", err, out)
	}
	made, _ := filepath.Glob(filepath.Join(dir, "*.ptx"))
	kept, _ := filepath.Glob("kernels/*.ptx")
	if len(made) == 0 || len(made) != len(kept) {
		t.Errorf("kernels/build.sh makes %d files, there are %d", len(made), len(kept))
	}
	for _, f := range made {
		want, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("kernels", filepath.Base(f)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("kernels/%s is not what clang makes of its source now: run kernels/build.sh (%v)", filepath.Base(f), err)
		}
	}
}

// TestSource holds the loader to the marks of kernels/device.h.
func TestSource(t *testing.T) {
	for _, c := range []struct {
		major int
		want  string
		not   string
	}{{8, "//sm_90 griddepcontrol.wait;", ".target sm_90\n"}, {9, "\tgriddepcontrol.wait;", "sm_80"}} {
		s, err := source("rms_norm", c.major)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(s, c.want) || strings.Contains(s, c.not) {
			t.Errorf("source for %d.0 has %q: %v, has %q: %v", c.major, c.want, strings.Contains(s, c.want), c.not, strings.Contains(s, c.not))
		}
	}
	if _, err := source("nothing", 9); err == nil {
		t.Error("source of a file that does not exist")
	}
	files, _ := ptx.ReadDir("kernels")
	for _, f := range files {
		s, err := source(strings.TrimSuffix(f.Name(), ".ptx"), 9)
		if err != nil {
			t.Fatal(err)
		}
		// A kernel that keeps an array in memory instead of registers is slow.
		if strings.Contains(s, "local_depot") {
			t.Errorf("%s uses local memory", f.Name())
		}
	}
}

func TestArena(t *testing.T) {
	const limit = 256 << 20
	held, next := map[uint64]int64{}, uint64(1<<30)
	used := int64(0)
	full := errors.New("full")
	a := newArena(func(n int64) (uint64, error) {
		if used += n; used > limit {
			used -= n
			return 0, full
		}
		next += 1 << 30
		held[next] = n
		return next, nil
	}, func(p uint64) {
		used -= held[p]
		delete(held, p)
	})
	rng := rand.New(rand.NewPCG(1, 2))
	type piece struct {
		at    uint64
		bytes int64
	}
	var pieces []piece
	sum := int64(0)
	for range 20000 {
		if rng.IntN(2) == 0 || len(pieces) == 0 {
			n := int64(rng.IntN(3000))
			if rng.IntN(20) == 0 {
				n = int64(rng.IntN(20 << 20))
			}
			p, err := a.take(n)
			if err != nil {
				if err != full {
					t.Fatal(err)
				}
				continue
			}
			if p%smallGrain != 0 {
				t.Fatalf("block at %#x", p)
			}
			for _, q := range pieces {
				if p < q.at+uint64(max(q.bytes, 1)) && q.at < p+uint64(max(n, 1)) {
					t.Fatalf("%d bytes at %#x overlap %d at %#x", n, p, q.bytes, q.at)
				}
			}
			pieces = append(pieces, piece{p, n})
			sum += n
		} else {
			i := rng.IntN(len(pieces))
			a.give(pieces[i].at)
			sum -= pieces[i].bytes
			pieces[i] = pieces[len(pieces)-1]
			pieces = pieces[:len(pieces)-1]
		}
		if a.inUse != sum || a.peak < a.inUse {
			t.Fatalf("account says %d in use, peak %d, it is %d", a.inUse, a.peak, sum)
		}
	}
	for _, p := range pieces {
		a.give(p.at)
	}
	if a.inUse != 0 || a.idle() != used {
		t.Errorf("%d in use and %d idle after everything was given back, %d from the driver", a.inUse, a.idle(), used)
	}
	// What lies idle is given up for one large block.
	if _, err := a.take(limit - chunkGrain); err != nil {
		t.Errorf("one block of nearly everything: %v", err)
	}
	if _, err := a.take(limit); err != full {
		t.Errorf("more than there is: %v", err)
	}
	a.close()
	if used != 0 {
		t.Errorf("%d bytes kept after close", used)
	}
	defer func() {
		if recover() == nil {
			t.Error("freeing what is not held did not panic")
		}
	}()
	a.give(42)
}

// Caches of some megabytes each do not cost the driver's grain each.
func TestArenaPacks(t *testing.T) {
	const limit, size = 1 << 30, 9<<20 + 5000
	used, full := int64(0), errors.New("full")
	a := newArena(func(n int64) (uint64, error) {
		if used+n > limit {
			return 0, full
		}
		used += n
		return uint64(used) << 30, nil
	}, func(uint64) {})
	n := int64(0)
	for ; ; n++ {
		if _, err := a.take(size); err != nil {
			break
		}
	}
	if n*size < limit*97/100 {
		t.Errorf("%d blocks of %d bytes fit into %d", n, size, limit)
	}
}

// TestArenaPressed holds that what did not fit leaves nothing that a smaller attempt
// could not use, and that Takes counts what fits.
func TestArenaPressed(t *testing.T) {
	const limit = 8 << 30
	held, used, next := map[uint64]int64{}, int64(0), uint64(0)
	full := errors.New("full")
	a := newArena(func(n int64) (uint64, error) {
		if used+n > limit {
			return 0, full
		}
		used, next = used+n, next+1<<40
		held[next] = n
		return next, nil
	}, func(p uint64) {
		used -= held[p]
		delete(held, p)
	})
	for _, size := range []int64{130<<20 + 100, 128<<20 + 70000, 9<<20 + 5000, 100<<20 + 1} {
		var blocks []uint64
		for {
			p, err := a.take(size)
			if err != nil {
				break
			}
			blocks = append(blocks, p)
		}
		if want := limit / (*Device)(nil).Takes(size); int64(len(blocks)) != want {
			t.Errorf("%d blocks of %d bytes fit into %d, Takes makes it %d", len(blocks), size, int64(limit), want)
		}
		for _, p := range blocks {
			a.give(p)
		}
	}
}

// TestArenaApart holds every block to an allocation of its own length, given back
// before the next.
func TestArenaApart(t *testing.T) {
	held, next := map[uint64]int64{}, uint64(1<<30)
	a := newArena(func(n int64) (uint64, error) {
		next += 1 << 30
		held[next] = n
		return next, nil
	}, func(p uint64) { delete(held, p) })
	shared, _ := a.take(100) // before it is asked for
	a.apart = true
	var blocks []uint64
	for _, n := range []int64{0, 1, 513, 5 << 20, 40<<20 + 3} {
		p, err := a.take(n)
		if err != nil || held[p] != max(n, 1) {
			t.Fatalf("%d bytes lie in %d of the driver's (%v)", n, held[p], err)
		}
		blocks = append(blocks, p)
	}
	for _, p := range blocks {
		a.give(p)
	}
	a.give(shared)
	last, _ := a.take(7)
	if a.inUse != 7 || len(held) != 1 || held[last] != 7 {
		t.Errorf("%d bytes in use in %d allocations after everything but 7 bytes was given back", a.inUse, len(held))
	}
}

func TestConvert(t *testing.T) {
	// Every float16 and bfloat16 goes through float32 and back.
	for i := range 1 << 16 {
		h := uint16(i)
		if f := fromFloat16(h); f == f && toFloat16(f) != h {
			t.Fatalf("float16 %#04x is %v, which is %#04x", h, f, toFloat16(f))
		}
		if f := math.Float32frombits(uint32(h) << 16); f == f && toBFloat16(f) != h {
			t.Fatalf("bfloat16 %#04x is %v, which is %#04x", h, f, toBFloat16(f))
		}
	}
	// Others go to the nearest, ties to even: found among the neighbours.
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		v := math.Float32frombits(rng.Uint32())
		if rng.IntN(2) == 0 {
			v = float32(rng.NormFloat64()) * float32(math.Ldexp(1, rng.IntN(40)-30))
		}
		if v != v {
			continue
		}
		if h := toFloat16(v); math.Abs(float64(v)) < 65504 {
			got := float64(fromFloat16(h))
			for _, n := range []uint16{h - 1, h + 1} {
				if o := float64(fromFloat16(n)); !math.IsInf(o, 0) && o == o && math.Abs(o-float64(v)) < math.Abs(got-float64(v)) {
					t.Fatalf("%v to float16 is %v, %v is nearer", v, got, o)
				}
			}
		}
	}
	for v, want := range map[float32]uint16{65504: 0x7bff, 65519: 0x7bff, 65520: 0x7c00, float32(math.Inf(-1)): 0xfc00, 0x1p-24: 1, 0x1p-25: 0, 0x1.8p-25: 1, 0x1.004p0: 0x3c01, 0x1.002p0: 0x3c00, 0x1.006p0: 0x3c02} {
		if got := toFloat16(v); got != want {
			t.Errorf("%v to float16 is %#04x, want %#04x", v, got, want)
		}
	}
	if h := toFloat16(float32(math.NaN())); fromFloat16(h) == fromFloat16(h) {
		t.Error("NaN to float16 is a number")
	}
	if b := toBFloat16(float32(math.NaN())); b&0x7f == 0 || b&0x7f80 != 0x7f80 {
		t.Error("NaN to bfloat16 is a number")
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(0, engine.Int32); err == nil || !strings.Contains(err.Error(), "int32") {
		t.Errorf("a device of int32: %v", err)
	}
	if r := Probe(); len(r.Missing) == 0 {
		if _, err := Open(1000, engine.Float32); err == nil || !strings.Contains(err.Error(), "1000") {
			t.Errorf("device 1000: %v", err)
		}
	} else if _, err := Open(0, engine.Float32); err == nil {
		t.Errorf("opened a device where this is missing: %v", r.Missing)
	}
}

// TestItems holds the room for a head's items to every length that it may have, and the
// items to its keys: together they have all, and each has some.
func TestItems(t *testing.T) {
	before := 0
	for n := 1; n < 70000; n++ {
		s := share(n)
		if s.parts < before || s.parts > 65 || s.first(s.parts-1) >= n || s.first(s.parts) < n || s.more >= s.parts {
			t.Fatalf("%d keys: %+v (%d items for one key fewer)", n, s, before)
		}
		before = s.parts
	}
}
