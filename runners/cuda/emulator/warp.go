package emulator

import (
	"fmt"
	"math"
	"math/bits"
)

const lanes = 32

// all are the lanes of a full warp.
const all = ^uint32(0)

// fragment is a set of lanes of a warp that are at the same instruction.
type fragment struct {
	pc     int
	mask   uint32
	parked bool // waits for other lanes of the warp
}

// warp runs 32 lanes. Lanes that are at different instructions are fragments. The fragment
// with the lowest program counter runs, so that it catches up with the others; fragments
// that meet become one. Where an instruction needs several lanes at once (shfl.sync,
// bar.warp.sync, mma), a fragment is parked until they have come.
type warp struct {
	block   *block
	index   int
	p       []uint32        // predicates: a mask each
	r       [][lanes]uint32 // registers of up to 32 bits, then constants
	q       [][lanes]uint64 // registers of 64 bits, then constants
	local   []uint64        // local memory, lane by lane
	live    uint32          // lanes that have not exited
	others  []fragment      // all, while the warp does not run
	waits   int             // barrier, or -1
	yielded bool            // waits for what another warp or block does
	turn    uint

	registers int // of a thread, as setmaxnreg counts

	arrived int // at the cluster's barrier, how many times
	awaited int // and how many times it went on there
	copies  [lanes]copies
	multiplying
	fault error
}

// fail ends the launch with an error about the first lane of the mask.
func (w *warp) fail(i *instruction, mask uint32, format string, v ...any) {
	if w.fault != nil {
		return
	}
	b := w.block
	thread := w.index * lanes
	if mask != 0 {
		thread += bits.TrailingZeros32(mask)
	}
	x, y, z := b.position(thread)
	w.fault = fmt.Errorf("kernel %s, line %d, %q, block (%d,%d,%d), thread (%d,%d,%d): %s", b.launch.kernel.name, i.line, i.text,
		b.at[0], b.at[1], b.at[2], x, y, z, fmt.Sprintf(format, v...))
}

// schedule adds a fragment to the others and takes one to run. It returns the program counter
// at which that one must look at the others again, and false where none can run.
func (w *warp) schedule(pc int, mask uint32, parked, highest bool) (fragment, int, bool) {
	if mask != 0 {
		found := false
		for n := range w.others {
			if o := &w.others[n]; o.pc == pc {
				o.mask |= mask
				o.parked = o.parked && parked // together they may be enough
				found = true
			}
		}
		if !found {
			w.others = append(w.others, fragment{pc, mask, parked})
		}
	}
	best := -1
	for n := range w.others {
		o := &w.others[n]
		if !o.parked && (best < 0 || o.pc < w.others[best].pc != highest) {
			best = n
		}
	}
	if best < 0 {
		return fragment{}, 0, false
	}
	f := w.others[best]
	w.others[best] = w.others[len(w.others)-1]
	w.others = w.others[:len(w.others)-1]
	return f, w.limit(f.pc), true
}

// limit is the next program counter after pc at which there are other lanes.
func (w *warp) limit(pc int) int {
	next := math.MaxInt
	for n := range w.others {
		if at := w.others[n].pc; at > pc && at < next {
			next = at
		}
	}
	return next
}

