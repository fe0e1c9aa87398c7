package emulator

import (
	"math/bits"
	"strings"
)

// special registers, by their name without %.
var specials = map[string]func(w *warp, lane int) uint64{
	"laneid":           func(_ *warp, lane int) uint64 { return uint64(lane) },
	"warpid":           func(w *warp, _ int) uint64 { return uint64(w.index) },
	"nwarpid":          func(w *warp, _ int) uint64 { return uint64(len(w.block.warps)) },
	"smid":             func(w *warp, _ int) uint64 { return uint64(w.block.slot) },
	"lanemask_eq":      func(_ *warp, lane int) uint64 { return 1 << lane },
	"lanemask_lt":      func(_ *warp, lane int) uint64 { return 1<<lane - 1 },
	"lanemask_le":      func(_ *warp, lane int) uint64 { return 2<<lane - 1 },
	"lanemask_gt":      func(_ *warp, lane int) uint64 { return uint64(all &^ (2<<lane - 1)) },
	"lanemask_ge":      func(_ *warp, lane int) uint64 { return uint64(all &^ (1<<lane - 1)) },
	"clock":            func(w *warp, _ int) uint64 { return w.block.launch.clock },
	"clock64":          func(w *warp, _ int) uint64 { return w.block.launch.clock },
	"globaltimer":      func(w *warp, _ int) uint64 { return w.block.launch.clock },
	"cluster_ctarank":  func(w *warp, _ int) uint64 { return uint64(w.block.rank) },
	"cluster_nctarank": func(w *warp, _ int) uint64 { return uint64(len(w.block.cluster.blocks)) },
	"dynamic_smem_size": func(w *warp, _ int) uint64 {
		return uint64(max(0, w.block.launch.sharedSize-w.block.launch.kernel.dynamic))
	},
}

func init() {
	for axis, name := range []string{"x", "y", "z"} {
		specials["tid."+name] = func(w *warp, lane int) uint64 {
			x, y, z := w.block.position(w.index*lanes + lane)
			return uint64([3]int{x, y, z}[axis])
		}
		specials["ntid."+name] = func(w *warp, _ int) uint64 { return uint64(w.block.launch.size[axis]) }
		specials["ctaid."+name] = func(w *warp, _ int) uint64 { return uint64(w.block.at[axis]) }
		specials["nctaid."+name] = func(w *warp, _ int) uint64 { return uint64(w.block.launch.grid[axis]) }
		specials["cluster_ctaid."+name] = func(w *warp, _ int) uint64 {
			return uint64(w.block.at[axis] % w.block.launch.cluster[axis])
		}
		specials["cluster_nctaid."+name] = func(w *warp, _ int) uint64 { return uint64(w.block.launch.cluster[axis]) }
		specials["clusterid."+name] = func(w *warp, _ int) uint64 { return uint64(w.block.cluster.at[axis]) }
		specials["nclusterid."+name] = func(w *warp, _ int) uint64 { return uint64(w.block.launch.clusters()[axis]) }
	}
}

func specialOf(name string) (string, func(w *warp, lane int) uint64, bool) {
	name, ok := strings.CutPrefix(name, "%")
	f := specials[name]
	return name, f, ok && f != nil
}

// move decodes mov: of registers, numbers, special registers, addresses of arrays,
// and of registers packed into a wider one or taken from it.
func (d *decoder) move() {
	if !d.arity(2, 2) || len(d.parts) != 2 {
		d.fail("mov has a type and two operands")
		return
	}
	i, o, bits := d.i, d.st.operands, typeBits["."+d.parts[1]]
	to, from := &o[0], &o[1]
	switch {
	case bits == 1:
		i.exec, i.d = execMovePredicate, d.destination(to, predicates)
		if from.kind == integerOperand {
			i.a, i.offset = -1, int64(from.bits)
		} else {
			i.a = d.predicate(from)
		}
	case bits < 16:
		d.err = errUnknown
	case to.kind == vectorOperand:
		d.pack(to, bits)
		i.a = d.source(from, bits)
		i.exec = execUnpack
		i.baseFile = int8(fileOf(bits))
	case from.kind == vectorOperand:
		d.pack(from, bits)
		i.file = int8(fileOf(bits))
		i.d = d.destination(to, fileOf(bits))
		i.exec = execPack
	case from.kind == nameOperand && from.name[0] == '%':
		_, f, _ := specialOf(from.name)
		if f == nil {
			d.fail("unknown register %s", from.name)
			return
		}
		i.exec, i.f, i.file, i.d = execSpecial, f, int8(fileOf(bits)), d.destination(to, fileOf(bits))
	case bits == 64:
		i.exec, i.d, i.a = execMoveLong, d.destination(to, longs), d.long(from)
	default:
		i.exec, i.d, i.a = execMoveWord, d.destination(to, words), d.word(from, bits)
	}
}

