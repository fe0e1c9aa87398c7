package emulator

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// arrays are the memory of a test: what was handed to address.
type arrays [][2]uint64

func (a *arrays) Valid(address uint64, bytes int) bool {
	for _, r := range *a {
		if address >= r[0] && address <= r[1] && uint64(bytes) <= r[1]-address {
			return true
		}
	}
	return false
}

// address makes a slice known to kernels.
func address[T any](a *arrays, s []T) uint64 {
	at := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s))))
	*a = append(*a, [2]uint64{at, at + uint64(len(s))*uint64(unsafe.Sizeof(s[0]))})
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

// gaussians are numbers that have a bfloat16 each, and those.
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
	launch := func(name string, o, in uint64) {
		err := kernel(t, "rms_norm.ptx", name).Launch(&memory, [3]int{rows, 1, 1}, [3]int{128, 1, 1}, 0,
			arguments(o, in, g, int64(n), float32(epsilon), int32(0)), 2)
		if err != nil {
			t.Fatal(err)
		}
	}
	launch("rms_norm_f32", o, in)
	launch("rms_norm_bf16", o16, in16)
	for i, w := range want {
		if d := math.Abs(float64(out[i]) - w); !(d <= 2e-6*max(1, math.Abs(w))) {
			t.Fatalf("rms_norm_f32: element %d is %g, not %g", i, out[i], w)
		}
		if d := math.Abs(float64(bfloat(uint32(out16[i]))) - w); !(d <= math.Abs(w)/200+1e-6) {
			t.Fatalf("rms_norm_bf16: element %d is %g, not %g", i, bfloat(uint32(out16[i])), w)
		}
	}
}
var _ = fmt.Sprint
var _ = strings.Join
