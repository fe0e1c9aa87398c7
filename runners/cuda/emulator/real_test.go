package emulator

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// arrays are the memory of a test: the slices that were given to address.
type arrays struct {
	ranges [][2]uint64
	kept   []any
}

func (a *arrays) Valid(address uint64, bytes int) bool {
	for _, r := range a.ranges {
		if address >= r[0] && address <= r[1] && uint64(bytes) <= r[1]-address {
			return true
		}
	}
	return false
}

// address makes a slice known to kernels.
func address[T any](a *arrays, s []T) uint64 {
	at := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s))))
	a.ranges = append(a.ranges, [2]uint64{at, at + uint64(len(s))*uint64(unsafe.Sizeof(s[0]))})
	a.kept = append(a.kept, s)
	return at
}

// arguments are the bytes of a kernel's arguments, each of its own size.
func arguments(v ...any) (list [][]byte) {
	for _, v := range v {
		b, err := binary.Append(nil, binary.LittleEndian, v)
		if err != nil {
			panic(err)
		}
		list = append(list, b)
	}
	return list
}

func kernel(t testing.TB, file, name string) *Kernel {
	t.Helper()
	m, err := Parse(source(t, file))
	if err != nil {
		t.Fatal(err)
	}
	k, err := m.Kernel(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// gaussians are random numbers, as bfloat16 and as the same numbers in float32.
func gaussians(random *rand.Rand, n int) (values []float32, bf16 []uint16) {
	values, bf16 = make([]float32, n), make([]uint16, n)
	for i := range values {
		bf16[i] = uint16(toBfloat(float32(random.NormFloat64())))
		values[i] = bfloat(uint32(bf16[i]))
	}
	return values, bf16
}

func TestRMSNorm(t *testing.T) {
	const rows, n = 3, 1000
	random := rand.New(rand.NewPCG(1, 2))
	x, x16 := gaussians(random, rows*n)
	gain, _ := gaussians(random, n)
	const epsilon = 1e-5
	want := make([]float64, rows*n)
	for r := range rows {
		sum := 0.0
		for i := range n {
			sum += float64(x[r*n+i]) * float64(x[r*n+i])
		}
		for i := range n {
			want[r*n+i] = float64(x[r*n+i]) / math.Sqrt(sum/n+epsilon) * float64(gain[i])
		}
	}
	out, out16 := make([]float32, rows*n), make([]uint16, rows*n)
	var memory arrays
	o, o16, in, in16, g := address(&memory, out), address(&memory, out16), address(&memory, x), address(&memory, x16), address(&memory, gain)
	launch := func(name string, o, in uint64, vectors int32) {
		t.Helper()
		clear(out)
		clear(out16)
		err := kernel(t, "rms_norm.ptx", name).Launch(&memory, [3]int{rows, 1, 1}, [3]int{128, 1, 1}, 0,
			arguments(o, uint64(0), in, g, int64(n), float32(epsilon), vectors), 2)
		if err != nil {
			t.Fatal(err)
		}
	}
	for vectors := range int32(2) {
		launch("rms_norm_f32", o, in, vectors)
		for i, w := range want {
			if d := math.Abs(float64(out[i]) - w); !(d <= 2e-6*max(1, math.Abs(w))) {
				t.Fatalf("rms_norm_f32, vectors %d: element %d is %g, not %g", vectors, i, out[i], w)
			}
		}
		launch("rms_norm_bf16", o16, in16, vectors)
		for i, w := range want {
			if d := math.Abs(float64(bfloat(uint32(out16[i]))) - w); !(d <= math.Abs(w)/250+1e-6) {
				t.Fatalf("rms_norm_bf16, vectors %d: element %d is %g, not %g", vectors, i, bfloat(uint32(out16[i])), w)
			}
		}
	}
}

func TestMatmulFew(t *testing.T) {
	const m, rows, columns = 3, 70, 1096 // the last block's rows and the last step's columns are not full
	random := rand.New(rand.NewPCG(3, 4))
	x, x16 := gaussians(random, m*columns)
	w, w16 := gaussians(random, rows*columns)
	bias, _ := gaussians(random, rows)
	out := make([]uint16, m*rows)
	var memory arrays
	o, xa, wa, b := address(&memory, out), address(&memory, x16), address(&memory, w16), address(&memory, bias)
	err := kernel(t, "matmul_few.ptx", "matmul_few_1_bf16").Launch(&memory, [3]int{(rows + 15) / 16, 1, 1}, [3]int{256, 1, 1}, 0,
		arguments(o, xa, wa, b, int32(m), int64(rows), int64(columns), int32(0), uint64(0), uint64(0), int64(0), int64(0)), 4)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m {
		for j := range rows {
			want := float64(bias[j])
			for k := range columns {
				want += float64(x[i*columns+k]) * float64(w[j*columns+k])
			}
			got := float64(bfloat(uint32(out[i*rows+j])))
			if d := math.Abs(got - want); !(d <= math.Abs(want)/250+1e-3) {
				t.Fatalf("row %d, column %d is %g, not %g", i, j, got, want)
			}
		}
	}
}

// item and part are Item and Part of kernels/batch.h and attend_caches_sm90a.cu.
type item struct {
	K, V, Positions                                    uint64
	Held, Position, Query, Group, Split, Slot, Head, _ int32
}
type part struct{ Slot, Stride, Query, Held int32 }

// Decoding: warps copy ahead, blocks take items from a counter, and a second kernel joins
// their results.
func TestAttendCaches(t *testing.T) {
	const d, heads, group, steps = 128, 3, 4, 2
	held := [heads]int{700, 37, 191}
	random := rand.New(rand.NewPCG(5, 6))
	q, q16 := gaussians(random, heads*group*d)
	out := make([]uint16, heads*group*d)
	now := []int32{steps}
	counters := make([]int32, 2)
	var memory arrays
	var items []item
	var parts []part
	var keys, values [heads][]float32
	slots := 0
	for h, n := range held {
		var k16, v16 []uint16
		keys[h], k16 = gaussians(random, (n+steps+1)*d)
		values[h], v16 = gaussians(random, (n+steps+1)*d)
		k, v := address(&memory, k16), address(&memory, v16)
		count := min((n+8+191)/192, 8)
		for split := range count {
			items = append(items, item{K: k, V: v, Held: int32(n), Position: int32(n), Query: int32(h * group), Group: group,
				Split: int32(split), Slot: int32(slots), Head: int32(h)})
		}
		for g := range group {
			parts = append(parts, part{int32(slots + g), group, int32(h*group + g), int32(n)})
		}
		slots += count * group
	}
	partial, state := make([]uint32, slots*d), make([]uint32, slots*2)
	o, n, p, st := address(&memory, out), address(&memory, now), address(&memory, partial), address(&memory, state)
	arg := arguments(o, address(&memory, q16), address(&memory, items), int32(len(items)), n, p, st, address(&memory, counters),
		int32(d), int32(0), float32(1/math.Sqrt(d)))
	joinArg := arguments(o, address(&memory, parts), n, p, st, int32(d))
	k, join := kernel(t, "attend_caches_sm90a.ptx", "attend_128_bf16"), kernel(t, "attend_caches_sm90a.ptx", "attend_join_bf16")
	const tile, warps, most, stages = 16, 4, 8, 2
	shared := warps*most*d*4 + 2*most*d*2 + warps*stages*2*tile*d*2
	for _, blocks := range []int{1, 3, 5} {
		clear(out)
		if err := k.Launch(&memory, [3]int{blocks, 1, 1}, [3]int{32 * warps, 1, 1}, shared, arg, 2); err != nil {
			t.Fatal(err)
		}
		if err := join.Launch(&memory, [3]int{len(parts), 1, 1}, [3]int{32 * warps, 1, 1}, 0, joinArg, 2); err != nil {
			t.Fatal(err)
		}
		for query := range heads * group {
			h := query / group
			n := held[h] + steps + 1
			var sum [d]float64
			total := 0.0
			for i := range n {
				dot := 0.0
				for e := range d {
					dot += float64(q[query*d+e]) * float64(keys[h][i*d+e])
				}
				weight := math.Exp(dot / math.Sqrt(d))
				total += weight
				for e := range d {
					sum[e] += weight * float64(values[h][i*d+e])
				}
			}
			for e := range d {
				got, want := float64(bfloat(uint32(out[query*d+e]))), sum[e]/total
				if diff := math.Abs(got - want); !(diff <= 0.006) {
					t.Fatalf("%d blocks: query %d, column %d is %g, not %g", blocks, query, e, got, want)
				}
			}
		}
		if counters[0] != 0 || counters[1] != 0 {
			t.Fatalf("%d blocks leave counters %v", blocks, counters)
		}
	}
}
