package cpu

import (
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

const (
	// blockK is the most k that are summed before the sum is written to memory: a panel
	// of that depth stays in the L1 cache.
	blockK = 640
	// blockTiles tiles of rows of x, blockK deep, stay in the L2 cache.
	blockTiles = 24
	// blockRows is the most rows of x packed at a time.
	blockRows = 1024
)

// depth returns the length of the blocks into which k is cut. It depends on cols alone, since
// the blocks decide how a row's sum is rounded.
func depth(cols int) int {
	blocks := max(1, (cols+blockK-1)/blockK)
	return ((cols+blocks-1)/blocks + 31) / 32 * 32
}

// MatMul: dst = x · wᵀ + bias.
func (d *Device) MatMul(dst, x engine.Array, w engine.Weight) { d.matMul("matmul", dst, x, w, 0) }

// MatMulAdd: dst += x · wᵀ + bias.
func (d *Device) MatMulAdd(dst, x engine.Array, w engine.Weight) {
	d.matMul("matmul add", dst, x, w, 1)
}

func (d *Device) matMul(op string, dst, x engine.Array, weight engine.Weight, add int) {
	w := own(op, weight)
	m := rowsOf(op, "x", x, w.cols)
	if dst.Len != m*w.rows {
		shape("%s: dst has %d numbers; x (%d, %d) and w (%d, %d) make (%d, %d)", op, dst.Len, m, w.cols, w.rows, w.cols, m, w.rows)
	}
	if d.err == nil {
		d.product(f32(op, dst), f32(op, x), m, w, add)
	}
}

// tiles are rows 0…m cut into pieces of about equal height, each of at most `most` rows.
type tiles struct{ m, n int }

func cut(m, most int) tiles { return tiles{m, (m + most - 1) / most} }

// at returns the first row of piece i and how many it has.
func (t tiles) at(i int) (first, rows int) {
	first = i * t.m / t.n
	return first, (i+1)*t.m/t.n - first
}

// product computes c = x·wᵀ (m, w.rows), or adds it to c.
func (d *Device) product(c, x []float32, m int, w *weight, add int) {
	for first := 0; first < m; first += blockRows {
		rows := min(blockRows, m-first)
		t := cut(rows, d.k.tileRows)
		a := d.packRows(x[first*w.cols:(first+rows)*w.cols], w.cols, t)
		out := c[first*w.rows : (first+rows)*w.rows]
		for i := range w.segments {
			s := &w.segments[i]
			pair := 1 // panels stay together where kernels for one row take two
			if rows == 1 && d.k.row[s.format][1][2] != nil {
				pair = 2
			}
			d.pool.each(s.panels(w.width), pair, func(lo, hi, worker int) {
				if rows <= maxRows && t.n == 1 && d.k.row[s.format][rows][1] != nil {
					d.fewPanels(out, a, rows, w, s, lo, hi, worker, add)
				} else {
					d.tilePanels(out, a, t, w, s, lo, hi, worker, add)
				}
			})
		}
	}
}

// packRows lays the rows of every tile side by side: (tile, k, row of the tile).
func (d *Device) packRows(x []float32, cols int, t tiles) []float32 {
	if t.m == 1 {
		return x
	}
	a := scratch(&d.pack, t.m*cols)
	d.pool.each(t.n, 1, func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			first, rows := t.at(i)
			interleave(a[first*cols:(first+rows)*cols], x[first*cols:(first+rows)*cols], rows, cols)
		}
	})
	return a
}

// interleave writes the transpose of x (rows, cols) to dst.
func interleave(dst, x []float32, rows, cols int) {
	r := 0
	for ; r+2 <= rows; r += 2 {
		a, b := x[r*cols:(r+1)*cols], x[(r+1)*cols:(r+2)*cols]
		b = b[:len(a)]
		o := r
		for k, v := range a {
			pair := dst[o : o+2 : o+2]
			pair[0], pair[1] = v, b[k]
			o += rows
		}
	}
	if r < rows {
		o := r
		for _, v := range x[r*cols : (r+1)*cols] {
			dst[o] = v
			o += rows
		}
	}
}

// start returns the initial value of a panel's sums.
func (d *Device) start(w *weight, panel int, k0 int) *float32 {
	if w.bias == nil || k0 > 0 {
		return &d.zeros[0]
	}
	return &w.bias[panel*w.width]
}

func (d *Device) tilePanels(c, a []float32, t tiles, w *weight, s *segment, lo, hi, worker, add int) {
	width, kc := w.width, depth(w.cols)
	buf := scratch(&d.local[worker], kc*width+d.k.tileRows*width)
	edge := buf[kc*width:]
	for k0 := 0; k0 < w.cols; k0 += kc {
		k := min(kc, w.cols-k0)
		more := add
		if k0 > 0 {
			more = 1
		}
		for i0 := 0; i0 < t.n; i0 += blockTiles {
			for p := lo; p < hi; p++ {
				src := &s.data[p*s.bytes+s.format.panelBytes(k0, width)]
				b := (*float32)(unsafe.Pointer(src))
				if s.format != formatF32 {
					b = &buf[0]
					d.k.unpack[s.format](s.format.units(k, width), src, b)
				}
				init := d.start(w, s.panel+p, k0)
				column := s.first + p*width
				columns := min(width, s.rows-p*width)
				for i := i0; i < min(t.n, i0+blockTiles); i++ {
					first, rows := t.at(i)
					at := &a[first*w.cols+k0*rows]
					if columns == width {
						d.k.tile[rows](k, at, rows, b, width, init, &c[first*w.rows+column], w.rows, more)
						continue
					}
					d.k.tile[rows](k, at, rows, b, width, init, &edge[0], width, 0)
					for r := range rows {
						put(c[(first+r)*w.rows+column:][:columns], edge[r*width:], more)
					}
				}
			}
		}
	}
}

func put(dst, src []float32, add int) {
	for i := range dst {
		if add != 0 {
			dst[i] += src[i]
		} else {
			dst[i] = src[i]
		}
	}
}

// fewPanels is tilePanels for a tile of few rows, without unpacking to memory.
func (d *Device) fewPanels(c, x []float32, rows int, w *weight, s *segment, lo, hi, worker, add int) {
	width, kc := w.width, depth(w.cols)
	edge := scratch(&d.local[worker], 2*width*rows)
	for p := lo; p < hi; {
		n := 1
		if p+1 < hi && d.k.row[s.format][rows][2] != nil {
			n = 2
		}
		f := d.k.row[s.format][rows][n]
		column := s.first + p*width
		columns := min(n*width, s.rows-p*width)
		for k0 := 0; k0 < w.cols; k0 += kc {
			k := min(kc, w.cols-k0)
			more := add
			if k0 > 0 {
				more = 1
			}
			src := &s.data[p*s.bytes+s.format.panelBytes(k0, width)]
			init := d.start(w, s.panel+p, k0)
			if columns == n*width {
				f(s.format.units(k, 1), &x[k0*rows], src, s.bytes, init, &c[column], w.rows, more)
				continue
			}
			f(s.format.units(k, 1), &x[k0*rows], src, s.bytes, init, &edge[0], n*width, 0)
			for r := range rows {
				put(c[r*w.rows+column:][:columns], edge[r*n*width:], more)
			}
		}
		p += n
	}
}
