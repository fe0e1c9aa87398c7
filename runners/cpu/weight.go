package cpu

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// weight is a matrix in panels: segments of consecutive rows that share a
// format, each cut into panels of panelWidth rows, padded with zeros.
type weight struct {
	rows, cols int
	width      int // rows of a panel
	segments   []segment
	bias       []float32 // per panel, in the order of the segments; nil for none
	free       []func()
}

type segment struct {
	format      format
	first, rows int
	panel       int // number of the first panel, in bias
	bytes       int // of a panel
	data        []byte
}

func (w *weight) Rows() int { return w.rows }
func (w *weight) Cols() int { return w.cols }

func (w *weight) Bytes() int64 {
	n := 4 * int64(len(w.bias))
	for _, s := range w.segments {
		n += int64(len(s.data))
	}
	return n
}

func (s *segment) panels(width int) int { return (s.rows + width - 1) / width }

// formatOf returns the format that keeps a matrix's values exactly.
func formatOf(m engine.Stored) format {
	switch m.Storage() {
	case engine.BF16:
		return formatBF16
	case engine.F16:
		return formatF16
	case engine.Q8_0, engine.Q5_0: // the latter's numbers are whole multiples of a half, too
		return formatQ8
	case engine.Q4_1:
		return formatQ4
	case engine.MXFP4:
		return formatP4
	case engine.Q4K:
		return formatK4
	case engine.Q6K:
		return formatK6
	case engine.E4M3:
		if m.Cols()%32 == 0 {
			return formatE8
		}
	case engine.Q4_0: // d·(q-8) is exactly d·q + (-8d), if a half can hold 8d
		for r := range m.Rows() {
			for raw := m.RawRow(r); len(raw) >= 18; raw = raw[18:] {
				if _, ok := timesMinus8(binary.LittleEndian.Uint16(raw)); !ok {
					return formatF32
				}
			}
		}
		return formatQ4
	}
	return formatF32
}

// timesMinus8 returns -8 times a half, or false where that is not a finite half.
func timesMinus8(h uint16) (uint16, bool) {
	sign, exp, frac := ^h&0x8000, h>>10&31, h&0x3ff
	if exp > 0 {
		return sign | (exp+3)<<10 | frac, exp+3 < 31
	}
	frac <<= 3
	for exp = 1; frac >= 2048; exp++ { // no bit is lost: multiplying by 8 has added three zeros
		frac >>= 1
	}
	if frac < 1024 {
		return sign | frac, true
	}
	return sign | exp<<10 | frac&0x3ff, true
}

// formatUnread is formatOf without a look at a matrix's numbers, on which that of Q4_0 may rest: of such a one it is the
// usual format.
func formatUnread(m engine.Stored) format {
	if m.Storage() == engine.Q4_0 {
		return formatQ4
	}
	return formatOf(m)
}

// WeightBytes returns how much memory LoadWeight takes for a part, without padding.
func (d *Device) WeightBytes(part engine.Stored) int64 {
	return int64(part.Rows()) * int64(formatUnread(part).panelBytes(part.Cols(), 1))
}

// widestPanel is the width of the widest kernels' panels; that of all others divides it.
const widestPanel = 32

// WeightBytes is the most that LoadWeight takes for a weight of these parts on any processor, its padding included. No
// numbers are read: Q4_0 is taken to have a format for its blocks, as files of it do unless a scale is above 8190.
func WeightBytes(parts, bias []engine.Stored) (bytes int64) {
	of := func(i int) format { return formatUnread(parts[i]) }
	biased := slices.ContainsFunc(bias, func(b engine.Stored) bool { return b != nil })
	for i := 0; i < len(parts); {
		rows, first := 0, i
		for ; i < len(parts) && of(i) == of(first); i++ { // parts of one format fill their panels together
			rows += parts[i].Rows()
		}
		panels := int64((rows + widestPanel - 1) / widestPanel)
		if bytes += panels * int64(of(first).panelBytes(parts[first].Cols(), widestPanel)); biased {
			bytes += 4 * panels * widestPanel
		}
	}
	return bytes
}

