package emulator

import (
	"math/bits"
	"strings"
	"unsafe"
)

// Where the generic addresses of shared memory, local memory and parameters begin; the host
// has no memory at such addresses.
const (
	sharedWindow = 1 << 60
	localWindow  = 2 << 60
	paramWindow  = 3 << 60
	windowMask   = 15 << 60
)

// toAddress decodes cvta[.to].space.
func (d *decoder) toAddress() {
	if !d.arity(2, 2) {
		return
	}
	i, o := d.i, d.st.operands
	parts := without(d.parts[1:], "to")
	if len(parts) != 2 || parts[1] != "u64" {
		d.err = errUnknown
		return
	}
	base := uint64(0)
	name, _, _ := strings.Cut(parts[0], "::")
	switch name {
	case "global", "const":
	case "param":
		base = paramWindow
	case "shared":
		base = sharedWindow
	case "local":
		base = localWindow
	default:
		d.err = errUnknown
		return
	}
	if d.has("to") {
		base = -base
	}
	i.exec, i.d, i.a = execLong1, d.destination(&o[0], longs), d.long(&o[1])
	i.f = func(x uint64) uint64 { return x + base }
}

// access reads the parts of ld and st: the space, the vector and the type.
func (d *decoder) access() (count int) {
	i := d.i
	count = 1
	for _, m := range d.parts[1 : len(d.parts)-1] {
		name, which, _ := strings.Cut(m, "::")
		switch name {
		case "global", "const":
			i.space = globalSpace
		case "shared":
			i.space = sharedOf(which)
		case "local":
			i.space = localSpace
		case "param":
			i.space = paramSpace
		case "v2":
			count = 2
		case "v4":
			count = 4
		case "nc", "ca", "cg", "cs", "cv", "lu", "wb", "wt", "volatile", "relaxed", "acquire", "release", "weak", "cta", "gpu", "sys", "cluster", "L1", "L2":
		default:
			d.err = errUnknown
		}
	}
	typ := d.parts[len(d.parts)-1]
	width := typeBits["."+typ]
	if width < 8 {
		d.err = errUnknown
		return 0
	}
	i.size, i.signed = int8(width/8), typ[0] == 's'
	if count*width > 128 {
		d.fail("%d bits at once", count*width)
	}
	return count
}

// values takes the count registers of ld and st.
func (d *decoder) values(o *operand, count int, number bool) {
	i := d.i
	list := vector(o)
	if len(list) != count {
		d.fail("%d registers for %d values", len(list), count)
		return
	}
	for e := range list {
		v := &list[e]
		switch {
		case v.kind == registerOperand && v.reg.width >= 8*int(i.size):
			file := fileOf(v.reg.width)
			if e > 0 && int8(file) != i.file {
				d.fail("registers of different sizes")
			}
			i.file = int8(file)
			i.cut = ^uint32(0) >> (32 - min(v.reg.width, 32))
			i.list = append(i.list, int32(v.reg.index))
		case v.kind == sinkOperand && !number:
			if e == 0 {
				i.file = int8(fileOf(8 * int(i.size)))
			}
			i.list = append(i.list, -1)
		case number && (v.kind == integerOperand || v.kind == floatOperand || v.kind == doubleOperand):
			i.file = int8(fileOf(8 * int(i.size)))
			i.list = append(i.list, d.source(v, max(32, 8*int(i.size))))
		default:
			d.fail("%s is no register of %d bits or more", v.name, 8*i.size)
		}
	}
}

func (d *decoder) load() {
	if len(d.parts) < 2 || !d.arity(2, 2) {
		d.fail("ld has a type and two operands")
		return
	}
	count := d.access()
	if d.err != nil {
		return
	}
	d.values(&d.st.operands[0], count, false)
	d.address(&d.st.operands[1])
	d.i.exec, d.i.reads = execLoad, true
	if d.i.space == paramSpace {
		d.i.exec = execLoadParameter
		size := int64(count) * int64(d.i.size)
		if d.i.base >= 0 || d.i.offset < 0 || d.i.offset+size > int64(d.k.parameterBytes) || d.i.offset%int64(d.i.size) != 0 {
			d.fail("no parameter is there")
		}
	}
}

