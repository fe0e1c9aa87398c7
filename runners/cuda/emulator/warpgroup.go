package emulator

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Four warps, the first of which has a number that is a multiple of four, multiply together
// (wgmma, PTX ISA 9.7.15). Nothing is computed before one of them waits for it: shared memory
// and the registers of A are read only then, as late as a card may. Until a warp has waited
// itself, its registers for the sums hold NaN.

// warpgroup is the multiplications that its warps have issued; the first of them are done.
type warpgroup struct {
	done int
	next []multiplication
}

type multiplication struct {
	i    *instruction
	a, b uint64 // descriptors; a is 0 where A is in registers
	add  bool
}

// multiplying is a warp's state as a member of its group.
type multiplying struct {
	issued  int
	commits []int // issued, at each commit that was not waited for
	fenced  bool  // since it last waited
	sums    []*sums
}

// sums are 16 rows of an accumulator under way.
type sums struct {
	registers []int32
	last      int             // issued up to the last multiplication into it
	rows      [16][256]uint32 // bits of floats
}

// underWay is what the registers for sums hold until then.
const underWay = 0x7FCBCBCB

// wgmma is what a wgmma.mma_async multiplies.
type wgmma struct {
	columns    int
	half       bool    // f16, not bf16
	transposed bool    // B lies k by k
	sums       []int32 // registers
	a          []int32 // of A, or none:
	aAt, b     int32   // descriptors
	add        int32   // predicate, or -1: always
}

// warpgroup decodes wgmma.
func (d *decoder) warpgroup() {
	i, o := d.i, d.st.operands
	i.flow, i.aligned = together, true
	switch operation := strings.Join(d.parts[1:], "."); {
	case operation == "fence.sync.aligned":
		d.arity(0, 0)
		i.exec = func(w *warp, _ *instruction, _ uint32) { w.multiplying.fenced = true }
	case operation == "commit_group.sync.aligned":
		d.arity(0, 0)
		i.exec = func(w *warp, _ *instruction, _ uint32) {
			w.multiplying.commits = append(w.multiplying.commits, w.multiplying.issued)
		}
	case operation == "wait_group.sync.aligned":
		if !d.arity(1, 1) || o[0].kind != integerOperand {
			d.fail("wait_group needs a number")
			return
		}
		i.flow, i.offset, i.exec = awaiting, int64(min(o[0].bits, 1<<20)), execWarpgroupWait
	case len(d.parts) == 8 && strings.HasPrefix(operation, "mma_async.sync.aligned.m64n"):
		d.multiply()
	default:
		d.err = errUnknown
	}
}

// multiply decodes wgmma.mma_async.sync.aligned.m64nNk16.f32 of f16 or bf16.
func (d *decoder) multiply() {
	i, o := d.i, d.st.operands
	p := &wgmma{half: d.parts[6] == "f16"}
	n, ok := strings.CutSuffix(strings.TrimPrefix(d.parts[4], "m64n"), "k16")
	columns, err := strconv.Atoi(n)
	if !ok || err != nil || d.parts[5] != "f32" || d.parts[6] != d.parts[7] || !p.half && d.parts[6] != "bf16" {
		d.err = errUnknown
		return
	}
	if columns < 8 || columns > 256 || columns%8 != 0 {
		d.fail("%d columns: a multiple of 8 up to 256", columns)
	}
	if !d.arity(7, 8) {
		return
	}
	p.columns = columns
	registers := func(o *operand, count int, written bool) (list []int32) {
		v := vector(o)
		if len(v) != count {
			d.fail("%d registers, not %d", len(v), count)
			return nil
		}
		for e := range v {
			if written {
				list = append(list, d.destination(&v[e], words))
			} else {
				list = append(list, d.word(&v[e], 32))
			}
		}
		return list
	}
	p.sums = registers(&o[0], columns/2, true)
	numbers := []uint64{1, 1, 0, 0} // of the sign of A and B, and whether they are transposed
	if len(o) == 7 {
		p.a = registers(&o[1], 4, false)
		numbers = []uint64{1, 1, 0}
	} else {
		p.aAt = d.long(&o[1])
	}
	p.b = d.long(&o[2])
	p.add = -1
	if o[3].kind != integerOperand || o[3].bits != 1 {
		p.add = d.predicate(&o[3])
	}
	for e, want := range numbers {
		v := &o[4+e]
		if last := e == len(numbers)-1; v.kind == integerOperand && last && v.bits == 1 {
			p.transposed = true
		} else if v.kind != integerOperand || v.bits != want {
			d.fail("operand %d is %s: only %d is emulated", 4+e, v.name, want)
		}
	}
	i.f, i.exec = p, execMultiply
}

