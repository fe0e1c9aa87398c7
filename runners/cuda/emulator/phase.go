package emulator

import (
	"math/bits"
	"strings"
)

// phase is an mbarrier (PTX ISA 9.7.13.15), eight bytes in shared memory: arrivals
// that a phase expects (bits 0–14) and still lacks (15–29), the phase's parity
// (30), a bit that is set in garbage and clear in a barrier (31), and bytes still to come
// (32–63), a negative number while more bytes have come than were announced.
type phase uint64

const (
	maxArrivals   = 1<<15 - 1
	uninitialised = 1 << 31
)

func newPhase(count uint32) phase { return phase(count) | phase(count)<<15 }

func (p phase) expected() uint32 { return uint32(p) & maxArrivals }
func (p phase) lacking() uint32  { return uint32(p) >> 15 & maxArrivals }
func (p phase) parity() uint32   { return uint32(p) >> 30 & 1 }
func (p phase) bytes() int32     { return int32(p >> 32) }

// with sets how much a phase still lacks; if that is nothing, it is complete and the next
// phase begins.
func (p phase) with(arrivals uint32, bytes int32) phase {
	parity := p.parity()
	if arrivals == 0 && bytes == 0 {
		arrivals, parity = p.expected(), parity^1
	}
	return phase(p.expected()) | phase(arrivals)<<15 | phase(parity)<<30 | phase(uint32(bytes))<<32
}

// memoryBarrier decodes mbarrier.init, inval, arrive, arrive.expect_tx, expect_tx,
// complete_tx, test_wait and try_wait.
func (d *decoder) memoryBarrier() {
	i, o := d.i, d.st.operands
	operation, parity, expect := "", false, false
	for _, m := range d.parts[1:] {
		name, which, _ := strings.Cut(m, "::")
		switch name {
		case "init", "inval", "arrive", "complete_tx", "test_wait", "try_wait":
			operation = name
		case "expect_tx":
			expect = true
		case "parity":
			parity = true
		case "shared":
			i.space = sharedOf(which)
		case "b64", "relaxed", "release", "acquire", "cta", "cluster":
		default:
			d.err = errUnknown
			return
		}
	}
	if operation == "" && expect {
		operation, expect = "expect_tx", false
	}
	i.size, i.a = 8, -1
	switch operation {
	case "init", "inval", "test_wait", "try_wait":
		if i.space == clusterSpace {
			d.fail("%s of another block's barrier", operation)
		}
	case "arrive":
		if i.space == clusterSpace && len(o) > 0 && o[0].kind != sinkOperand {
			d.fail("no state comes back from another block's barrier")
		}
	}
	switch operation {
	case "init", "expect_tx", "complete_tx":
		if d.arity(2, 2) {
			d.address(&o[0])
			i.a = d.word(&o[1], 32)
		}
	case "inval":
		if d.arity(1, 1) {
			d.address(&o[0])
		}
	case "arrive":
		low, high := 2, 3
		if expect {
			low, operation = 3, "arrive.expect_tx"
		}
		if !d.arity(low, high) {
			return
		}
		if o[0].kind != sinkOperand {
			i.d = d.destination(&o[0], longs)
		}
		d.address(&o[1])
		if len(o) == 3 {
			i.a = d.word(&o[2], 32)
		}
	case "test_wait", "try_wait": // a time limit may follow
		if !d.arity(3, 4) {
			return
		}
		i.d = d.destination(&o[0], predicates)
		d.address(&o[1])
		i.file = int8(words)
		if !parity {
			i.file = int8(longs)
		}
		i.a = d.source(&o[2], 32*int(i.file))
		i.exec = execPhaseWait
		return
	default:
		d.err = errUnknown
		return
	}
	i.f, i.exec = operation, execPhase
}

func execPhase(w *warp, i *instruction, mask uint32) {
	var at [lanes]uint64
	if !w.addresses(i, mask, 8, &at) {
		return
	}
	w.block.launch.changes++
	operation := i.f.(string)
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		p := (*phase)(pointer(at[l]))
		count := uint32(1)
		if i.a >= 0 {
			count = w.r[i.a][l]
		}
		if operation == "init" {
			if count < 1 || count > maxArrivals {
				w.fail(i, 1<<l, "a barrier for %d arrivals: 1 to %d", count, maxArrivals)
				return
			}
			*p = newPhase(count)
			continue
		}
		if !w.initialised(i, l, *p) {
			return
		}
		if i.d >= 0 {
			w.q[i.d][l] = uint64(p.parity())
		}
		switch operation {
		case "inval":
			*p = 0
		case "expect_tx":
			*p = p.with(p.lacking(), p.bytes()+int32(count))
		case "complete_tx":
			*p = p.with(p.lacking(), p.bytes()-int32(count))
		case "arrive":
			if count < 1 || count > p.lacking() {
				w.fail(i, 1<<l, "%d arrivals at a barrier that lacks %d", count, p.lacking())
				return
			}
			*p = p.with(p.lacking()-count, p.bytes())
		case "arrive.expect_tx":
			if p.lacking() == 0 {
				w.fail(i, 1<<l, "an arrival at a barrier that lacks none")
				return
			}
			*p = p.with(p.lacking()-1, p.bytes()+int32(count))
		}
	}
}

func (w *warp) initialised(i *instruction, lane int, p phase) bool {
	// More arrivals than expected cannot be: that is how garbage is recognised.
	if p&uninitialised != 0 || p.expected() == 0 || p.lacking() > p.expected() {
		w.fail(i, 1<<lane, "the barrier holds %#x: it was not initialised", uint64(p))
		return false
	}
	return true
}

// execPhaseWait tells whether the phase is complete. If it is not, the warp lets others run.
func execPhaseWait(w *warp, i *instruction, mask uint32) {
	var at [lanes]uint64
	if !w.addresses(i, mask, 8, &at) {
		return
	}
	w.block.deliver(&at, mask)
	v := uint32(0)
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		p := *(*phase)(pointer(at[l]))
		if !w.initialised(i, l, p) {
			return
		}
		waited := uint32(0)
		if i.file == longs {
			waited = uint32(w.q[i.a][l])
		} else {
			waited = w.r[i.a][l]
		}
		if p.parity() != waited&1 {
			v |= 1 << l
		}
	}
	w.p[i.d] = w.p[i.d]&^mask | v&mask
	w.yielded = v&mask != mask
}
