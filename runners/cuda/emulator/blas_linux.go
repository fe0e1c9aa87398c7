package emulator

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync"
)

// element is CUDA's number for an element type (cudaDataType).
type element uint32

const (
	float32Element  element = 0
	float16Element  element = 2
	bfloat16Element element = 14
)

// size is 0 for a type that is not supported.
func (e element) size() int {
	switch e {
	case float32Element:
		return 4
	case float16Element, bfloat16Element:
		return 2
	}
	return 0
}

// read decodes numbers.
func (e element) read(to []float32, from []byte) {
	switch e {
	case float32Element:
		for i := range to {
			to[i] = math.Float32frombits(binary.LittleEndian.Uint32(from[4*i:]))
		}
	case bfloat16Element:
		for i := range to {
			to[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(from[2*i:])) << 16)
		}
	case float16Element:
		for i := range to {
			h := binary.LittleEndian.Uint16(from[2*i:])
			exponent, fraction := int(h>>10&31), float64(h&0x3ff)
			v := math.Ldexp(fraction, -24)
			switch {
			case exponent == 31 && fraction != 0:
				v = math.NaN()
			case exponent == 31:
				v = math.Inf(1)
			case exponent > 0:
				v = math.Ldexp(1024+fraction, exponent-25)
			}
			if h&0x8000 != 0 {
				v = -v
			}
			to[i] = float32(v)
		}
	}
}

// write encodes one number, to nearest, ties to even.
func (e element) write(to []byte, v float32) {
	bits := math.Float32bits(v)
	switch e {
	case float32Element:
		binary.LittleEndian.PutUint32(to, bits)
	case bfloat16Element:
		h := uint16((bits + 0x7fff + bits>>16&1) >> 16)
		if v != v {
			h = 0x7fff
		}
		binary.LittleEndian.PutUint16(to, h)
	case float16Element:
		sign, a := uint16(bits>>16&0x8000), math.Abs(float64(v))
		var h uint16
		switch {
		case v != v:
			h = 0x7fff
		case a >= 65520: // halfway to what would come after the largest
			h = 0x7c00
		case a < 0x1p-14:
			h = uint16(math.RoundToEven(a * 0x1p24))
		default:
			_, exponent := math.Frexp(a) // a is in [2^(exponent-1), 2^exponent)
			// 1024 to 2048 steps of 2^(exponent-11); 2048 of them carry into the exponent.
			h = uint16(exponent+13)<<10 + uint16(math.RoundToEven(math.Ldexp(a, 11-exponent)))
		}
		binary.LittleEndian.PutUint16(to, sign|h)
	}
}

// matrix is a matrix in memory, stored column by column, leading numbers apart.
type matrix struct {
	kind          element
	address       uint64
	rows, columns int // as it is stored
	leading       int
}

// bytes is the number of bytes from the matrix's first to its last.
func (a matrix) bytes() int {
	if a.rows == 0 || a.columns == 0 {
		return 0
	}
	return ((a.columns-1)*a.leading + a.rows) * a.kind.size()
}

// read returns the rows of the matrix, or of its transpose, one after the other.
func (a matrix) read(memory []byte, byColumns bool) []float32 {
	stored := make([]float32, a.rows*a.columns)
	size := a.kind.size()
	for c := range a.columns {
		a.kind.read(stored[c*a.rows:(c+1)*a.rows], memory[c*a.leading*size:])
	}
	if byColumns {
		return stored
	}
	turned := make([]float32, len(stored))
	for c := range a.columns {
		for r := range a.rows {
			turned[r*a.columns+c] = stored[c*a.rows+r]
		}
	}
	return turned
}

