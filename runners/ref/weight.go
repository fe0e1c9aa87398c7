package ref

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// weight is a matrix as it was stored where that is MXFP4 or E4M3, else as float32.
type weight struct {
	parts      []part
	bias       []float32 // (rows), or nil
	rows, cols int
}

type part struct {
	rows     int
	values   []float32 // (rows, cols), or nil
	storage  engine.Storage
	raw      []byte // rows as they are stored
	rowBytes int
}

func (w *weight) Rows() int { return w.rows }
func (w *weight) Cols() int { return w.cols }

func (w *weight) Bytes() int64 {
	n := 4 * int64(len(w.bias))
	for _, p := range w.parts {
		n += 4*int64(len(p.values)) + int64(len(p.raw))
	}
	return n
}

// row returns a row's numbers, which must not be written to.
func (w *weight) row(r int) []float32 {
	i := 0
	for ; r >= w.parts[i].rows; i++ {
		r -= w.parts[i].rows
	}
	p := w.parts[i]
	if p.values != nil {
		return p.values[r*w.cols : (r+1)*w.cols]
	}
	row, raw := make([]float32, w.cols), p.raw[r*p.rowBytes:(r+1)*p.rowBytes]
	for c := range row {
		if p.storage == engine.MXFP4 {
			row[c] = float32(fp4(raw[c/32*17+1:], c%32) * math.Pow(2, float64(raw[c/32*17])-127))
			continue
		}
		scale := math.Float32frombits(binary.LittleEndian.Uint32(raw[w.cols+c/engine.ScaleColumns*4:]))
		row[c] = float32(fp8(raw[c]) * float64(scale))
	}
	return row
}

// fp4 is number c of a block's codes.
func fp4(codes []byte, c int) float64 {
	code := codes[c%16] >> (c / 16 * 4) & 15
	sign, e, m := 1-2*float64(code>>3), float64(code>>1&3), float64(code&1)
	if e == 0 {
		return sign * m / 2
	}
	return sign * math.Pow(2, e-1) * (1 + m/2)
}

// fp8 is the value of a code of E4M3.
func fp8(code byte) float64 {
	sign, e, m := 1-2*float64(code>>7), float64(code>>3&15), float64(code&7)
	if e == 0 {
		return sign * m / 8 * math.Pow(2, -6)
	}
	return sign * math.Pow(2, e-7) * (1 + m/8)
}

// nan returns an error for a stored row that has a NaN.
func nan(s engine.Stored, r int) error {
	raw := s.RawRow(r)
	for c := range s.Cols() {
		if s.Storage() == engine.MXFP4 && raw[c/32*17] == 255 || s.Storage() == engine.E4M3 && raw[c]&127 == 127 {
			return fmt.Errorf("weight %s: row %d, column %d is NaN", s.Name(), r, c)
		}
	}
	return nil
}

// LoadWeight stacks the parts' rows.
func (d *Device) LoadWeight(parts, bias []engine.Stored) (engine.Weight, error) {
	w := &weight{cols: parts[0].Cols()}
	for i, p := range parts {
		if p.Cols() != w.cols {
			return nil, fmt.Errorf("weight %s has %d columns, %s has %d", p.Name(), p.Cols(), parts[0].Name(), w.cols)
		}
		own := part{rows: p.Rows(), storage: p.Storage()}
		if own.storage == engine.MXFP4 || own.storage == engine.E4M3 {
			for r := range p.Rows() {
				if err := nan(p, r); err != nil {
					return nil, err
				}
				own.raw = append(own.raw, p.RawRow(r)...)
			}
			own.rowBytes = len(own.raw) / p.Rows()
		} else {
			own.values = make([]float32, p.Rows()*w.cols)
			for r := range p.Rows() {
				p.ReadRow(r, own.values[r*w.cols:(r+1)*w.cols])
			}
		}
		w.parts = append(w.parts, own)
		v := make([]float32, p.Rows())
		if i < len(bias) && bias[i] != nil {
			if bias[i].Rows() != 1 || bias[i].Cols() != p.Rows() {
				return nil, fmt.Errorf("bias %s has shape (%d, %d), weight %s has %d rows", bias[i].Name(), bias[i].Rows(), bias[i].Cols(), p.Name(), p.Rows())
			}
			bias[i].ReadRow(0, v)
			if w.bias == nil {
				w.bias = make([]float32, w.rows)
			}
		}
		w.rows += p.Rows()
		if w.bias != nil {
			w.bias = append(w.bias, v...)
		}
	}
	d.memory.Weights += w.Bytes()
	d.count(w.Bytes())
	return w, nil
}