func (d *decoder) store() {
	if len(d.parts) < 2 || !d.arity(2, 2) {
		d.fail("st has a type and two operands")
		return
	}
	count := d.access()
	if d.err != nil {
		return
	}
	if d.i.space == paramSpace {
		d.fail("parameters cannot be written")
	}
	d.values(&d.st.operands[1], count, true)
	d.address(&d.st.operands[0])
	d.i.exec = execStore
}

// pointer converts an address to a pointer. It does so through memory, because the address
// comes from the launcher (Memory) and not from a Go pointer, which go vet would expect.
func pointer(address uint64) unsafe.Pointer {
	a := uintptr(address)
	return *(*unsafe.Pointer)(unsafe.Pointer(&a))
}

// hostAddress is the address of a slice; the launch keeps the slice alive.
func hostAddress(s []uint64) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s)))) }

// addresses finds the host addresses at which the lanes of the mask access n bytes. It
// returns false, and the warp has failed, where a lane may not access them.
func (w *warp) addresses(i *instruction, mask uint32, n int, at *[lanes]uint64) bool {
	var address [lanes]uint64
	switch {
	case i.base < 0:
		for l := range lanes {
			address[l] = uint64(i.offset)
		}
	case i.baseFile == longs:
		base := &w.q[i.base]
		for l := range lanes {
			address[l] = base[l] + uint64(i.offset)
		}
	default:
		base := &w.r[i.base]
		for l := range lanes {
			address[l] = uint64(base[l] + uint32(i.offset))
		}
	}
	return w.resolve(i, mask, i.space, n, &address, at)
}

func (w *warp) resolve(i *instruction, mask uint32, in space, n int, address *[lanes]uint64, at *[lanes]uint64) bool {
	low, high := ^uint64(0), uint64(0)
	misaligned := uint64(0)
	if mask == all {
		for _, a := range address {
			low, high = min(low, a), max(high, a)
			misaligned |= a
		}
	} else {
		for m := mask; m != 0; m &= m - 1 {
			a := address[bits.TrailingZeros32(m)&31]
			low, high = min(low, a), max(high, a)
			misaligned |= a
		}
	}
	if misaligned&uint64(n-1) != 0 {
		for m := mask; m != 0; m &= m - 1 {
			if l := bits.TrailingZeros32(m) & 31; address[l]&uint64(n-1) != 0 {
				w.fail(i, 1<<l, "misaligned access to %d bytes at %s address %#x", n, spaceNames[in], address[l])
				return false
			}
		}
	}
	switch {
	case in == globalSpace || in == genericSpace && low < sharedWindow && high < sharedWindow:
		// One check for all lanes; lanes in several allocations are checked one by one.
		const reach = 1 << 30
		memory := w.block.launch.memory
		if high-low < reach && memory.Valid(low, int(high-low)+n) {
			if mask == all {
				*at = *address
				return true
			}
			for m := mask; m != 0; m &= m - 1 {
				l := bits.TrailingZeros32(m) & 31
				at[l] = address[l]
			}
			return true
		}
		for m := mask; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			if !memory.Valid(address[l], n) {
				w.fail(i, 1<<l, "%d bytes at global address %#x are in no allocation", n, address[l])
				return false
			}
			at[l] = address[l]
		}
	case in == sharedSpace:
		block := w.block
		if !block.launch.within(low, n) || !block.launch.within(high, n) {
			for m := mask; m != 0; m &= m - 1 {
				l := bits.TrailingZeros32(m) & 31
				if _, _, err := block.locate(in, address[l], n); err != nil {
					w.fail(i, 1<<l, "%v", err)
					return false
				}
			}
		}
		start := block.host()
		for m := mask; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			at[l] = start + address[l]
		}
	case in == clusterSpace:
		for m := mask; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			b, own, err := w.block.locate(in, address[l], n)
			if err != nil {
				w.fail(i, 1<<l, "%v", err)
				return false
			}
			at[l] = b.host() + own
		}
	case in == localSpace:
		bytes := uint64(w.block.launch.kernel.local)
		start := hostAddress(w.local)
		for m := mask; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			if a := address[l]; a > bytes || a+uint64(n) > bytes {
				w.fail(i, 1<<l, "%d bytes at local address %#x: a thread has %d", n, a, bytes)
				return false
			}
			at[l] = start + uint64(l)*((bytes+7)/8*8) + address[l]
		}
	case in == paramSpace:
		if !i.reads {
			w.fail(i, mask, "parameters cannot be written")
			return false
		}
		bytes := uint64(w.block.launch.kernel.parameterBytes)
		for m := mask; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			if a := address[l]; a > bytes || a+uint64(n) > bytes {
				w.fail(i, 1<<l, "%d bytes at parameter address %#x: there are %d", n, a, bytes)
				return false
			}
			at[l] = hostAddress(w.block.launch.parameters) + address[l]
		}
	default: // lanes of different spaces
		for m := mask; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			of, one := globalSpace, *address
			switch address[l] & windowMask {
			case sharedWindow:
				of, one[l] = clusterSpace, one[l]-sharedWindow
			case localWindow:
				of, one[l] = localSpace, one[l]-localWindow
			case paramWindow:
				of, one[l] = paramSpace, one[l]-paramWindow
			}
			if !w.resolve(i, 1<<l, of, n, &one, at) {
				return false
			}
		}
	}
	return true
}

