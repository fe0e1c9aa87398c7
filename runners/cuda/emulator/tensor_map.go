package emulator

import (
	"errors"
	"fmt"
	"math/bits"
	"unsafe"
)

// tensorMap is what the emulated driver keeps in the 128 bytes of a CUtensorMap: how
// the copy engine finds boxes in an array. Dimensions go from the innermost out.
type tensorMap struct {
	magic    uint64
	address  uint64
	dims     [5]uint64 // elements
	strides  [4]uint64 // bytes, of the second dimension and on
	box      [5]uint16 // elements
	steps    [5]uint8  // elements
	kind     uint8
	rank     uint8
	swizzle  uint8
	nan      bool
	elements uint8 // bytes
	_        [128 - 109]byte
}

const tensorMapMagic = 0x7E5503A9

// elementBytes are by CUtensorMapDataType: the integers, float16 (6), float32,
// float64, bfloat16 (9), and float32 in three more ways.
var elementBytes = [...]int{1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4}

const (
	noSwizzle = iota // CUtensorMapSwizzle
	swizzle32
	swizzle64
	swizzle128
)

// newTensorMap makes a map, or says which demand of cuTensorMapEncodeTiled is not met.
func newTensorMap(kind, rank uint32, address uint64, dims, strides []uint64, box, steps []uint32, swizzle, promotion, fill uint32) (tensorMap, error) {
	m := tensorMap{magic: tensorMapMagic, address: address, kind: uint8(kind), rank: uint8(rank), swizzle: uint8(swizzle), nan: fill == 1}
	switch {
	case kind >= uint32(len(elementBytes)):
		return m, fmt.Errorf("data type %d: 0 to %d", kind, len(elementBytes)-1)
	case address == 0 || address%16 != 0:
		return m, fmt.Errorf("global address %#x is not a multiple of 16", address)
	case swizzle > swizzle128 || promotion > 3:
		return m, fmt.Errorf("swizzle %d and promotion %d: 0 to 3", swizzle, promotion)
	case fill > 1 || fill == 1 && kind < 6:
		return m, fmt.Errorf("fill %d for data type %d", fill, kind)
	}
	size := uint64(elementBytes[kind])
	m.elements = uint8(size)
	for n := range dims {
		switch {
		case dims[n] == 0 || dims[n] > 1<<32:
			return m, fmt.Errorf("dimension %d has %d elements: 1 to 2³²", n, dims[n])
		case box[n] == 0 || box[n] > 256:
			return m, fmt.Errorf("dimension %d of a box has %d elements: 1 to 256", n, box[n])
		case steps[n] == 0 || steps[n] > 8:
			return m, fmt.Errorf("dimension %d in steps of %d elements: 1 to 8", n, steps[n])
		}
		m.dims[n], m.box[n], m.steps[n] = dims[n], uint16(box[n]), uint8(steps[n])
	}
	for n, s := range strides {
		if s%16 != 0 || s >= 1<<40 {
			return m, fmt.Errorf("dimension %d is %d bytes apart: must be a multiple of 16 below 2⁴⁰", n+1, s)
		}
		m.strides[n] = s
	}
	inner := uint64(box[0]) * size
	if inner%16 != 0 {
		return m, fmt.Errorf("rows of a box have %d bytes: must be a multiple of 16", inner)
	}
	if swizzle != noSwizzle && inner > 16<<swizzle {
		return m, fmt.Errorf("rows of a box have %d bytes, the swizzle spans %d", inner, 16<<swizzle)
	}
	return m, nil
}

// swizzled is where the 128-byte swizzle puts a byte: the number of its chunk of 16 bytes is
// xored with the number of its row of 128 bytes, modulo eight. Both are counted by the
// address in shared memory.
func swizzled(address uint64) uint64 { return address ^ (address>>7&7)<<4 }

// box is a copy of a map's box under way.
type box struct {
	tensorMap
	at     [3]int32 // its first element
	shared uint64   // host address of shared address 0
	to     uint64   // shared address
}