// gemm computes c = alpha · op(a) · op(b) + beta · c, where op transposes or does
// nothing, as cublasGemmEx. Sums are in double precision and rounded to float32 before
// they are rounded to c's type. It returns what is wrong with the arguments, or where
// the matrices reach outside of an allocation.
func gemm(memory *memory, transposeA, transposeB bool, a, b, c matrix, inner int, alpha, beta float32) (invalid, fault error) {
	for name, m := range map[string]matrix{"matrix A": a, "matrix B": b, "matrix C": c} {
		if m.kind.size() == 0 {
			return fmt.Errorf("%s is of type %d: have 0 (float32), 2 (float16), 14 (bfloat16)", name, m.kind), nil
		}
		if m.rows < 0 || m.columns < 0 || m.leading < max(m.rows, 1) {
			return fmt.Errorf("%s is (%d, %d) with columns %d apart", name, m.rows, m.columns, m.leading), nil
		}
	}
	if a.kind != b.kind || c.kind != a.kind && c.kind != float32Element {
		return fmt.Errorf("matrices of types %d, %d, %d", a.kind, b.kind, c.kind), nil
	}
	if c.rows == 0 || c.columns == 0 {
		return nil, nil
	}
	var from [2][]float32
	for i, m := range []struct {
		name string
		matrix
		byColumns bool
	}{{"A", a, transposeA}, {"B", b, !transposeB}} {
		bytes, err := memory.bytes("cublasGemmEx: reading "+m.name+":", m.address, m.bytes())
		if err != nil {
			return nil, err
		}
		from[i] = m.read(bytes, m.byColumns)
	}
	to, err := memory.bytes("cublasGemmEx: writing C:", c.address, c.bytes())
	if err != nil {
		return nil, err
	}
	workers := min(runtime.GOMAXPROCS(0), c.columns)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			var before [1]float32
			for column := w * c.columns / workers; column < (w+1)*c.columns/workers; column++ {
				y := from[1][column*inner : (column+1)*inner]
				for row := range c.rows {
					x := from[0][row*inner : (row+1)*inner]
					var s [4]float64
					i := 0
					for ; i+4 <= inner; i += 4 {
						for j := range s {
							s[j] += float64(x[i+j]) * float64(y[i+j])
						}
					}
					for ; i < inner; i++ {
						s[0] += float64(x[i]) * float64(y[i])
					}
					v := float64(alpha) * (s[0] + s[1] + s[2] + s[3])
					out := to[(column*c.leading+row)*c.kind.size():]
					if beta != 0 { // otherwise C may hold NaN
						c.kind.read(before[:], out)
						v += float64(beta) * float64(before[0])
					}
					c.kind.write(out, float32(v))
				}
			}
		})
	}
	group.Wait()
	return nil, nil
}

type blas struct {
	*stream
	*Card
}

// cuBLAS's statuses.
const (
	cublasNotInitialized  cuResult = 1
	cublasInvalidValue    cuResult = 7
	cublasExecutionFailed cuResult = 13
)

func cublasStatus(code cuResult) cuResult {
	if code != success {
		return cublasInvalidValue
	}
	return success
}

func cublasText(status cuResult) string {
	s, ok := map[cuResult]string{
		success: "CUBLAS_STATUS_SUCCESS", cublasNotInitialized: "CUBLAS_STATUS_NOT_INITIALIZED",
		cublasInvalidValue: "CUBLAS_STATUS_INVALID_VALUE", cublasExecutionFailed: "CUBLAS_STATUS_EXECUTION_FAILED",
	}[status]
	if !ok {
		return "an unknown status"
	}
	if c := current(); c != nil && status == cublasExecutionFailed {
		if err := c.Fault(); err != nil {
			s += ": " + err.Error()
		}
	}
	said.Lock()
	defer said.Unlock()
	if status == cublasInvalidValue && said.err != nil {
		s += ": " + said.err.Error()
	}
	return s
}

// gemmEx is cublasGemmEx with alpha and beta in host memory.
func gemmEx(a []uintptr) cuResult {
	b, ok := of[*blas](a[0])
	if !ok || b.stream == nil {
		return cublasNotInitialized
	}
	const plain, transpose, float32Sums = 0, 1, 68
	refused := func(format string, a ...any) cuResult {
		refuse(invalidValue, "cublasGemmEx: "+format, a...)
		return cublasInvalidValue
	}
	if a[1] > transpose || a[2] > transpose {
		return refused("operations %d and %d: have 0 (none), 1 (transpose)", a[1], a[2])
	}
	if uint32(a[17]) != float32Sums {
		return refused("sums of type %d: have 68 (float32)", uint32(a[17]))
	}
	m, n, k := int(int32(a[3])), int(int32(a[4])), int(int32(a[5]))
	alpha, beta := *(*float32)(hostAt(a[6])), *(*float32)(hostAt(a[13]))
	stored := func(transposed bool, rows, columns int, address, kind, leading uintptr) matrix {
		if transposed {
			rows, columns = columns, rows
		}
		return matrix{element(kind), uint64(address), rows, columns, int(int32(leading))}
	}
	first := stored(a[1] == transpose, m, k, a[7], a[8], a[9])
	second := stored(a[2] == transpose, k, n, a[10], a[11], a[12])
	out := stored(false, m, n, a[14], a[15], a[16])
	code := b.stream.do(func() cuResult {
		invalid, err := gemm(&b.Card.memory, a[1] == transpose, a[2] == transpose, first, second, out, k, alpha, beta)
		if invalid != nil {
			return refused("%w", invalid)
		}
		if err != nil {
			b.Card.fails(illegalAddress, err)
			return cublasExecutionFailed
		}
		return success
	})
	if code != success && code != cublasInvalidValue {
		return cublasExecutionFailed
	}
	return code
}
