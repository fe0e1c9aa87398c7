package emulator

import "slices"

// mma decodes mma.sync.aligned.m16n8k16.row.col of f16 or bf16 with float sums.
func (d *decoder) mma() {
	i, o := d.i, d.st.operands
	half := false
	switch {
	case slices.Equal(d.parts[1:], []string{"sync", "aligned", "m16n8k16", "row", "col", "f32", "f16", "f16", "f32"}):
		half = true
	case slices.Equal(d.parts[1:], []string{"sync", "aligned", "m16n8k16", "row", "col", "f32", "bf16", "bf16", "f32"}):
	default:
		d.err = errUnknown
		return
	}
	if !d.arity(4, 4) {
		return
	}
	i.flow, i.aligned, i.exec, i.signed = together, true, execMma, half
	for n, count := range []int{4, 4, 2, 4} {
		list := vector(&o[n])
		if len(list) != count {
			d.fail("operand %d has %d registers, not %d", n, len(list), count)
			return
		}
		for e := range list {
			if n == 0 {
				i.list = append(i.list, d.destination(&list[e], words))
			} else {
				i.list = append(i.list, d.word(&list[e], 32))
			}
		}
	}
}

// execMma adds A (16×16) times B (16×8) to C (16×8), PTX ISA 9.7.14.5.8: lane 4g+t
// holds of A rows g and g+8, columns 2t, 2t+1, 2t+8 and 2t+9, of B the same rows of
// column g, of C columns 2t and 2t+1 of rows g and g+8. Products are exact; a sum
// is rounded once, where the card cuts off bits of it on the way.
func execMma(w *warp, i *instruction, _ uint32) {
	both := func(v uint32) (low, high float64) {
		if i.signed { // f16
			return float64(halves[v&0xffff]), float64(halves[v>>16])
		}
		return float64(single(v << 16)), float64(single(v &^ 0xffff))
	}
	var a [16][16]float64
	var b [8][16]float64
	r := i.list
	for lane := range lanes {
		g, t := lane>>2, lane&3
		for e := range 4 {
			v := w.r[r[4+e]][lane]
			row, column := g+8*(e&1), 2*t+8*(e>>1)
			a[row][column], a[row][column+1] = both(v)
		}
		for e := range 2 {
			v := w.r[r[8+e]][lane]
			b[g][2*t+8*e], b[g][2*t+8*e+1] = both(v)
		}
	}
	for lane := range lanes {
		g, t := lane>>2, lane&3
		var sums [4]uint32
		for e := range 4 {
			x, y := &a[g+8*(e>>1)], &b[2*t+e&1]
			s0, s1 := float64(single(w.r[r[10+e]][lane])), 0.0
			for k := 0; k < 16; k += 2 {
				s0 += x[k] * y[k]
				s1 += x[k+1] * y[k+1]
			}
			sums[e] = result(float32(s0 + s1))
		}
		for e := range 4 {
			w.r[r[e]][lane] = sums[e]
		}
	}
}

// loadMatrix decodes ldmatrix.sync.aligned.m8n8.x1|x2|x4[.trans].shared.b16.
func (d *decoder) loadMatrix() {
	i, o := d.i, d.st.operands
	parts := without(d.parts[1:], "trans")
	if len(parts) != 6 || parts[0] != "sync" || parts[1] != "aligned" || parts[2] != "m8n8" ||
		parts[4] != "shared" && parts[4] != "shared::cta" || parts[5] != "b16" || !d.arity(2, 2) {
		d.err = errUnknown
		return
	}
	count := map[string]int{"x1": 1, "x2": 2, "x4": 4}[parts[3]]
	list := vector(&o[0])
	if count == 0 || len(list) != count {
		d.fail("%d registers for %s matrices", len(list), parts[3])
		return
	}
	for e := range list {
		i.list = append(i.list, d.destination(&list[e], words))
	}
	i.space, i.signed = sharedSpace, d.has("trans")
	d.address(&o[1])
	i.flow, i.aligned, i.exec = together, true, execLoadMatrix
}

// execLoadMatrix: lanes 8n to 8n+7 name the rows of matrix n, eight elements each;
// lane 4g+t gets columns 2t and 2t+1 of row g, or rows of column g (.trans).
func execLoadMatrix(w *warp, i *instruction, _ uint32) {
	var at [lanes]uint64
	if !w.addresses(i, uint32(uint64(1)<<(8*len(i.list))-1), 16, &at) {
		return
	}
	for n, r := range i.list {
		var m [8][8]uint16
		for row := range 8 {
			m[row] = *(*[8]uint16)(pointer(at[8*n+row]))
		}
		for lane := range lanes {
			g, t := lane>>2, lane&3
			x, y := m[g][2*t], m[g][2*t+1]
			if i.signed {
				x, y = m[2*t][g], m[2*t+1][g]
			}
			w.r[r][lane] = uint32(y)<<16 | uint32(x)
		}
	}
}

// turnMatrix decodes movmatrix.sync.aligned.m8n8.trans.b16.
func (d *decoder) turnMatrix() {
	i, o := d.i, d.st.operands
	if !slices.Equal(d.parts[1:], []string{"sync", "aligned", "m8n8", "trans", "b16"}) || !d.arity(2, 2) {
		d.err = errUnknown
		return
	}
	i.d, i.a = d.destination(&o[0], words), d.word(&o[1], 32)
	i.flow, i.aligned, i.exec = together, true, execTurnMatrix
}

// execTurnMatrix: lane 4g+t has columns 2t and 2t+1 of row g of a matrix, and gets rows 2t and 2t+1 of column g.
func execTurnMatrix(w *warp, i *instruction, _ uint32) {
	from := w.r[i.a]
	for lane := range lanes {
		g, t := lane>>2, lane&3
		at := func(row int) uint32 { return from[4*row+g/2] >> (g % 2 * 16) & 0xffff }
		w.r[i.d][lane] = at(2*t+1)<<16 | at(2*t)
	}
}
