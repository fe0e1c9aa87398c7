package engine

import "fmt"

// Type is the element type of a device array.
type Type uint8

// The element types of arrays. Keys, values and activations have the device's
// own type ([Device.Type]); scores, logits and norm weights are Float32;
// positions and token ids are Int32; the codes of packed caches Uint8.
const (
	Float32 Type = iota
	Float16
	BFloat16
	Int32
	Uint8
)

// Size returns the bytes of one element.
func (t Type) Size() int {
	switch t {
	case Float16, BFloat16:
		return 2
	case Uint8:
		return 1
	}
	return 4
}

func (t Type) String() string {
	switch t {
	case Float32:
		return "float32"
	case Float16:
		return "float16"
	case BFloat16:
		return "bfloat16"
	case Int32:
		return "int32"
	case Uint8:
		return "uint8"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// Array is a run of elements on a device. It is a value: copying it copies no
// numbers. The zero Array is empty.
type Array struct {
	Buffer any // the device's own
	Offset int // of the first element in Buffer, in elements
	Len    int // elements
	Type   Type
}

// Slice returns the elements lo up to hi as an array that shares the buffer.
func (a Array) Slice(lo, hi int) Array {
	if lo < 0 || hi < lo || hi > a.Len {
		panic(fmt.Sprintf("engine: slice %d:%d of an array of %d", lo, hi, a.Len))
	}
	a.Offset, a.Len = a.Offset+lo, hi-lo
	return a
}

// Bytes returns the size of the array's elements.
func (a Array) Bytes() int64 { return int64(a.Len) * int64(a.Type.Size()) }
