package cuda

import (
	flags "flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/cuda/emulator"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
)

var emulated = card.Other("the emulator", emulator.Symbol)

// emulatedCard has few multiprocessors, for some kernels size their grids by them.
func emulatedCard(major, minor int) emulator.Properties {
	p := emulator.H100
	p.Major, p.Minor, p.Multiprocessors = major, minor, 4
	return p
}

// Emulated opens a device on an emulated card for the length of a test: this package's
// own code on a driver and a cuBLAS that run on the processor. Every array is an allocation
// of exactly its length, so that a read or write past an array's end is noticed.
func Emulated(t testing.TB, p emulator.Properties, kind engine.Type) (*Device, *emulator.Card) {
	t.Helper()
	card := emulator.Plug(p)
	return emulatedOn(t, card, kind), card
}

func emulatedOn(t testing.TB, plugged *emulator.Card, kind engine.Type) *Device {
	t.Helper()
	d, err := openOn(plugged.Index(), kind, emulated)
	if err != nil {
		t.Fatal(err)
	}
	d.card.TakeApart()
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := plugged.Left(); n > 0 {
			t.Errorf("%d allocations were never freed", n)
		}
	})
	return d
}

// TestEmulatedConformance holds the kernels to the reference without a card: what they
// compute and which memory they touch, but neither their speed nor what depends on the order
// in which a card makes writes visible. Every kernel must run. SNAPBENCH_LONG=1 also runs
// the cases that take too long for every day.
func TestEmulatedConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	long := os.Getenv("SNAPBENCH_LONG") != ""
	// The operations with kernels for each type; the others compute in float32 for all.
	ofType := []string{"arrays", "linear attention", "linear attention steps", "embed", "rms norm", "matmul", "matmul storages", "gate", "mixture", "matmul gate", "matmul rotate", "rotate", "attention", "window scores", "column sums", "attention rows", "attention ways", "window scores ways", "column sums ways", "attention rows ways", "batch ways", "row norms", "weighted rows", "row dots", "gather", "batch", "packed caches", "packed caches ways", "company"}
	var mu sync.Mutex
	launched := map[string]int{}
	t.Run("cards", func(t *testing.T) {
		for _, c := range []struct {
			name         string
			major, minor int
			kind         engine.Type
			work         int      // enginetest.Options.Work
			cases        []string // none: all
		}{
			{"float32", 9, 0, engine.Float32, 120_000, nil},
			{"bfloat16", 9, 0, engine.BFloat16, 400_000, nil},
			{"float16", 9, 0, engine.Float16, 400_000, ofType},
			{"bfloat16 on 8.0", 8, 0, engine.BFloat16, 400_000, []string{"attention", "column sums", "batch", "attention ways", "column sums ways", "batch ways", "matmul", "mixture", "linear attention steps", "company"}},
			{"float16 on 8.6", 8, 6, engine.Float16, 400_000, []string{"attention", "column sums", "batch", "attention ways", "column sums ways", "batch ways", "matmul", "mixture", "linear attention steps", "company"}},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				d, card := Emulated(t, emulatedCard(c.major, c.minor), c.kind)
				options := enginetest.Options{Work: c.work, Cases: c.cases}
				if long {
					options = enginetest.Options{}
				}
				enginetest.Run(t, d, options)
				conformInTiles(t, d, 20*options.Work)
				conformWide(t, d)
				if c.kind == engine.BFloat16 && c.major == 9 {
					t.Run("blocks", func(t *testing.T) { conformBlocks(t, d) })
				}
				t.Run("random weight", func(t *testing.T) { randomWeight(t, d) })
				if err := d.Sync(); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for name, n := range card.Launches() {
					launched[name] += n
				}
			})
		}
	})
	all := map[string]bool{}
	files, _ := embedded.ReadDir("kernels")
	entry := regexp.MustCompile(`\.entry (\w+)`)
	for _, f := range files {
		text, err := unpacked(strings.TrimSuffix(f.Name(), ".ptx.gz"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range entry.FindAllStringSubmatch(text, -1) {
			all[m[1]] = true
		}
	}
	if len(all) < len(launched) {
		t.Fatalf("%d kernels are there, %d ran", len(all), len(launched))
	}
	maps.DeleteFunc(all, func(name string, _ bool) bool {
		if strings.HasPrefix(name, "matmul_packed_rows_") || strings.HasPrefix(name, "matmul_blocks_") {
			return true // TestEmulatedPackedRows and TestEmulatedBlocks have them all
		}
		return launched[name] > 0 || !long && (strings.HasPrefix(name, "attend_codes_") || strings.HasPrefix(name, "attend_packed_")) // whose cases are too much work for every day
	})
	never := slices.Sorted(maps.Keys(all))
	t.Logf("%d kernels ran", len(launched))
	if len(never) > 0 && !strings.Contains(flags.Lookup("test.run").Value.String(), "/") { // -run left nothing out
		t.Errorf("no case that ran launches %s", strings.Join(never, ", "))
	}
}

// TestEmulatedFault has a kernel access memory past an array's end, and freed memory.
func TestEmulatedFault(t *testing.T) {
	const x, dst, weight = 0, 1, 2
	for _, c := range []struct {
		name   string
		kind   engine.Type
		short  int // the array that lacks its last number
		freed  bool
		kernel string
	}{
		{"reads past the end", engine.Float32, x, false, "rms_norm_f32"},
		{"reads past the end, 16 bits", engine.Float16, x, false, "rms_norm_f16"},
		{"writes past the end", engine.Float32, dst, false, "rms_norm_f32"},
		{"writes past the end, 16 bits", engine.BFloat16, dst, false, "rms_norm_bf16"},
		{"reads freed memory", engine.Float32, weight, true, "rms_norm_f32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, card := Emulated(t, emulatedCard(9, 0), c.kind)
			var arrays [3]engine.Array
			for i, n := range []int{3 * 64, 3 * 64, 64} {
				kind := c.kind
				if i == weight {
					kind = engine.Float32
				}
				if i == c.short {
					n--
				}
				a, err := d.New(kind, n)
				if err != nil {
					t.Fatal(err)
				}
				if i == c.short {
					a.Len++
				}
				arrays[i] = a
			}
			if c.freed {
				d.Free(arrays[c.short])
				d.Trim()
			}
			d.RMSNorm(arrays[dst], arrays[x], arrays[weight], 1e-5)
			err := d.Sync()
			if err == nil {
				t.Fatal("was not seen")
			}
			for _, part := range []string{"RMSNorm", "CUDA_ERROR_ILLEGAL_ADDRESS", c.kernel} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not name %s: %v", part, err)
				}
			}
			t.Log(card.Fault())
			if _, err := d.New(c.kind, 8); err == nil {
				t.Error("the card goes on after a fault")
			}
		})
	}
}

