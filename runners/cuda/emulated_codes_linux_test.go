package cuda

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
	"github.com/snapbench/snapbench/runners/ref"
)

// awkward are rows of numbers at which formats round to both sides: halves between the codes of 8- and 4-bit floats, normal
// and subnormal, constants, single spikes, zeros of both signs, and what is tiny or large.
func awkward(rows, size int) []float32 {
	rng := rand.New(rand.NewPCG(1, uint64(size)))
	var x []float32
	for row := range rows {
		scale := math.Ldexp(1, rng.IntN(12)-8)
		for i := range size {
			v := math.Ldexp(1+float64(rng.IntN(16))/16, rng.IntN(20)-11) * scale
			switch row % 8 {
			case 1:
				v = scale // constant
			case 2:
				v = scale * float64((i/7+1)%size/(size-1)) // one spike
			case 3:
				v = 0
			case 4:
				v = math.Ldexp(float64(rng.IntN(64)), -9) // subnormal codes, and halves between them
			case 5:
				v = float64(rng.IntN(255)) - 127 // whole numbers, and halves of their range
			case 6:
				v *= 0x1p-20
			}
			if rng.IntN(2) == 0 && row%8 != 1 {
				v = -v
			}
			x = append(x, float32(v))
		}
	}
	return x
}

// TestEmulatedAwkwardCodes: every format's codes of such rows are the reference's.
func TestEmulatedAwkwardCodes(t *testing.T) {
	const rows = 96
	d, _ := Emulated(t, emulatedCard(9, 0), engine.Float32)
	judge := ref.New()
	for _, size := range []int{32, 128} {
		x := awkward(rows, size)
		var caches [2]engine.Cache
		devices := []engine.Device{d, judge}
		for i, on := range devices {
			kv := engine.KV{Tokens: rows, Heads: 1, Size: size}
			for _, a := range []*engine.Array{&kv.K, &kv.V} {
				var err error
				if *a, err = on.New(engine.Float32, len(x)); err != nil {
					t.Fatal(err)
				}
				on.Put(*a, x)
			}
			gathered, err := on.Gather(kv, []engine.Kept{{All: true, Len: []int{rows}}}, 0)
			if err != nil {
				t.Fatal(err)
			}
			caches[i] = gathered[0]
			on.Free(kv.K, kv.V)
		}
		for _, f := range cacheformat.All() {
			var scales []cacheformat.Scale
			if f.Calibration != cacheformat.Uncalibrated {
				most := []float32{cacheformat.Magnitude(x)}
				scales = f.Calibrate(most, most)
			}
			var decoded [2][2][]float32
			for i, on := range devices {
				c, err := on.(engine.Quantizer).Quantize(caches[i], f, scales, 0)
				if err != nil {
					t.Fatalf("%s on %s: %v", f.Name, on.Name(), err)
				}
				for side := range decoded[i] {
					decoded[i][side] = make([]float32, len(x))
				}
				engine.Rows(on, decoded[i][0], decoded[i][1], c, 0, 0, rows, rows)
				on.FreeCache(c)
			}
			for side, name := range []string{"keys", "values"} {
				for i, want := range decoded[1][side] {
					if got := decoded[0][side][i]; got != want {
						t.Errorf("%s, heads of %d: %s: row %d, number %d of %v is %v, want %v", f.Name, size, name, i/size, i%size, x[i], got, want)
						break
					}
				}
			}
		}
		d.FreeCache(caches[0])
	}
}