// uniform is what all lanes have in a register.
func (w *warp) uniform(i *instruction, r int32) uint64 {
	q := &w.q[r]
	for lane := range q {
		if q[lane] != q[0] {
			w.fail(i, 1<<lane, "descriptor %#x, lane 0 has %#x", q[lane], q[0])
		}
	}
	return q[0]
}

func execMultiply(w *warp, i *instruction, mask uint32) {
	p, b, m := i.f.(*wgmma), w.block, &w.multiplying
	first := w.index &^ 3
	if len(b.warps) < first+4 {
		w.fail(i, mask, "a warpgroup has four warps")
		return
	}
	one := multiplication{i: i, b: w.uniform(i, p.b), add: true}
	if p.a == nil {
		one.a = w.uniform(i, p.aAt)
	}
	if p.add >= 0 {
		v := w.p[p.add]
		if v != 0 && v != all {
			w.fail(i, ^v, "the predicate is not the same for all lanes")
			return
		}
		one.add = v != 0
	}
	for len(b.groups) <= first/4 {
		b.groups = append(b.groups, warpgroup{})
	}
	g := &b.groups[first/4]
	if n := m.issued - g.done; n == len(g.next) {
		g.next = append(g.next, one)
	} else if other := g.next[n]; other != one {
		w.fail(i, mask, "the warpgroup's warps differ: A %#x, B %#x, %v; another executes line %d with A %#x, B %#x, %v",
			one.a, one.b, one.add, other.i.line, other.a, other.b, other.add)
		return
	}
	m.issued++
	b.launch.changes++
	s := m.into(p.sums)
	if s == nil || p.a != nil {
		if !m.fenced {
			w.fail(i, mask, "no wgmma.fence since the warp last waited: its registers may have been written")
			return
		}
	}
	if s == nil {
		for _, other := range m.sums {
			if slices.ContainsFunc(p.sums, func(r int32) bool { return slices.Contains(other.registers, r) }) {
				w.fail(i, mask, "some of its sums are under way as those of another shape")
				return
			}
		}
		s = &sums{registers: p.sums}
		s.take(w)
		m.sums = append(m.sums, s)
	}
	s.last = m.issued
}

// into finds the sums under way in registers.
func (m *multiplying) into(registers []int32) *sums {
	for _, s := range m.sums {
		if slices.Equal(s.registers, registers) {
			return s
		}
	}
	return nil
}

// each calls f with the registers of the sums and where they belong: lane 4g+t has of
// rows g and g+8 columns 2t and 2t+1 of every eight.
func (s *sums) each(w *warp, f func(register, sum *uint32, lane int)) {
	for n, r := range s.registers {
		register := &w.r[r]
		for lane := range lanes {
			f(&register[lane], &s.rows[lane>>2+n>>1&1*8][n>>2*8+lane&3*2+n&1], lane)
		}
	}
}

// take writes underWay to the registers.
func (s *sums) take(w *warp) {
	s.each(w, func(register, sum *uint32, _ int) { *sum, *register = *register, underWay })
}

// execWarpgroupWait waits until all but the last commits are done.
func execWarpgroupWait(w *warp, i *instruction, mask uint32) {
	m, b := &w.multiplying, w.block
	m.fenced = false
	n := len(m.commits) - int(i.offset)
	if n <= 0 {
		return
	}
	until := m.commits[n-1]
	if until == 0 { // nothing was multiplied
		m.commits = m.commits[n:]
		return
	}
	first := w.index &^ 3
	group := b.warps[first : first+4]
	for _, other := range group {
		if other.multiplying.issued < until {
			w.yielded = true
			return
		}
	}
	m.commits = m.commits[n:]
	for g := &b.groups[first/4]; g.done < until; {
		if err := b.multiply(group, &g.next[0]); err != nil {
			w.fail(g.next[0].i, mask, "%v", err)
			return
		}
		g.done++
		g.next = g.next[1:]
	}
	left := m.sums[:0]
	for _, s := range m.sums {
		if s.last > until {
			left = append(left, s)
			continue
		}
		s.each(w, func(register, sum *uint32, lane int) {
			if *register != underWay {
				w.fail(i, 1<<lane, "a register of the sums was written while they were under way")
			}
			*register = *sum
		})
	}
	m.sums = left
	b.launch.changes++
}

