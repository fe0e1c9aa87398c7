package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// buffer is what an [engine.Array] of this package points to.
type buffer struct {
	address uint64
	device  *Device
}

// take is the card's Take outside of an operation.
func (d *Device) take(bytes int64) (p uint64, err error) {
	d.card.Do(func() { p, err = d.card.Take(bytes) })
	return p, err
}

// New returns an array whose contents are undefined.
func (d *Device) New(t engine.Type, n int) (engine.Array, error) {
	if n < 0 {
		panic(fmt.Sprintf("cuda: New: %d elements", n))
	}
	if n == 0 {
		return engine.Array{Type: t}, nil
	}
	p, err := d.take(int64(n) * int64(t.Size()))
	if err != nil {
		return engine.Array{}, err
	}
	return engine.Array{Buffer: &buffer{p, d}, Len: n, Type: t}, nil
}

// Free gives arrays back; empty ones may be among them.
func (d *Device) Free(arrays ...engine.Array) {
	for _, a := range arrays {
		if a.Buffer != nil {
			d.card.Give(a.Buffer.(*buffer).address)
		}
	}
}

// Memory returns the account. Free is what the driver reports as free and what the device
// keeps ready for New.
func (d *Device) Memory() engine.Memory {
	m := d.card.Memory()
	m.Weights = d.weights
	return m
}

// Trim gives unused memory back to the driver.
func (d *Device) Trim() { d.card.Trim() }

// ResetPeak starts the peak anew.
func (d *Device) ResetPeak() { d.card.ResetPeak() }

// pointer returns where an array's first element lies, 0 for an empty array. It
// panics where the array is of another type or another device.
func (d *Device) pointer(operation string, a engine.Array, t engine.Type) uint64 {
	if a.Len == 0 {
		return 0
	}
	if a.Type != t {
		panic(fmt.Sprintf("cuda: %s: array of %v, want %v", operation, a.Type, t))
	}
	b, ok := a.Buffer.(*buffer)
	if !ok || b.device != d {
		panic(fmt.Sprintf("cuda: %s: an array of another device", operation))
	}
	return b.address + uint64(a.Offset)*uint64(t.Size())
}