// LoadWeight stacks the rows of parts and packs them. Float16, bfloat16, Q8_0, Q4_0, Q4_1
// and MXFP4 stay as small as they are, and E4M3 where its rows are whole blocks of 32; Q5_0
// becomes Q8_0. Q4_K takes 6 bits a number and Q6_K 10, their scales being multiplied out and
// a code of six bits having a byte. Everything else becomes float32.
func (d *Device) LoadWeight(parts []engine.Stored, bias []engine.Stored) (engine.Weight, error) {
	if len(parts) == 0 || bias != nil && len(bias) != len(parts) {
		shape("load weight: %d parts, %d biases", len(parts), len(bias))
	}
	w := &weight{cols: parts[0].Cols(), width: d.k.panelWidth}
	var sources [][]engine.Stored // per segment
	hasBias := false
	for i, p := range parts {
		if p.Cols() != w.cols {
			return nil, fmt.Errorf("cpu: %s has %d columns, %s has %d", parts[0].Name(), w.cols, p.Name(), p.Cols())
		}
		if bias != nil && bias[i] != nil {
			hasBias = true
			if n := bias[i].Rows() * bias[i].Cols(); n != p.Rows() {
				return nil, fmt.Errorf("cpu: bias %s has %d numbers for %d rows of %s", bias[i].Name(), n, p.Rows(), p.Name())
			}
		}
		f := formatOf(p)
		if last := len(w.segments) - 1; last >= 0 && w.segments[last].format == f {
			w.segments[last].rows += p.Rows()
			sources[last] = append(sources[last], p)
		} else {
			w.segments = append(w.segments, segment{format: f, first: w.rows, rows: p.Rows()})
			sources = append(sources, []engine.Stored{p})
		}
		w.rows += p.Rows()
	}
	panels := 0
	var bytes int64
	for i := range w.segments {
		s := &w.segments[i]
		s.panel, s.bytes = panels, s.format.panelBytes(w.cols, w.width)
		panels += s.panels(w.width)
		bytes += int64(s.panels(w.width)) * int64(s.bytes)
	}
	if hasBias {
		bytes += 4 * int64(panels*w.width)
	}
	if err := d.mem.take(bytes); err != nil {
		return nil, err
	}
	d.mem.weights += bytes
	for i := range w.segments {
		s := &w.segments[i]
		n := s.panels(w.width) * s.bytes
		f, free := allocate((n + 3) / 4)
		if n > 0 {
			s.data = unsafe.Slice((*byte)(unsafe.Pointer(&f[0])), n)
		}
		if free != nil {
			w.free = append(w.free, free)
		}
		if err := d.packSegment(w, s, sources[i]); err != nil {
			d.FreeWeight(w)
			return nil, err
		}
	}
	if hasBias {
		w.bias = make([]float32, panels*w.width)
		row := 0
		for i, p := range parts {
			if bias[i] != nil {
				v := readVector(bias[i])
				for r, x := range v {
					w.bias[w.biasIndex(row+r)] = x
				}
			}
			row += p.Rows()
		}
	}
	return w, nil
}

// find returns the segment of a row.
func (w *weight) find(row int) *segment {
	for i := range w.segments {
		if s := &w.segments[i]; row < s.first+s.rows {
			return s
		}
	}
	panic("unreachable")
}

func (w *weight) biasIndex(row int) int {
	s := w.find(row)
	return s.panel*w.width + row - s.first
}

// stack is several matrices as one, their rows one after the other.
type stack []engine.Stored

func (s stack) row(i int) (engine.Stored, int) {
	for _, p := range s {
		if i < p.Rows() {
			return p, i
		}
		i -= p.Rows()
	}
	panic("unreachable")
}

func (d *Device) packSegment(w *weight, s *segment, parts stack) error {
	var bad atomic.Pointer[error]
	d.pool.each(s.panels(w.width), 1, func(lo, hi, worker int) {
		var values []float32
		if s.format == formatF32 {
			values = scratch(&d.local[worker], w.width*w.cols)
		}
		for p := lo; p < hi; p++ {
			panel := s.data[p*s.bytes : (p+1)*s.bytes]
			rows := min(w.width, s.rows-p*w.width)
			if s.format == formatF32 {
				for j := range rows {
					part, r := parts.row(p*w.width + j)
					part.ReadRow(r, values[j*w.cols:(j+1)*w.cols])
				}
				packF32(panel, w.width, rows, w.cols, values)
				continue
			}
			for j := range rows {
				part, r := parts.row(p*w.width + j)
				raw := part.RawRow(r)
				switch s.format {
				case formatBF16, formatF16:
					packHalf(panel, w.width, j, raw)
				case formatQ8:
					if part.Storage() == engine.Q5_0 {
						raw = q8FromQ5(raw)
					}
					packQ8(panel, w.width, j, raw)
				case formatQ4:
					packQ4(panel, w.width, j, raw, part.Storage() == engine.Q4_1)
				case formatK4:
					packK4(panel, w.width, j, raw)
				case formatK6:
					packK6(panel, w.width, j, raw)
				case formatP4, formatE8:
					pack := packP4
					if s.format == formatE8 {
						pack = packE8
					}
					if !pack(panel, w.width, j, raw) {
						err := fmt.Errorf("cpu: weight %s: row %d has a NaN", part.Name(), r)
						bad.Store(&err)
					}
				}
			}
		}
	})
	if err := bad.Load(); err != nil {
		return *err
	}
	return nil
}