// multiply adds the products of one instruction to the sums of the group's warps. As in
// execMma products are exact and a sum is rounded once: the card, too, gives both the same
// bits.
func (b *block) multiply(group []*warp, one *multiplication) error {
	p := one.i.f.(*wgmma)
	n := p.columns
	var right [256 * 16]float64
	if err := b.tile(one.b, n, p, p.transposed, func(k, column int, v float32) { right[column*16+k] = float64(v) }); err != nil {
		return fmt.Errorf("operand B: %w", err)
	}
	var left [64][16]float64
	if p.a == nil {
		if err := b.tile(one.a, 64, p, false, func(k, row int, v float32) { left[row][k] = float64(v) }); err != nil {
			return fmt.Errorf("operand A: %w", err)
		}
	}
	for at, w := range group {
		if p.a != nil {
			for e, r := range p.a { // as execMma's
				for lane := range lanes {
					row, k, v := 16*at+lane>>2+e&1*8, lane&3*2+e>>1*8, w.r[r][lane]
					left[row][k], left[row][k+1] = float64(p.value(uint16(v))), float64(p.value(uint16(v>>16)))
				}
			}
		}
		s := w.multiplying.into(p.sums)
		for row := range s.rows {
			to, x := s.rows[row][:n], &left[16*at+row]
			if !one.add {
				clear(to)
			}
			for c := range to {
				s0, s1 := float64(math.Float32frombits(to[c])), 0.0
				for k := 0; k < 16; k += 2 {
					s0 += x[k] * right[c*16+k]
					s1 += x[k+1] * right[c*16+k+1]
				}
				to[c] = math.Float32bits(float32(s0 + s1))
			}
		}
	}
	return nil
}

func (p *wgmma) value(v uint16) float32 {
	if p.half {
		return halves[v]
	}
	return single(uint32(v) << 16)
}

// tile reads an operand of 16 numbers by some rows. Either the 16 numbers of each row lie
// side by side or, transposed, the numbers of 64 rows do. Eight such lines of 128 bytes are
// a group in the 128-byte swizzle.
func (b *block) tile(descriptor uint64, rows int, p *wgmma, transposed bool, f func(k, row int, v float32)) error {
	at, leading, stride := descriptor&0x3fff<<4, descriptor>>16&0x3fff<<4, descriptor>>32&0x3fff<<4
	const used = 0x3fff | 0x3fff<<16 | 0x3fff<<32 | 3<<62
	if descriptor&^uint64(used) != 0 || descriptor>>62 != 1 {
		return fmt.Errorf("descriptor %#x: only the 128-byte swizzle without a base offset is emulated", descriptor)
	}
	if at%1024 > 96 || transposed && at%1024 != 0 {
		return fmt.Errorf("descriptor %#x: address %#x does not begin a line of 128 bytes whose group is aligned to 1024", descriptor, at)
	}
	host := b.host()
	chunk := func(at uint64) (*[8]uint16, error) {
		if !b.launch.within(at, 16) {
			return nil, fmt.Errorf("descriptor %#x reads shared address %#x: shared memory ends at %#x", descriptor, at, sharedStart+b.launch.sharedSize)
		}
		return (*[8]uint16)(pointer(host + swizzled(at))), nil
	}
	if transposed {
		for k := range 16 {
			for c := range rows / 8 {
				v, err := chunk(at + uint64(k/8)*stride + uint64(k%8)*128 + uint64(c/8)*leading + uint64(c%8)*16)
				if err != nil {
					return err
				}
				for e := range v {
					f(k, 8*c+e, p.value(v[e]))
				}
			}
		}
		return nil
	}
	for row := range rows {
		for c := range 2 {
			v, err := chunk(at + uint64(row/8)*stride + uint64(row%8)*128 + uint64(c)*16)
			if err != nil {
				return err
			}
			for e := range v {
				f(8*c+e, row, p.value(v[e]))
			}
		}
	}
	return nil
}