// run executes at most quantum instructions and returns how many it did. It stops
// where the warp waits, has exited or failed.
func (w *warp) run(quantum int) int {
	w.turn++
	// Now and then the lanes that are ahead run first: others may wait for them.
	f, next, ok := w.schedule(0, 0, false, w.turn%4 == 0)
	if !ok {
		w.stuck()
		return 0
	}
	pc, mask := f.pc, f.mask
	code := w.block.launch.kernel.code
	n := 0
	for ; n < quantum; n++ {
		i := &code[pc]
		active := mask
		if i.guard >= 0 {
			if g := w.p[i.guard]; i.guardNot {
				active &^= g
			} else {
				active &= g
			}
			if active != mask && i.flow != straight && i.flow != branch {
				// The lanes that skip the instruction become a fragment of their own.
				if active == 0 {
					if pc++; pc >= next {
						if f, next, ok = w.schedule(pc, mask, false, false); !ok {
							w.stuck()
							return n
						}
						pc, mask = f.pc, f.mask
					}
					continue
				}
				w.others = append(w.others, fragment{pc + 1, mask &^ active, false})
				w.merge()
				mask, next = active, w.limit(pc)
			}
		}
		reschedule := false
		switch i.flow {
		case straight:
			if active != 0 {
				if i.exec(w, i, active); w.fault != nil {
					return n
				}
				if w.yielded {
					w.schedulePause(pc+1, mask)
					return n + 1
				}
			}
			pc++
			reschedule = pc >= next
		case branch:
			switch active {
			case mask:
				pc = i.target
				reschedule = len(w.others) > 0
			case 0:
				pc++
				reschedule = pc >= next
			default:
				w.others = append(w.others, fragment{i.target, active, false})
				w.merge()
				pc, mask = pc+1, mask&^active
				reschedule = true
			}
		case leave:
			w.live &^= mask
			w.block.launch.changes++
			for lane := range lanes {
				if mask>>lane&1 != 0 {
					w.copies[lane].finish(w, 0)
				}
			}
			if w.live == 0 {
				return n + 1
			}
			for n := range w.others { // fragments that waited for these lanes check again
				w.others[n].parked = false
			}
			mask, reschedule = 0, true
		case together, awaiting, warpBarrier:
			need := w.live
			if i.members >= 0 {
				named := w.r[i.members][bits.TrailingZeros32(mask)]
				if mask&^named != 0 {
					w.fail(i, mask&^named, "a lane that the mask %#x does not name", named)
					return n
				}
				need &= named
			}
			if i.aligned && w.live != all {
				w.fail(i, mask, "needs 32 lanes, has %d", bits.OnesCount32(w.live))
				return n
			}
			if mask&need == need {
				if i.exec(w, i, mask); w.fault != nil {
					return n
				}
				if w.yielded {
					w.schedulePause(pc, mask)
					return n + 1
				}
				pc++
				reschedule = pc >= next
				break
			}
			if i.flow == warpBarrier && w.meet(code, mask, need) {
				pc++
				reschedule = true
				break
			}
			if f, next, ok = w.schedule(pc, mask, true, false); !ok {
				w.stuck()
				return n
			}
			pc, mask = f.pc, f.mask
			continue
		case blockBarrier:
			if mask != w.live {
				if f, next, ok = w.schedule(pc, mask, true, false); !ok {
					w.stuck()
					return n
				}
				pc, mask = f.pc, f.mask
				continue
			}
			w.block.launch.changes++
			w.block.arrive(w, i, mask)
			if w.fault != nil {
				return n
			}
			pc++
			if w.waits >= 0 {
				w.schedulePause(pc, mask)
				return n + 1
			}
		}
		if reschedule {
			if f, next, ok = w.schedule(pc, mask, false, false); !ok {
				w.stuck()
				return n
			}
			pc, mask = f.pc, f.mask
		}
	}
	w.schedulePause(pc, mask)
	return n
}

// schedulePause keeps a fragment until the warp's next turn.
func (w *warp) schedulePause(pc int, mask uint32) {
	w.others = append(w.others, fragment{pc, mask, false})
	w.merge()
}

// merge joins the last fragment with another that is at the same instruction.
func (w *warp) merge() {
	last := len(w.others) - 1
	for n := range last {
		if w.others[n].pc == w.others[last].pc {
			w.others[n].mask |= w.others[last].mask
			w.others[n].parked = false
			w.others = w.others[:last]
			return
		}
	}
}

// meet lets the lanes that are parked at bar.warp.sync go on if, with those of mask, all that
// are needed have come.
func (w *warp) meet(code []instruction, mask, need uint32) bool {
	here := mask
	at := func(f *fragment) bool { return f.parked && code[f.pc].flow == warpBarrier && f.mask&^need == 0 }
	for n := range w.others {
		if at(&w.others[n]) {
			here |= w.others[n].mask
		}
	}
	if here&need != need {
		return false
	}
	old := w.others
	w.others = nil
	for n := range old {
		f := old[n]
		if at(&f) {
			f.pc++
			f.parked = false
		}
		w.others = append(w.others, f)
		w.merge()
	}
	return true
}

// stuck reports lanes of a warp that wait for each other.
func (w *warp) stuck() {
	code := w.block.launch.kernel.code
	if len(w.others) == 0 {
		return
	}
	f := w.others[0]
	text := ""
	for _, o := range w.others {
		text += fmt.Sprintf("; lanes %#x wait at line %d, %q", o.mask, code[o.pc].line, code[o.pc].text)
	}
	w.fail(&code[f.pc], f.mask, "deadlock: lanes of the warp wait for each other (live %#x)%s", w.live, text)
}
