//go:build !linux

package cpu

func allocate(n int) ([]float32, func()) { return make([]float32, n), nil }
