package emulator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// numbers are 16-bit floats, and their values.
type numbers struct {
	bits []uint16
	half bool
}

func (n numbers) value(i int) float64 {
	if n.half {
		return float64(halves[n.bits[i]])
	}
	return float64(bfloat(uint32(n.bits[i])))
}

// fresh are numbers that nothing has written yet: NaN in both types.
func fresh(n int, half bool) numbers {
	v := numbers{sixteens(make([]uint16, n)), half}
	for i := range v.bits {
		v.bits[i] = 0x7fff
	}
	return v
}

// near holds a number to the expected one, up to the rounding of its type and of float32
// sums.
func (n numbers) near(t *testing.T, what string, i int, want float64) bool {
	t.Helper()
	unit := 1.0 / 256
	if n.half {
		unit = 1.0 / 2048
	}
	if got := n.value(i); !(math.Abs(got-want) <= 1.01*unit*math.Abs(want)+1e-4) {
		t.Errorf("%s: number %d is %g, not %g", what, i, got, want)
		return false
	}
	return true
}

// inTiles runs a kernel of matmul_sm90a.ptx on x (m, cols) and w (rows, cols).
func inTiles(t *testing.T, memory *arrays, name string, x, w *tensor, resident int, rest ...any) {
	t.Helper()
	const shared = 4*49152 + 2*16384 + 1024
	box := [3]uint32{64, 128, 1}
	list := append([]any{x.encode(t, memory, box), w.encode(t, memory, box)}, rest...)
	err := kernel(t, "matmul_sm90a.ptx", name).LaunchClusters(memory, [3]int{4, 1, 1}, [3]int{384, 1, 1}, [3]int{2, 1, 1}, shared, arguments(list...), resident)
	if err != nil {
		t.Fatal(err)
	}
}

// dot is a product of rows of x and w.
func dot(x *tensor, i int, w *tensor, j int) (sum float64) {
	for k := range x.columns {
		sum += float64(x.values[i*x.columns+k]) * float64(w.values[j*w.columns+k])
	}
	return sum
}

func floats(random *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(random.NormFloat64())
	}
	return v
}

// The products of clusters of two blocks, and what they do with the results, at sizes that
// leave tiles partly empty.
func TestMatmulTiles(t *testing.T) {
	const m, cols = 300, 136
	for _, half := range []bool{false, true} {
		suffix, random := "bf16", rand.New(rand.NewPCG(11, 12))
		if half {
			suffix = "f16"
		}
		x := randomTensor(random, half, 1, m, cols)
		for _, resident := range []int{1, 4} {
			t.Run(fmt.Sprintf("swiglu %s %d", suffix, resident), func(t *testing.T) {
				const ff = 200
				var memory arrays
				w, out := randomTensor(random, half, 1, 2*ff, cols), fresh(m*ff, half)
				inTiles(t, &memory, "matmul_swiglu_"+suffix, x, w, resident, address(&memory, out.bits), int32(m), int32(ff), int32(cols))
				for i := range out.bits {
					gate, up := dot(x, i/ff, w, i%ff), dot(x, i/ff, w, ff+i%ff)
					if !out.near(t, "swiglu", i, gate/(1+math.Exp(-gate))*up) {
						break
					}
				}
			})
		}
		for _, c := range []struct{ d, heads, kv int }{{128, 3, 1}, {64, 3, 1}, {64, 5, 3}} {
			t.Run(fmt.Sprintf("rotate %s %d %d", suffix, c.d, c.kv), func(t *testing.T) { rotated(t, random, x, c.d, c.heads, c.kv) })
		}
	}
}

func rotated(t *testing.T, random *rand.Rand, x *tensor, d, heads, kv int) {
	const start, n = 5, 310
	m, rows := x.rows, (heads+2*kv)*d
	w, bias, turns := randomTensor(random, x.half, 1, rows, x.columns), floats(random, rows), make([]float32, m*d)
	for i := range m * d / 2 {
		sin, cos := math.Sincos(random.Float64() * 100)
		turns[2*i], turns[2*i+1] = float32(cos), float32(sin)
	}
	suffix := map[bool]string{false: "bf16", true: "f16"}[x.half]
	for _, biased := range []bool{false, true} {
		var memory arrays
		q, k, v := fresh(m*heads*d, x.half), fresh(kv*n*d, x.half), fresh(kv*n*d, x.half)
		b := uint64(0)
		if biased {
			b = address(&memory, bias)
		}
		inTiles(t, &memory, fmt.Sprintf("matmul_rotate_%d_%s", d, suffix), x, w, 4, address(&memory, q.bits), address(&memory, k.bits), address(&memory, v.bits), b, address(&memory, turns),
			int32(m), int32(start), int64(n), int32(heads), int32(kv), int32(x.columns))
		product := func(i, j int) float64 {
			sum := dot(x, i, w, j)
			if biased {
				sum += float64(bias[j])
			}
			return sum
		}
		for i := range m {
			for j := range rows {
				head, e := j/d, j%d
				to, at := q, i*heads*d+j
				switch {
				case head >= heads+kv:
					to, at = v, ((head-heads-kv)*n+start+i)*d+e
				case head >= heads:
					to, at = k, ((head-heads)*n+start+i)*d+e
				}
				want := product(i, j)
				if pair := e % (d / 2); head < heads+kv {
					cos, sin := float64(turns[i*d+2*pair]), float64(turns[i*d+2*pair+1])
					if e < d/2 {
						want = want*cos - product(i, j+d/2)*sin
					} else {
						want = want*cos + product(i, j-d/2)*sin
					}
				}
				if !to.near(t, fmt.Sprintf("row %d, head %d, element %d", i, head, e), at, want) {
					return
				}
			}
		}
		for i := range kv * n * d { // positions that are not these rows'
			if row := i / d % n; (row < start || row >= start+m) && (k.bits[i] != 0x7fff || v.bits[i] != 0x7fff) {
				t.Fatalf("position %d was written", row)
			}
		}
	}
}
