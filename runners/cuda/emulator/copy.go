package emulator

import (
	"math/bits"
	"slices"
	"strings"
	"unsafe"
)

// Asynchronous copies happen as late as is allowed, so that a kernel that reads too early
// finds what was there before: those of cp.async when the lane waits for the group, bulk
// copies (bulk.go) when a thread of the block looks at their barrier.

// transfer is a copy under way: n bytes, then zeros up to size.
type transfer struct {
	to, from uint64 // host addresses
	n, size  int
}

func (t transfer) finish() {
	to := unsafe.Slice((*byte)(pointer(t.to)), t.size)
	if t.n > 0 {
		copy(to, unsafe.Slice((*byte)(pointer(t.from)), t.n))
	}
	clear(to[t.n:])
}

// copies are a lane's copies: those that are committed, by group, and then those that are
// not.
type copies struct {
	groups [][]transfer
	open   []transfer
}

// finish completes all groups but the last n.
func (c *copies) finish(w *warp, n int) {
	for len(c.groups) > n {
		for _, t := range c.groups[0] {
			t.finish()
		}
		c.groups = c.groups[1:]
		w.block.launch.changes++
	}
}

// copy decodes cp.async and its groups, from global to shared memory.
func (d *decoder) copy() {
	i, o := d.i, d.st.operands
	parts := without(d.parts[1:], "L2::64B", "L2::128B", "L2::256B")
	if len(parts) == 0 || parts[0] != "async" {
		d.err = errUnknown
		return
	}
	if len(parts) > 1 && parts[1] == "bulk" {
		d.bulkCopy(parts[2:])
		return
	}
	switch strings.Join(parts[1:], ".") {
	case "commit_group":
		d.arity(0, 0)
		i.exec = execCommit
	case "wait_group":
		if d.arity(1, 1) && o[0].kind == integerOperand {
			i.offset = int64(min(o[0].bits, 1<<20))
			i.exec = execWaitGroup
		} else {
			d.fail("wait_group needs a number")
		}
	case "wait_all":
		d.arity(0, 0)
		i.exec = execWaitAll
	case "ca.shared.global", "cg.shared.global", "ca.shared::cta.global", "cg.shared::cta.global":
		if !d.arity(3, 4) || o[2].kind != integerOperand {
			d.fail("cp.async needs a size")
			return
		}
		n := o[2].bits
		if n != 16 && (parts[1] == "cg" || n != 4 && n != 8) {
			d.fail("a copy of %d bytes", n)
		}
		i.size = int8(n)
		d.route(&o[0], &o[1])
		i.c = -1
		if len(o) == 4 {
			i.c = d.word(&o[3], 32)
		}
		i.exec = execCopy
	default:
		d.err = errUnknown
	}
}

// route takes the destination and the source of a copy; both are registers.
func (d *decoder) route(to, from *operand) {
	d.i.a = d.register(to)
	d.address(from)
	if d.i.baseFile != longs {
		d.fail("%s is no global address", from.name)
	}
}

// register takes [%r1], a shared address.
func (d *decoder) register(o *operand) int32 {
	if o.kind == addressOperand && len(o.list) == 1 && o.offset == 0 && o.list[0].kind == registerOperand && fileOf(o.list[0].reg.width) == words {
		return int32(o.list[0].reg.index)
	}
	d.fail("%s is not the 32-bit register of a shared address", o.name)
	return 0
}

func widened(r *[lanes]uint32) (a [lanes]uint64) {
	for l := range lanes {
		a[l] = uint64(r[l])
	}
	return a
}

func execCopy(w *warp, i *instruction, mask uint32) {
	var to, from [lanes]uint64
	address := widened(&w.r[i.a])
	if !w.resolve(i, mask, sharedSpace, int(i.size), &address, &to) {
		return
	}
	reads := mask
	if i.c >= 0 {
		for l := range lanes {
			if mask>>l&1 == 0 {
				continue
			}
			switch n := w.r[i.c][l]; {
			case n > uint32(i.size):
				w.fail(i, 1<<l, "%d bytes of %d", n, i.size)
				return
			case n == 0: // nothing is read: the address may be any
				reads &^= 1 << l
			}
		}
	}
	for l := range lanes {
		address[l] = w.q[i.base][l] + uint64(i.offset)
	}
	if reads != 0 && !w.resolve(i, reads, globalSpace, int(i.size), &address, &from) {
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		n := int(i.size)
		if i.c >= 0 {
			n = int(w.r[i.c][l])
		}
		w.copies[l].open = append(w.copies[l].open, transfer{to[l], from[l], n, int(i.size)})
	}
}

func execCommit(w *warp, _ *instruction, mask uint32) {
	for m := mask; m != 0; m &= m - 1 {
		c := &w.copies[bits.TrailingZeros32(m)&31]
		c.groups = append(c.groups, slices.Clone(c.open))
		c.open = c.open[:0]
	}
}

func execWaitGroup(w *warp, i *instruction, mask uint32) {
	for m := mask; m != 0; m &= m - 1 {
		w.copies[bits.TrailingZeros32(m)&31].finish(w, int(i.offset))
	}
}

func execWaitAll(w *warp, i *instruction, mask uint32) {
	execCommit(w, i, mask)
	for m := mask; m != 0; m &= m - 1 {
		w.copies[bits.TrailingZeros32(m)&31].finish(w, 0)
	}
}
