package emulator

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// product calls cublasGemmEx on fresh memory for C with columns apart, and returns C.
func product(t *testing.T, stream uintptr, ta, tb int, m, n, k int, a, b, c []float32, kind, out element, lda, ldb, ldc int, beta float32) ([]float32, cuResult) {
	t.Helper()
	put := func(kind element, v []float32) uint64 {
		to := make([]byte, len(v)*kind.size())
		for i := range v {
			kind.write(to[i*kind.size():], v[i])
		}
		p := alloc(t, len(to))
		ok(t, "copy", called("cuMemcpyHtoDAsync_v2", uintptr(p), uintptr(unsafe.Pointer(&to[0])), uintptr(len(to)), stream))
		return p
	}
	pa, pb, pc := put(kind, a), put(kind, b), put(out, c)
	h := &host{}
	ok(t, "create", called("cublasCreate_v2", uintptr(unsafe.Pointer(&h.handle))))
	ok(t, "stream", called("cublasSetStream_v2", h.handle, stream))
	scale := &[2]float32{2, beta}
	code := called("cublasGemmEx", h.handle, uintptr(ta), uintptr(tb), uintptr(m), uintptr(n), uintptr(k),
		uintptr(unsafe.Pointer(&scale[0])), uintptr(pa), uintptr(kind), uintptr(lda), uintptr(pb), uintptr(kind), uintptr(ldb),
		uintptr(unsafe.Pointer(&scale[1])), uintptr(pc), uintptr(out), uintptr(ldc), 68, math.MaxUint64)
	ok(t, "destroy", called("cublasDestroy_v2", h.handle))
	if code != success {
		return nil, code
	}
	back := make([]byte, len(c)*out.size())
	ok(t, "copy", called("cuMemcpyDtoHAsync_v2", uintptr(unsafe.Pointer(&back[0])), uintptr(pc), uintptr(len(back)), stream))
	got := make([]float32, len(c))
	out.read(got, back)
	return got, code
}

func TestGemm(t *testing.T) {
	_, stream := plugged(t, small())
	rng := rand.New(rand.NewPCG(1, 2))
	const m, n, k, gap = 5, 7, 11, 3
	for _, c := range []struct {
		kind, out element
		epsilon   float64
	}{{float32Element, float32Element, 0x1p-23}, {bfloat16Element, float32Element, 0x1p-23}, {bfloat16Element, bfloat16Element, 0x1p-7}, {float16Element, float16Element, 0x1p-10}} {
		for _, how := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
			for _, beta := range []float32{0, 1, -0.5} {
				numbers := func(kind element, rows, columns int) ([]float32, int) {
					v := make([]float32, (rows+gap)*columns)
					b := make([]byte, 4)
					for i := range v {
						kind.write(b, float32(rng.NormFloat64()))
						kind.read(v[i:i+1], b)
					}
					return v, rows + gap
				}
				ar, ac, br, bc := m, k, k, n
				if how[0] == 1 {
					ar, ac = ac, ar
				}
				if how[1] == 1 {
					br, bc = bc, br
				}
				a, lda := numbers(c.kind, ar, ac)
				b, ldb := numbers(c.kind, br, bc)
				before, ldc := numbers(c.out, m, n)
				if beta == 0 {
					before[0] = float32(math.NaN()) // C is not read
				}
				got, code := product(t, stream, how[0], how[1], m, n, k, a, b, before, c.kind, c.out, lda, ldb, ldc, beta)
				ok(t, "cublasGemmEx", code)
				for i := range got {
					row, column := i%ldc, i/ldc
					want := float64(before[i])
					if row < m {
						want *= float64(beta)
						if beta == 0 {
							want = 0
						}
						for j := range k {
							x, y := j*lda+row, column*ldb+j
							if how[0] == 1 {
								x = row*lda + j
							}
							if how[1] == 1 {
								y = j*ldb + column
							}
							want += 2 * float64(a[x]) * float64(b[y])
						}
					}
					if diff := math.Abs(float64(got[i]) - want); !(diff <= c.epsilon*math.Abs(want)) {
						t.Fatalf("types %d, %d, operations %v, beta %v: (%d, %d) is %v, want %v", c.kind, c.out, how, beta, row, column, got[i], want)
					}
				}
			}
		}
	}
	v := make([]float32, 64)
	if _, code := product(t, stream, 0, 0, 8, 8, 8, v, v, v, float32Element, float32Element, 7, 8, 8, 0); code != cublasInvalidValue {
		t.Errorf("columns of 8 numbers 7 apart: status %d", code)
	}
	if _, code := product(t, stream, 0, 0, 8, 8, 8, v, v, v, float32Element, bfloat16Element, 8, 8, 8, 0); code != cublasInvalidValue {
		t.Errorf("float32 into bfloat16: status %d", code)
	}
	if _, code := product(t, stream, 0, 0, 8, 8, 9, v, v, v, float32Element, float32Element, 8, 9, 8, 0); code != cublasExecutionFailed {
		t.Errorf("nine columns of a matrix of eight: status %d", code)
	}
	if got := cublasText(cublasExecutionFailed); !strings.Contains(got, "reading A") && !strings.Contains(got, "reading B") {
		t.Errorf("the status says %q", got)
	}
}

// TestElements: every number of a half type is read and written unchanged, and others are
// rounded to the nearest.
func TestElements(t *testing.T) {
	b, v := make([]byte, 2), make([]float32, 1)
	for _, kind := range []element{float16Element, bfloat16Element} {
		values := make([]float64, 0, 1<<15)
		for i := range 1 << 16 {
			b[0], b[1] = byte(i), byte(i>>8)
			kind.read(v, b)
			if v[0] != v[0] {
				continue
			}
			kind.write(b, v[0])
			if got := int(b[0]) | int(b[1])<<8; got != i {
				t.Fatalf("type %d: %#04x is %v, which is %#04x", kind, i, v[0], got)
			}
			if i < 1<<15 && !math.IsInf(float64(v[0]), 0) {
				values = append(values, float64(v[0])) // ascending
			}
		}
		for i := range len(values) - 1 {
			middle := (values[i] + values[i+1]) / 2
			if float64(float32(middle)) != middle {
				continue // below float32's range
			}
			for _, w := range []struct {
				v    float32
				want float64
			}{
				{float32(middle), values[i+i%2]}, // the even one
				{math.Nextafter32(float32(middle), 0), values[i]},
				{math.Nextafter32(float32(middle), math.MaxFloat32), values[i+1]},
			} {
				kind.write(b, w.v)
				kind.read(v, b)
				if float64(v[0]) != w.want {
					t.Fatalf("type %d: %v is %v, want %v (between %v and %v)", kind, w.v, v[0], w.want, values[i], values[i+1])
				}
			}
		}
	}
}