func execLoad(w *warp, i *instruction, mask uint32) {
	var at [lanes]uint64
	if !w.addresses(i, mask, int(i.size)*len(i.list), &at) {
		return
	}
	w.fetch(i, mask, &at)
}

func execLoadParameter(w *warp, i *instruction, mask uint32) {
	var at [lanes]uint64
	p := hostAddress(w.block.launch.parameters) + uint64(i.offset)
	for l := range lanes {
		at[l] = p
	}
	w.fetch(i, mask, &at)
}

// fetch reads the values of a load from where the lanes find them.
func (w *warp) fetch(i *instruction, mask uint32, at *[lanes]uint64) {
	for e, r := range i.list {
		if r < 0 {
			continue
		}
		offset := uint64(e) * uint64(i.size)
		switch {
		case i.size == 4 && i.file == words:
			d := &w.r[r]
			for m := mask; m != 0; m &= m - 1 {
				l := bits.TrailingZeros32(m) & 31
				d[l] = *(*uint32)(pointer(at[l] + offset))
			}
		case i.size == 8:
			d := &w.q[r]
			for m := mask; m != 0; m &= m - 1 {
				l := bits.TrailingZeros32(m) & 31
				d[l] = *(*uint64)(pointer(at[l] + offset))
			}
		default:
			for m := mask; m != 0; m &= m - 1 {
				l := bits.TrailingZeros32(m) & 31
				p := pointer(at[l] + offset)
				var v int64 // extended as the type says
				switch i.size {
				case 1:
					if v = int64(*(*uint8)(p)); i.signed {
						v = int64(int8(v))
					}
				case 2:
					if v = int64(*(*uint16)(p)); i.signed {
						v = int64(int16(v))
					}
				case 4:
					if v = int64(*(*uint32)(p)); i.signed {
						v = int64(int32(v))
					}
				}
				if i.file == longs {
					w.q[r][l] = uint64(v)
				} else {
					w.r[r][l] = uint32(v) & i.cut
				}
			}
		}
	}
}

func execStore(w *warp, i *instruction, mask uint32) {
	var at [lanes]uint64
	if !w.addresses(i, mask, int(i.size)*len(i.list), &at) {
		return
	}
	w.block.launch.changes++
	for e, r := range i.list {
		offset := uint64(e) * uint64(i.size)
		for m := mask; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			p := pointer(at[l] + offset)
			var v uint64
			if i.file == longs {
				v = w.q[r][l]
			} else {
				v = uint64(w.r[r][l])
			}
			switch i.size {
			case 1:
				*(*uint8)(p) = uint8(v)
			case 2:
				*(*uint16)(p) = uint16(v)
			case 4:
				*(*uint32)(p) = uint32(v)
			case 8:
				*(*uint64)(p) = v
			}
		}
	}
}
