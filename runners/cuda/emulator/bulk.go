package emulator

import (
	"math/bits"
	"slices"
	"strings"
)

// bulk is a copy under way to a block, which completes bytes of a barrier in that block.
type bulk struct {
	copy  interface{ finish() }
	bytes int
	phase *phase
	by    *warp // who issued it
	lane  int
	i     *instruction
}

// finish copies, and tells the barrier.
func (t *bulk) finish() {
	t.copy.finish()
	*t.phase = t.phase.with(t.phase.lacking(), t.phase.bytes()-int32(t.bytes))
	t.by.block.launch.changes++
}

// deliver completes the bulk copies under way whose barriers are at these addresses.
func (b *block) deliver(at *[lanes]uint64, mask uint32) {
	left := b.bulk[:0]
	for _, t := range b.bulk {
		looked := false
		for m := mask; m != 0 && !looked; m &= m - 1 {
			looked = t.phase == (*phase)(pointer(at[bits.TrailingZeros32(m)&31]))
		}
		if looked {
			t.finish()
		} else {
			left = append(left, t)
		}
	}
	b.bulk = left
}

// bulkCopy decodes cp.async.bulk and cp.async.bulk.tensor.3d from global to shared
// memory, from what follows "bulk".
func (d *decoder) bulkCopy(parts []string) {
	i, operands := d.i, 4
	tensor := len(parts) > 2 && slices.Equal(parts[:2], []string{"tensor", "3d"})
	if tensor {
		parts, operands = parts[2:], 3
	}
	several := slices.Contains(parts, "multicast::cluster")
	if several {
		operands++
	}
	switch strings.Join(parts, ".") {
	case "shared::cluster.global.mbarrier::complete_tx::bytes", "shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster":
		i.space = clusterSpace
	case "shared::cta.global.mbarrier::complete_tx::bytes":
		i.space = sharedSpace
	default:
		d.err = errUnknown
		return
	}
	if !d.arity(operands, operands) {
		return
	}
	if several {
		i.members = d.word(&d.st.operands[operands-1], 16)
	}
	if tensor {
		d.tensorCopy()
	} else {
		d.bytesCopy()
	}
}

// send starts a copy of n bytes to one shared address, with its barrier at another. Where the
// instruction has a mask, each block of the mask gets a copy of its own, to the same place
// and with its barrier there. Those arrive late, as other copies do, or at once, in an order
// that follows no loop of a kernel, since the receiving blocks cannot know when they come.
func (w *warp) send(i *instruction, lane, n int, to, barrier uint64, copyTo func(b *block, to uint64) interface{ finish() }) {
	at := uint32(1) << lane
	own, to, err := w.block.locate(i.space, to, n)
	if err != nil {
		w.fail(i, at, "%v", err)
		return
	}
	other, where, err := w.block.locate(i.space, barrier, 8)
	switch {
	case err != nil || barrier%8 != 0:
		w.fail(i, at, "no barrier can be at shared address %#x", barrier)
		return
	case other != own:
		w.fail(i, at, "the bytes go to block %v, their barrier is in block %v", own.at, other.at)
		return
	case i.members < 0:
		w.sendTo(i, lane, n, own, where, copyTo(own, to), false)
		return
	}
	c, l := w.block.cluster, w.block.launch
	mask := uint32(uint16(w.r[i.members][lane]))
	if mask == 0 || mask>>len(c.blocks) != 0 {
		w.fail(i, at, "the mask %#x of blocks, in a cluster of %d", mask, len(c.blocks))
		return
	}
	for ; mask != 0 && w.fault == nil; mask &= mask - 1 {
		b := c.blocks[bits.TrailingZeros32(mask)]
		if b.exited {
			w.fail(i, at, "block %v has exited", b.at)
			return
		}
		// The Thue–Morse sequence.
		w.sendTo(i, lane, n, b, where, copyTo(b, to), bits.OnesCount(l.multicasts)%2 != 0)
		l.multicasts++
	}
}

func (w *warp) sendTo(i *instruction, lane, n int, b *block, barrier uint64, copy interface{ finish() }, now bool) {
	p := (*phase)(pointer(b.host() + barrier))
	if !w.initialised(i, lane, *p) {
		return
	}
	t := bulk{copy, n, p, w, lane, i}
	if now {
		t.finish()
		return
	}
	b.bulk = append(b.bulk, t)
	b.launch.changes++
}

// bytesCopy decodes the operands of cp.async.bulk.
func (d *decoder) bytesCopy() {
	i, o := d.i, d.st.operands
	d.route(&o[0], &o[1])
	i.c = d.word(&o[2], 32)
	i.list = []int32{d.register(&o[3])}
	i.exec = execBulk
}

func execBulk(w *warp, i *instruction, mask uint32) {
	for m := mask; m != 0 && w.fault == nil; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		to, from, at := uint64(w.r[i.a][l]), w.q[i.base][l]+uint64(i.offset), uint64(w.r[i.list[0]][l])
		n := int(w.r[i.c][l])
		switch {
		case n == 0:
			continue
		case n%16 != 0 || to%16 != 0 || from%16 != 0:
			w.fail(i, 1<<l, "a copy of %d bytes from %#x to %#x: all must be multiples of 16", n, from, to)
		case !w.block.launch.memory.Valid(from, n):
			w.fail(i, 1<<l, "%d bytes at global address %#x are in no allocation", n, from)
		default:
			w.send(i, l, n, to, at, func(b *block, to uint64) interface{ finish() } {
				return transfer{b.host() + to, from, n, n}
			})
		}
	}
}
