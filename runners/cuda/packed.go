package cuda

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// packable says whether a weight of these parts stays as it is stored: in MXFP4 or E4M3 on a
// device of bfloat16, where rows are whole blocks of 32.
func packable(t engine.Type, parts []engine.Stored) bool {
	s := parts[0].Storage()
	if t != engine.BFloat16 || s != engine.MXFP4 && s != engine.E4M3 || parts[0].Cols()%32 != 0 || parts[0].Cols() > card.PieceBytes {
		return false
	}
	for _, p := range parts {
		if p.Storage() != s {
			return false
		}
	}
	return true
}

// packedBytes are the bytes of a row's codes, and of its scales.
func packedBytes(s engine.Storage, cols int) (codes, scales int) {
	if s == engine.MXFP4 {
		return cols / 2, cols / 32
	}
	return cols, 4 * blocks(cols, engine.ScaleColumns)
}

// WeightBytes is how much memory LoadWeight takes for a part, without what fills up tiles of rows.
func (d *Device) WeightBytes(part engine.Stored) int64 {
	if pieces, _ := piecesInBlocks(d.kind, []engine.Stored{part}); pieces != nil {
		b := blockStorages[part.Storage()]
		return int64(part.Rows()) * int64(part.Cols()/b.numbers*b.bytes)
	}
	return WeightBytes(d.kind, []engine.Stored{part})
}

// WeightBytes is how much memory LoadWeight takes for a weight of these parts, without a bias, on a device of type t.
func WeightBytes(t engine.Type, parts []engine.Stored) (bytes int64) {
	pieces, _ := piecesInBlocks(t, parts)
	for _, p := range pieces {
		bytes += blockBytes(p.storage, p.rows, p.cols)
	}
	if pieces != nil {
		return bytes
	}
	size := int64(parts[0].Cols()) * int64(t.Size())
	if packable(t, parts) {
		codes, scales := packedBytes(parts[0].Storage(), parts[0].Cols())
		size = int64(codes + scales)
	}
	for _, p := range parts {
		bytes += int64(p.Rows()) * size
	}
	return bytes
}

// uploadPacked sends parts as kernels/packed.h has them: all codes, then all scales.
func (d *Device) uploadPacked(w *weight, parts []engine.Stored) error {
	codes, scales := packedBytes(w.storage, w.cols)
	to, scalesTo := w.address, w.address+uint64(w.rows)*uint64(codes)
	for _, p := range parts {
		for first := 0; first < p.Rows(); {
			n := min(p.Rows()-first, card.PieceBytes/(codes+scales))
			piece, beside := d.card.Stage(n*(codes+scales)), n*codes
			var bad atomic.Int64
			each(n, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					if !pack(piece[i*codes:(i+1)*codes], piece[beside+i*scales:beside+(i+1)*scales], p.RawRow(first+i), w.storage) {
						bad.Store(int64(first+i) + 1)
					}
				}
			})
			if row := bad.Load(); row > 0 {
				return fmt.Errorf("weight %s: row %d has a NaN", p.Name(), row-1)
			}
			if !d.card.Send(to, piece[:beside]) || !d.card.Send(scalesTo, piece[beside:]) {
				return nil // the card keeps the error
			}
			to, scalesTo = to+uint64(n*codes), scalesTo+uint64(n*scales)
			first += n
		}
	}
	return nil
}

// refuseNaN returns an error for a part in MXFP4 or E4M3 that has a NaN and is not packed.
func refuseNaN(p engine.Stored) error {
	s, cols := p.Storage(), p.Cols()
	for r := 0; (s == engine.MXFP4 || s == engine.E4M3) && r < p.Rows(); r++ {
		raw := p.RawRow(r)
		for c := range cols {
			if s == engine.MXFP4 && raw[c/32*17] == 255 || s == engine.E4M3 && raw[c]&127 == 127 {
				return fmt.Errorf("weight %s: row %d has a NaN", p.Name(), r)
			}
		}
	}
	return nil
}

// pack writes a stored row's codes and scales, or returns false where there is a NaN.
func pack(codes, scales, raw []byte, s engine.Storage) bool {
	if s == engine.MXFP4 {
		for i := range scales {
			block := raw[17*i : 17*i+17]
			if scales[i] = block[0]; block[0] == 255 {
				return false
			}
			for j := range 4 {
				var word uint32
				for k := range 4 {
					word |= uint32(scattered[k][nibble(block[1:], 8*j+2*k)]) | uint32(scattered[k][nibble(block[1:], 8*j+2*k+1)])<<16
				}
				binary.LittleEndian.PutUint32(codes[16*i+4*j:], word)
			}
		}
		return true
	}
	nan := uint32(0)
	for i := 0; i < len(codes); i += 4 { // the middle two change places
		w := binary.LittleEndian.Uint32(raw[i:])
		nan |= (w&0x7f7f7f7f + 0x01010101) & 0x80808080
		binary.LittleEndian.PutUint32(codes[i:], w&0xff0000ff|w>>8&0xff00|w&0xff00<<8)
	}
	copy(scales, raw[len(codes):])
	return nan == 0
}

