//go:build !amd64 || noasm

package cpu

// available returns the kernels this machine can run, the fastest first.
func available() []*kernels { return []*kernels{goKernels} }
