package emulator

import (
	"math/bits"
	"slices"
)

// barrier is one of a block's sixteen (bar.sync).
type barrier struct {
	arrived, expected int // threads
}

// barrier decodes bar.sync, bar.arrive, barrier.sync, barrier.arrive, bar.warp.sync and
// barrier.cluster.
func (d *decoder) barrier() {
	i, o := d.i, d.st.operands
	if d.parts[0] == "barrier" && d.parts[1] == "cluster" {
		d.clusterBarrier()
		return
	}
	parts := without(d.parts[1:], "cta", "aligned")
	if slices.Equal(parts, []string{"warp", "sync"}) && d.parts[0] == "bar" {
		if d.arity(1, 1) {
			i.flow, i.members, i.exec = warpBarrier, d.word(&o[0], 32), func(*warp, *instruction, uint32) {}
		}
		return
	}
	if len(parts) != 1 || parts[0] != "sync" && parts[0] != "arrive" {
		d.err = errUnknown
		return
	}
	i.arrive = parts[0] == "arrive"
	low := 1
	if i.arrive {
		low = 2
	}
	if !d.arity(low, 2) {
		return
	}
	i.flow = blockBarrier
	i.a, i.b = d.word(&o[0], 32), -1
	if len(o) == 2 {
		i.b = d.word(&o[1], 32)
	}
}

// arrive counts a warp at a barrier and, when all have come, lets those that wait go on.
func (b *block) arrive(w *warp, i *instruction, mask uint32) {
	lane := bits.TrailingZeros32(mask) & 31
	id := int(w.r[i.a][lane])
	if id >= len(b.barriers) {
		w.fail(i, mask, "barrier %d: a block has %d", id, len(b.barriers))
		return
	}
	expected := len(b.warps) * lanes
	if i.b >= 0 {
		if expected = int(w.r[i.b][lane]); expected == 0 || expected%lanes != 0 || expected > len(b.warps)*lanes {
			w.fail(i, mask, "barrier %d for %d threads: must be a multiple of %d, at most %d", id, expected, lanes, len(b.warps)*lanes)
			return
		}
	}
	r := &b.barriers[id]
	if r.arrived > 0 && r.expected != expected {
		w.fail(i, mask, "barrier %d for %d threads; others arrived for %d", id, expected, r.expected)
		return
	}
	r.expected = expected
	if r.arrived += lanes; r.arrived < expected {
		if !i.arrive {
			w.waits = id
		}
		return
	}
	*r = barrier{}
	for _, other := range b.warps {
		if other.waits == id {
			other.waits = -1
		}
	}
}