// scattered are the places of pair k's codes in their half of a word (kernels/packed.h), by code.
var scattered = func() (s [4][16]uint16) {
	for k, place := range [4]struct{ sign, rest int }{{9, 0}, {14, 3}, {15, 6}, {13, 10}} {
		for code := range s[k] {
			s[k][code] = uint16(code>>3<<place.sign | code&7<<place.rest)
		}
	}
	return s
}()

// nibble is number i of a block's 32 codes.
func nibble(codes []byte, i int) byte { return codes[i%16] >> (i / 16 * 4) & 15 }

func (w *weight) packed() bool {
	return w.storage == engine.MXFP4 || w.storage == engine.E4M3 || inBlocks(w.storage) || w.pieces != nil
}

// packedName is what kernels of a storage have in their names.
func packedName(s engine.Storage) string {
	if s == engine.MXFP4 {
		return "mxfp4"
	}
	return "e4m3"
}

// fewPacked is fewOf for a weight in MXFP4 or E4M3: eight rows of x at a time, but for more on compute capability 9.0.
func (d *Device) fewPacked(to uint64, t engine.Type, from uint64, m int, w *weight, add bool, c choice) {
	if d.hopperCard() && c.choices == 0 && m > 8 {
		d.packedRows(to, t, from, m, w, w.rows, add, c.used)
		return
	}
	name := resultName(packedName(w.storage), t)
	count, wide := c.count, 1
	if c.choices == 0 {
		count = blocks(m, 8)
	}
	if blocks(w.rows, 32)*count >= 2*d.card.Multiprocessors {
		wide = 2
	}
	d.card.Args(to, from, w.address, w.bias).Int(m).Long(w.rows, w.cols).Int(flag(add)).Ptr(c.used, c.choices, c.experts, c.tokens)
	d.card.Launch(d.card.Kernel("matmul_packed", fmt.Sprintf("matmul_packed_%d_%s", wide, name)), blocks(w.rows, 16*wide), count, 256, 0)
}

// plain returns a weight as bfloat16: itself, or a copy that done gives back.
func (d *Device) plain(w *weight) (p *weight, done func(), ok bool) {
	if !w.packed() {
		return w, func() {}, true
	}
	room, done, ok := d.card.Scratch(d.plainBytes(w))
	if !ok {
		return nil, done, false
	}
	d.unpack(room, w, 0, 0, 1)
	copied := *w
	copied.address, copied.storage, copied.pieces = room, engine.BF16, nil
	return &copied, done, true
}

func (d *Device) plainBytes(w *weight) int64 {
	return int64(w.rows) * int64(w.cols) * int64(d.kind.Size())
}

// unpack writes a weight to room, or count experts of a table from skip on, all alike.
func (d *Device) unpack(room uint64, w *weight, table uint64, skip, count int) {
	for _, p := range w.pieces { // which no experts of a table have
		d.unpack(room, p, 0, 0, 1)
		room += uint64(d.plainBytes(p))
	}
	if w.pieces != nil {
		return
	}
	file, name := "matmul_packed", packedName(w.storage)
	if inBlocks(w.storage) {
		name = blockName(w.storage)
		file = "matmul_" + name
	}
	d.card.Args(room, w.address, table).Int(skip).Long(w.rows, w.cols)
	d.card.Launch(d.card.Kernel(file, "unpack_"+name), blocks(w.rows*w.cols, 8*256), count, 256, 0)
}

// roomBytes is the most memory that experts are unpacked into at a time.
const roomBytes = 256 << 20

// roomFor is how many of a mixture's experts are unpacked at a time: 0 where they are not packed.
func (d *Device) roomFor(experts []*weight) int {
	if !experts[0].packed() {
		return 0
	}
	return together(len(experts), d.plainBytes(experts[0]))
}

// together is how many of so many experts are unpacked at a time, each of which then takes plain bytes.
func together(experts int, plain int64) int {
	return int(max(1, min(int64(experts), roomBytes/plain)))
}

// UnpackBytes is what a product of many rows takes to unpack a weight, or a mixture's to unpack its experts', which are
// alike and take so many bytes each when they are unpacked.
func UnpackBytes(experts int, plain int64) int64 {
	return card.Takes(int64(together(experts, plain)) * plain)
}

// unpacked calls each for some experts at a time, from skip on, with one weight that has their
// rows one behind the other.
func (d *Device) unpacked(experts []*weight, table uint64, each func(skip, count int, room *weight) bool) bool {
	at := d.roomFor(experts)
	address, done, ok := d.card.Scratch(int64(at) * d.plainBytes(experts[0]))
	defer done()
	if !ok {
		return false
	}
	w := experts[0]
	for skip := 0; skip < len(experts); skip += at {
		count := min(at, len(experts)-skip)
		d.unpack(address, w, table, skip, count)
		if !each(skip, count, &weight{device: d, address: address, rows: count * w.rows, cols: w.cols}) {
			return false
		}
	}
	return true
}

// UnpackBytes is what a product of many rows with the weight, or a mixture's with these of
// all its experts, takes to unpack them.
func (d *Device) UnpackBytes(weights ...engine.Weight) int64 {
	var own []*weight
	for _, w := range weights {
		own = append(own, d.weight("UnpackBytes", w))
	}
	for _, w := range own {
		if w.packed() {
			return UnpackBytes(len(own), d.plainBytes(w))
		}
	}
	return 0
}
