// Package ref computes every operation of [engine.Device] as plain loops with float64 sums
// over float32 arrays. It is never tuned: its loops are the formulas of package engine, and
// the fast devices are held to it.
package ref

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// Device is the reference device. Make it with [New].
type Device struct {
	memory engine.Memory
}

// New returns a reference device.
func New() *Device { return &Device{} }

// Name returns "ref".
func (d *Device) Name() string { return "ref" }

// Type returns Float32: the reference has no other.
func (d *Device) Type() engine.Type { return engine.Float32 }

// Describe says what computes.
func (d *Device) Describe() string { return "plain Go, float64 sums, 1 thread" }

// Close does nothing: the garbage collector frees the arrays.
func (d *Device) Close() error { return nil }

// New returns an array of n elements.
func (d *Device) New(t engine.Type, n int) (engine.Array, error) {
	a := engine.Array{Len: n, Type: t}
	switch t {
	case engine.Float32:
		a.Buffer = make([]float32, n)
	case engine.Int32:
		a.Buffer = make([]int32, n)
	case engine.Uint8:
		a.Buffer = make([]byte, n)
	default:
		panic(fmt.Sprintf("ref: no arrays of %v", t))
	}
	d.count(a.Bytes())
	return a, nil
}

// Free gives arrays back.
func (d *Device) Free(arrays ...engine.Array) {
	for _, a := range arrays {
		if a.Buffer != nil {
			d.count(-a.Bytes())
		}
	}
}

func (d *Device) count(bytes int64) {
	d.memory.InUse += bytes
	d.memory.Peak = max(d.memory.Peak, d.memory.InUse)
}

// Memory returns the account; there is no limit.
func (d *Device) Memory() engine.Memory { return d.memory }

// ResetPeak starts the peak anew.
func (d *Device) ResetPeak() { d.memory.Peak = d.memory.InUse }

// Sync has nothing to wait for.
func (d *Device) Sync() error { return nil }

func floats(a engine.Array) []float32 {
	if a.Len == 0 {
		return nil
	}
	return a.Buffer.([]float32)[a.Offset : a.Offset+a.Len]
}

func ints(a engine.Array) []int32 {
	if a.Len == 0 {
		return nil
	}
	return a.Buffer.([]int32)[a.Offset : a.Offset+a.Len]
}

func bytes(a engine.Array) []byte {
	if a.Len == 0 {
		return nil
	}
	return a.Buffer.([]byte)[a.Offset : a.Offset+a.Len]
}

func same(operation string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("ref: %s: length %d does not fit %d", operation, got, want))
	}
}

// Put copies from the host.
func (d *Device) Put(dst engine.Array, src []float32) {
	same("Put", dst.Len, len(src))
	copy(floats(dst), src)
}

// PutInts copies from the host.
func (d *Device) PutInts(dst engine.Array, src []int32) {
	same("PutInts", dst.Len, len(src))
	copy(ints(dst), src)
}

// Get copies to the host.
func (d *Device) Get(dst []float32, src engine.Array) {
	same("Get", src.Len, len(dst))
	copy(dst, floats(src))
}

// GetInts copies to the host.
func (d *Device) GetInts(dst []int32, src engine.Array) {
	same("GetInts", src.Len, len(dst))
	copy(dst, ints(src))
}

// Copy copies on the device.
func (d *Device) Copy(dst, src engine.Array) {
	same("Copy", dst.Len, src.Len)
	switch src.Type {
	case engine.Int32:
		copy(ints(dst), ints(src))
		return
	case engine.Uint8:
		copy(bytes(dst), bytes(src))
		return
	}
	copy(floats(dst), floats(src))
}

// Replay runs the step: nothing is recorded.
func (d *Device) Replay(_ engine.Batch, step func()) { step() }

var (
	_ engine.Device    = (*Device)(nil)
	_ engine.Quantizer = (*Device)(nil)
)