// pack takes the registers of { }, which together have bits.
func (d *decoder) pack(v *operand, bits int) {
	i := d.i
	if n := len(v.list); n != 2 && n != 4 || bits/n < 8 || bits/n > 32 {
		d.fail("%d parts of %d bits", n, bits)
		return
	}
	i.size = int8(bits / len(v.list))
	for e := range v.list {
		switch o := &v.list[e]; {
		case o.kind == sinkOperand && v == &d.st.operands[0]:
			i.list = append(i.list, -1)
		case o.kind == registerOperand && o.reg.width == int(i.size):
			i.list = append(i.list, int32(o.reg.index))
		case o.kind == integerOperand && v != &d.st.operands[0]:
			i.list = append(i.list, d.word(o, int(i.size)))
		default:
			d.fail("%s is no register of %d bits", o.name, i.size)
		}
	}
}

func execMovePredicate(w *warp, i *instruction, mask uint32) {
	v := uint32(0)
	if i.a >= 0 {
		v = w.p[i.a]
	} else if i.offset != 0 {
		v = all
	}
	w.p[i.d] = w.p[i.d]&^mask | v&mask
}

func execMoveWord(w *warp, i *instruction, mask uint32) {
	d, a := &w.r[i.d], &w.r[i.a]
	if mask == all {
		*d = *a
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = a[l]
	}
}

func execMoveLong(w *warp, i *instruction, mask uint32) {
	d, a := &w.q[i.d], &w.q[i.a]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = a[l]
	}
}

func execSpecial(w *warp, i *instruction, mask uint32) {
	f := i.f.(func(w *warp, lane int) uint64)
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		if v := f(w, l); i.file == longs {
			w.q[i.d][l] = v
		} else {
			w.r[i.d][l] = uint32(v)
		}
	}
}

func execPack(w *warp, i *instruction, mask uint32) {
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		v := uint64(0)
		for e, r := range i.list {
			v |= uint64(w.r[r][l]) << (e * int(i.size)) // narrow registers have no bits above
		}
		if i.file == longs {
			w.q[i.d][l] = v
		} else {
			w.r[i.d][l] = uint32(v)
		}
	}
}

func execUnpack(w *warp, i *instruction, mask uint32) {
	part := uint64(1)<<i.size - 1
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		var v uint64
		if i.baseFile == longs {
			v = w.q[i.a][l]
		} else {
			v = uint64(w.r[i.a][l])
		}
		for e, r := range i.list {
			if r >= 0 {
				w.r[r][l] = uint32(v >> (e * int(i.size)) & part)
			}
		}
	}
}

// choose decodes selp.
func (d *decoder) choose() {
	if !d.arity(4, 4) || len(d.parts) != 2 {
		d.fail("selp has a type and four operands")
		return
	}
	i, o, bits := d.i, d.st.operands, typeBits["."+d.parts[1]]
	if bits < 16 {
		d.err = errUnknown
		return
	}
	i.d, i.a, i.b, i.c = d.destination(&o[0], fileOf(bits)), d.source(&o[1], bits), d.source(&o[2], bits), d.negatable(&o[3])
	i.exec = execChooseWord
	if bits == 64 {
		i.exec = execChooseLong
	}
	if o[3].not {
		i.a, i.b = i.b, i.a
	}
}

func execChooseWord(w *warp, i *instruction, mask uint32) {
	chooseLanes(&w.r[i.d], &w.r[i.a], &w.r[i.b], w.p[i.c], mask)
}

func execChooseLong(w *warp, i *instruction, mask uint32) {
	chooseLanes(&w.q[i.d], &w.q[i.a], &w.q[i.b], w.p[i.c], mask)
}
