package emulator

import "math/bits"

// shuffle decodes shfl.sync.mode.b32 d[|p], a, b, c, members.
func (d *decoder) shuffle() {
	i, o := d.i, d.st.operands
	if !d.arity(5, 5) || len(d.parts) != 4 || d.parts[1] != "sync" || d.parts[3] != "b32" {
		d.err = errUnknown
		return
	}
	switch d.parts[2] {
	case "idx", "bfly", "up", "down":
	default:
		d.err = errUnknown
		return
	}
	i.flow, i.exec, i.f = together, execShuffle, d.parts[2]
	i.d, i.a, i.b, i.c, i.members = d.destination(&o[0], words), d.word(&o[1], 32), d.word(&o[2], 32), d.word(&o[3], 32), d.word(&o[4], 32)
	if o[0].partner != nil {
		i.second = d.destination(o[0].partner, predicates)
	} else if d.parts[2] == "bfly" && o[3].kind == integerOperand && o[3].bits == 31 {
		i.exec = execButterfly
	}
}

// execButterfly is the most frequent shuffle, over the whole warp.
func execButterfly(w *warp, i *instruction, mask uint32) {
	if mask != all {
		execShuffle(w, i, mask)
		return
	}
	a, b, d := w.r[i.a], &w.r[i.b], &w.r[i.d]
	if i.b == i.d {
		other := *b
		b = &other
	}
	for l := range lanes {
		d[l] = a[(uint32(l)^b[l])&31]
	}
}

// execShuffle follows the pseudo-code of PTX ISA 9.7.8.6.
func execShuffle(w *warp, i *instruction, mask uint32) {
	a := w.r[i.a]
	mode, found := i.f.(string), uint32(0)
	for m := mask; m != 0; m &= m - 1 {
		lane := bits.TrailingZeros32(m) & 31
		b, c := int(w.r[i.b][lane]&31), w.r[i.c][lane]
		clamp, segment := int(c&31), int(c>>8&31)
		high := lane&segment | clamp&^segment
		low := lane & segment
		from, in := lane, false
		switch mode {
		case "up":
			from = lane - b
			in = from >= high
		case "down":
			from = lane + b
			in = from <= high
		case "bfly":
			from = lane ^ b
			in = from <= high
		case "idx":
			from = low | b&^segment
			in = from <= high
		}
		if !in {
			from = lane
		} else {
			found |= 1 << lane
		}
		if mask>>(from&31)&1 == 0 {
			w.fail(i, 1<<lane, "reads from lane %d, which does not take part (lanes %#x)", from, mask)
			return
		}
		w.r[i.d][lane] = a[from&31]
	}
	if i.second >= 0 {
		w.p[i.second] = w.p[i.second]&^mask | found
	}
}

// vote decodes vote.sync.all, any, uni (of predicates) and ballot.
func (d *decoder) vote() {
	i, o := d.i, d.st.operands
	if !d.arity(3, 3) || len(d.parts) != 4 || d.parts[1] != "sync" {
		d.err = errUnknown
		return
	}
	i.flow, i.exec, i.f = together, execVote, d.parts[2]
	i.a, i.arrive, i.members = d.negatable(&o[1]), o[1].not, d.word(&o[2], 32)
	switch d.parts[2] + "." + d.parts[3] {
	case "all.pred", "any.pred", "uni.pred":
		i.d = d.destination(&o[0], predicates)
	case "ballot.b32":
		i.d = d.destination(&o[0], words)
	default:
		d.err = errUnknown
	}
}

func execVote(w *warp, i *instruction, mask uint32) {
	p := w.p[i.a]
	if i.arrive {
		p = ^p
	}
	p &= mask
	yes := false
	switch i.f.(string) {
	case "all":
		yes = p == mask
	case "any":
		yes = p != 0
	case "uni":
		yes = p == 0 || p == mask
	case "ballot":
		for m := mask; m != 0; m &= m - 1 {
			w.r[i.d][bits.TrailingZeros32(m)&31] = p
		}
		return
	}
	w.p[i.d] &^= mask
	if yes {
		w.p[i.d] |= mask
	}
}

// match decodes match.any.sync.
func (d *decoder) match() {
	i, o := d.i, d.st.operands
	if !d.arity(3, 3) || len(d.parts) != 4 || d.parts[1] != "any" || d.parts[2] != "sync" || d.parts[3] != "b32" && d.parts[3] != "b64" {
		d.err = errUnknown
		return
	}
	width := typeBits["."+d.parts[3]]
	i.flow, i.exec, i.file = together, execMatch, int8(fileOf(width))
	i.d, i.a, i.members = d.destination(&o[0], words), d.source(&o[1], width), d.word(&o[2], 32)
}

func execMatch(w *warp, i *instruction, mask uint32) {
	var v [lanes]uint64
	if i.file == longs {
		v = w.q[i.a]
	} else {
		v = widened(&w.r[i.a])
	}
	for lane := range lanes {
		if mask>>lane&1 == 0 {
			continue
		}
		same := uint32(0)
		for other := range lanes {
			if mask>>other&1 != 0 && v[other] == v[lane] {
				same |= 1 << other
			}
		}
		w.r[i.d][lane] = same
	}
}

// reduce decodes redux.sync.max and min of unsigned words.
func (d *decoder) reduce() {
	i, o := d.i, d.st.operands
	if !d.arity(3, 3) || len(d.parts) != 4 || d.parts[1] != "sync" || d.parts[2] != "max" && d.parts[2] != "min" || d.parts[3] != "u32" {
		d.err = errUnknown
		return
	}
	i.flow, i.exec, i.f = together, execReduce, d.parts[2]
	i.d, i.a, i.members = d.destination(&o[0], words), d.word(&o[1], 32), d.word(&o[2], 32)
}

func execReduce(w *warp, i *instruction, mask uint32) {
	result := w.r[i.a][bits.TrailingZeros32(mask)&31]
	for m := mask; m != 0; m &= m - 1 {
		v := w.r[i.a][bits.TrailingZeros32(m)&31]
		if i.f.(string) == "max" {
			result = max(result, v)
		} else {
			result = min(result, v)
		}
	}
	for m := mask; m != 0; m &= m - 1 {
		w.r[i.d][bits.TrailingZeros32(m)&31] = result
	}
}

func (d *decoder) activeMask() {
	if d.arity(1, 1) {
		d.i.d = d.destination(&d.st.operands[0], words)
		d.i.exec = func(w *warp, i *instruction, mask uint32) {
			for m := mask; m != 0; m &= m - 1 {
				w.r[i.d][bits.TrailingZeros32(m)&31] = mask
			}
		}
	}
}