// rows calls f for each of a box's rows of 128 bytes with its number, its address and how many
// of its bytes lie in the array; the first `skip` of the row lie outside.
func (b *box) rows(f func(row int, from uint64, skip, n int)) {
	size, wide := int64(b.elements), int64(b.box[0])
	low, high := max(0, -int64(b.at[0])), min(wide, int64(b.dims[0])-int64(b.at[0]))
	row := 0
	for z := range int64(b.box[2]) {
		for y := range int64(b.box[1]) {
			at := [3]int64{int64(b.at[0]), int64(b.at[1]) + y, int64(b.at[2]) + z}
			inside := low < high && at[1] >= 0 && at[1] < int64(b.dims[1]) && at[2] >= 0 && at[2] < int64(b.dims[2])
			if inside {
				from := int64(b.address) + (at[0]+low)*size + at[1]*int64(b.strides[0]) + at[2]*int64(b.strides[1])
				f(row, uint64(from), int(low*size), int((high-low)*size))
			} else {
				f(row, 0, 0, 0)
			}
			row++
		}
	}
}

func (b *box) bytes() int { return int(b.elements) * int(b.box[0]) * int(b.box[1]) * int(b.box[2]) }

// finish writes the box; what lies outside the array is zero.
func (b *box) finish() {
	b.rows(func(row int, from uint64, skip, n int) {
		var bytes [128]byte
		if n > 0 {
			copy(bytes[skip:], unsafe.Slice((*byte)(pointer(from)), n))
		}
		for c := 0; c < len(bytes); c += 16 {
			*(*[16]byte)(pointer(b.shared + swizzled(b.to+uint64(128*row+c)))) = [16]byte(bytes[c:])
		}
	})
}

// tensorCopy decodes the operands of cp.async.bulk.tensor.3d.
func (d *decoder) tensorCopy() {
	i, o := d.i, d.st.operands
	i.a, i.b = d.register(&o[0]), d.register(&o[2])
	from := &o[1]
	if from.kind != addressOperand || len(from.list) != 2 || from.offset != 0 || len(from.list[1].list) != 3 {
		d.fail("%s is no map and three coordinates", from.name)
		return
	}
	i.c = d.long(&from.list[0])
	for n := range from.list[1].list {
		i.list = append(i.list, d.word(&from.list[1].list[n], 32))
	}
	i.exec = execTensorCopy
}

func execTensorCopy(w *warp, i *instruction, mask uint32) {
	for m := mask; m != 0 && w.fault == nil; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		t, err := w.tensorMap(w.q[i.c][l])
		if err != nil {
			w.fail(i, 1<<l, "%v", err)
			return
		}
		from := box{tensorMap: *t}
		for n := range from.at {
			from.at[n] = int32(w.r[i.list[n]][l])
		}
		to := uint64(w.r[i.a][l])
		if to%128 != 0 {
			w.fail(i, 1<<l, "shared address %#x is not a multiple of 128", to)
		}
		from.rows(func(_ int, at uint64, _, n int) {
			if n > 0 && !w.block.launch.memory.Valid(at, n) {
				w.fail(i, 1<<l, "%d bytes at global address %#x of a tensor map's box at %v are in no allocation", n, at, from.at)
			}
		})
		if w.fault != nil {
			return
		}
		w.send(i, l, from.bytes(), to, uint64(w.r[i.b][l]), func(b *block, to uint64) interface{ finish() } {
			box := from
			box.shared, box.to = b.host(), to
			return &box
		})
	}
}

// tensorMap finds the map at a generic address; it must be a kernel's parameter.
func (w *warp) tensorMap(address uint64) (*tensorMap, error) {
	l := w.block.launch
	offset := address - paramWindow
	if address&windowMask != paramWindow || offset%64 != 0 || offset+128 > uint64(8*len(l.parameters)) {
		return nil, fmt.Errorf("a tensor map at %#x: must be a parameter of the kernel that is aligned to 64 bytes", address)
	}
	t := (*tensorMap)(pointer(hostAddress(l.parameters) + offset))
	switch {
	case t.magic != tensorMapMagic:
		return nil, errors.New("the parameter is no tensor map")
	case t.rank != 3:
		return nil, fmt.Errorf("the tensor map has %d dimensions, not 3", t.rank)
	case t.swizzle != swizzle128 || int(t.elements)*int(t.box[0]) != 128 || t.steps != [5]uint8{1, 1, 1} || t.nan:
		return nil, fmt.Errorf("not emulated: swizzle %d of rows of %d bytes in steps of %v; only whole rows of 128 bytes in the 128-byte swizzle are",
			t.swizzle, int(t.elements)*int(t.box[0]), t.steps[:3])
	}
	return t, nil
}