func packF32(panel []byte, width, rows, cols int, values []float32) {
	out := unsafe.Slice((*float32)(unsafe.Pointer(&panel[0])), cols*width)
	for j := range rows {
		o := out[j:]
		for k, v := range values[j*cols : (j+1)*cols] {
			o[k*width] = v
		}
	}
}

func packHalf(panel []byte, width, j int, raw []byte) {
	for k := range len(raw) / 2 {
		binary.LittleEndian.PutUint16(panel[2*(k*width+j):], binary.LittleEndian.Uint16(raw[2*k:]))
	}
}

func packQ8(panel []byte, width, j int, raw []byte) {
	for ; len(raw) >= 34; raw, panel = raw[34:], panel[34*width:] {
		binary.LittleEndian.PutUint16(panel[2*j:], binary.LittleEndian.Uint16(raw))
		codes := panel[2*width+j:]
		for k, c := range raw[2:34] {
			codes[k*width] = c
		}
	}
}

// q8FromQ5 is a row of Q5_0, blocks of a half d, 32 high bits and 32 low nibbles, as Q8_0: d·(q-16), q of five bits.
func q8FromQ5(raw []byte) []byte {
	out := make([]byte, 0, len(raw)/22*34)
	for ; len(raw) >= 22; raw = raw[22:] {
		out = append(out, raw[:2]...)
		high := binary.LittleEndian.Uint32(raw[2:])
		for k := range 32 {
			low := raw[6+k%16]
			if k >= 16 {
				low >>= 4
			}
			out = append(out, low&15|byte(high>>k&1)<<4-16)
		}
	}
	return out
}

func packQ4(panel []byte, width, j int, raw []byte, hasMin bool) {
	for len(raw) >= 18 {
		d := binary.LittleEndian.Uint16(raw)
		least, _ := timesMinus8(d)
		raw = raw[2:]
		if hasMin {
			least = binary.LittleEndian.Uint16(raw)
			raw = raw[2:]
		}
		binary.LittleEndian.PutUint16(panel[2*j:], d)
		binary.LittleEndian.PutUint16(panel[2*(width+j):], least)
		a, b := binary.LittleEndian.Uint64(raw), binary.LittleEndian.Uint64(raw[8:])
		// GGUF keeps numbers 0…15 in the low nibbles, 16…31 in the high ones.
		for i, v := range [4]uint64{a, b, a >> 4, b >> 4} {
			binary.LittleEndian.PutUint32(panel[4*width+4*(i*width+j):], squeeze(v))
		}
		raw, panel = raw[16:], panel[20*width:]
	}
}

// squeeze joins the low nibbles of eight bytes.
func squeeze(v uint64) uint32 {
	v &= 0x0f0f0f0f0f0f0f0f
	v = (v | v>>4) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return uint32(v | v>>16)
}

// readRow writes a row's float32 values.
func (w *weight) readRow(row int, dst []float32) {
	s := w.find(row)
	p, j := (row-s.first)/w.width, (row-s.first)%w.width
	panel := s.data[p*s.bytes : (p+1)*s.bytes]
	switch s.format {
	case formatF32:
		f := unsafe.Slice((*float32)(unsafe.Pointer(&panel[0])), w.cols*w.width)
		for k := range dst {
			dst[k] = f[k*w.width+j]
		}
	case formatBF16, formatF16:
		for k := range dst {
			h := binary.LittleEndian.Uint16(panel[2*(k*w.width+j):])
			if s.format == formatBF16 {
				unpackBF16Go(1, (*byte)(unsafe.Pointer(&h)), &dst[k])
			} else {
				dst[k] = halfToFloat(h)
			}
		}
	default:
		size := s.format.panelBytes(32, w.width)
		for k := range dst {
			dst[k] = blockValue(s.format, w.width, panel[k/32*size:(k/32+1)*size], k%32, j)
		}
	}
}

func readVector(v engine.Stored) []float32 {
	out := make([]float32, v.Rows()*v.Cols())
	for i := range v.Rows() {
		v.ReadRow(i, out[i*v.Cols():(i+1)*v.Cols()])
	}
	return out
}

// LoadVector returns v's numbers as a Float32 array.
func (d *Device) LoadVector(v engine.Stored) (engine.Array, error) {
	a, err := d.New(engine.Float32, v.Rows()*v.Cols())
	if err != nil {
		return a, err
	}
	copy(f32("load vector", a), readVector(v))
	return a, nil
}

// FreeWeight gives a weight back.
func (d *Device) FreeWeight(w engine.Weight) {
	own, ok := w.(*weight)
	if !ok || own.segments == nil {
		return
	}
	n := own.Bytes()
	d.mem.give(n)
	d.mem.weights -= n
	for _, f := range own.free {
		f()
	}
	*own = weight{}
}

func own(op string, w engine.Weight) *weight {
	o, ok := w.(*weight)
	if !ok || o.segments == nil {
		shape("%s: weight %T is not one of this device's living weights", op, w)
	}
	return o
}