func TestEmulatedMemoryIsReturned(t *testing.T) {
	d, _ := Emulated(t, emulatedCard(9, 0), engine.BFloat16)
	memoryIsReturned(t, d)
}

func TestEmulatedTwoDevices(t *testing.T) {
	card := emulator.Plug(emulatedCard(9, 0))
	twoDevices(t, emulatedOn(t, card, engine.Float32), emulatedOn(t, card, engine.BFloat16))
}

// TestEmulatedMixtureBytes: MixtureBytes is what a mixture takes, up to the arena's
// rounding.
func TestEmulatedMixtureBytes(t *testing.T) {
	const width, ff, perToken = 64, 128, 2
	for _, c := range []struct{ major, m, experts int }{{8, 300, 4}, {9, 300, 4}, {9, 60, 20}} {
		major, m, experts := c.major, c.m, c.experts
		d, _ := Emulated(t, emulatedCard(major, 0), engine.BFloat16)
		load := func(rows, cols int) engine.Weight {
			w := must[engine.Weight](t)(d.LoadWeight([]engine.Stored{random{"w", rows, cols, 1}}, nil))
			t.Cleanup(func() { d.FreeWeight(w) })
			return w
		}
		e := engine.Experts{Router: load(experts, width), PerToken: perToken}
		for range experts {
			e.GateUp, e.Down = append(e.GateUp, load(2*ff, width)), append(e.Down, load(width, ff))
		}
		x := must[engine.Array](t)(d.New(d.kind, m*width))
		d.Put(x, make([]float32, m*width))
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		d.ResetPeak()
		before := d.Memory().InUse
		d.MixtureAdd(x, x, e)
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		took, said := d.Memory().Peak-before, d.MixtureBytes(m, width, ff, experts, perToken)
		t.Logf("%d.0: %d bytes, %d said", major, took, said)
		if any := MixtureBytes(d.kind, m, width, ff, experts, perToken); any < said || any > 2*said {
			t.Errorf("%d.0: a plan without a card is told %d bytes, one with it %d", major, any, said)
		}
		if took > said || m > fewRows && said > took+took/10 {
			t.Errorf("%d.0: a mixture takes %d bytes, a plan is told %d", major, took, said)
		}
		d.Free(x)
	}
}
