package card

import (
	"fmt"
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// openBlas makes a cuBLAS that works on the card's stream.
func (c *Card) openBlas() error {
	if err := c.blas.check(call(c.blas.Create, uintptr(unsafe.Pointer(&c.blasHandle)))); err != nil {
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	if err := c.blas.check(call(c.blas.SetStream, c.blasHandle, c.stream)); err != nil {
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	workspace, err := c.Take(workspaceBytes)
	if err != nil {
		return err
	}
	if err := c.blas.check(call(c.blas.SetWorkspace, c.blasHandle, uintptr(workspace), workspaceBytes)); err != nil {
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	return nil
}

// blasVersion is "13.1.0".
func (c *Card) blasVersion() string {
	var version int32
	call(c.blas.GetVersion, c.blasHandle, uintptr(unsafe.Pointer(&version)))
	return cublasVersion(version)
}

// cudaDataType is CUDA's number for an element type.
func cudaDataType(t engine.Type) uintptr {
	switch t {
	case engine.Float16:
		return 2
	case engine.BFloat16:
		return 14
	}
	return 0
}

// Gemm has cuBLAS multiply: dst = x · wᵀ, or dst += x · wᵀ where add. x (m, cols) and w
// (rows, cols) of t, dst (m, rows) of dstType; sums are float32, without tf32.
func (c *Card) Gemm(dst uint64, dstType engine.Type, x, w uint64, t engine.Type, m, rows, cols int, add bool) {
	const transpose, plain = 1, 0
	const computeFloat32 = 68     // CUBLAS_COMPUTE_32F
	const algorithm = ^uintptr(0) // CUBLAS_GEMM_DEFAULT
	c.alpha, c.beta = 1, 0
	if add {
		c.beta = 1
	}
	if c.err != nil {
		return
	}
	// The library's matrices are column-major: it sees w as (cols, rows), to be transposed.
	status := call(c.blas.GemmEx, c.blasHandle, transpose, plain, uintptr(rows), uintptr(m), uintptr(cols),
		uintptr(unsafe.Pointer(&c.alpha)), uintptr(w), cudaDataType(t), uintptr(cols),
		uintptr(x), cudaDataType(t), uintptr(cols),
		uintptr(unsafe.Pointer(&c.beta)), uintptr(dst), cudaDataType(dstType), uintptr(rows), computeFloat32, algorithm)
	c.Fail(c.blas.check(status))
}
