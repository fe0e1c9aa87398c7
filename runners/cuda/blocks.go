package cuda

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// block is how one of GGUF's storages has its numbers (package weights), and so how a card does
// (kernels/blocks.h).
type block struct {
	numbers, bytes int
	bits           int // of a code
	codes          int // where the low four bits, or all eight, begin
	above          int // where the others do
	scales         int // bytes in front of a block that are its scales; 0: Q6_K's, which are behind
}

var blockStorages = map[engine.Storage]block{
	engine.Q8_0: {numbers: 32, bytes: 34, bits: 8, codes: 2, scales: 2},
	engine.Q4_0: {numbers: 32, bytes: 18, bits: 4, codes: 2, scales: 2},
	engine.Q4_1: {numbers: 32, bytes: 20, bits: 4, codes: 4, scales: 4},
	engine.Q5_0: {numbers: 32, bytes: 22, bits: 5, codes: 6, above: 2, scales: 2},
	engine.Q5_1: {numbers: 32, bytes: 24, bits: 5, codes: 8, above: 4, scales: 4},
	engine.Q4K:  {numbers: 256, bytes: 144, bits: 4, codes: 16, scales: 16},
	engine.Q5K:  {numbers: 256, bytes: 176, bits: 5, codes: 48, above: 16, scales: 16},
	engine.Q6K:  {numbers: 256, bytes: 210, bits: 6, codes: 0, above: 128},
}

const (
	tileOfRows  = 16  // of a weight in blocks
	turnColumns = 128 // whose codes lie together
)

func inBlocks(s engine.Storage) bool { _, ok := blockStorages[s]; return ok }

func (b block) tile(cols int) int { return tileOfRows * cols / b.numbers * b.bytes }

// planes are the bytes of a row's turn: its codes' low four bits, or all eight, and the bits above four.
func (b block) planes() (low, above int) {
	switch b.bits {
	case 8:
		return 128, 0
	case 5:
		return 64, 16
	case 6:
		return 64, 32
	}
	return 64, 0
}

// blockBytes is what so many rows in blocks take, which are whole tiles.
func blockBytes(s engine.Storage, rows, cols int) int64 {
	return int64(blocks(rows, tileOfRows)) * int64(blockStorages[s].tile(cols))
}

// blockName is what files and kernels of a storage have in their names.
func blockName(s engine.Storage) string { return strings.ToLower(s.String()) }

// piecesInBlocks takes a weight of these parts apart by storage, or returns nil where not all of
// them can stay in GGUF's blocks: on a device of bfloat16 they can.
func piecesInBlocks(t engine.Type, parts []engine.Stored) (pieces []*weight, of [][]engine.Stored) {
	cols := parts[0].Cols()
	for _, p := range parts {
		b, ok := blockStorages[p.Storage()]
		if !ok || t != engine.BFloat16 || cols%b.numbers != 0 || b.tile(cols) > card.PieceBytes {
			return nil, nil
		}
		last := len(pieces) - 1
		if last < 0 || pieces[last].storage != p.Storage() {
			pieces, of = append(pieces, &weight{cols: cols, storage: p.Storage()}), append(of, nil)
			last++
		}
		pieces[last].rows += p.Rows()
		of[last] = append(of[last], p)
	}
	return pieces, of
}

// uploadBlocks sends parts, all of w's storage, in tiles. Where a row comes from is found by its
// number: tiles and parts begin anywhere.
func (d *Device) uploadBlocks(w *weight, parts []engine.Stored) {
	type source struct {
		of  engine.Stored
		row int
	}
	from := make([]source, 0, w.rows)
	for _, p := range parts {
		for r := range p.Rows() {
			from = append(from, source{p, r})
		}
	}
	b := blockStorages[w.storage]
	bytes, tiles := b.tile(w.cols), blocks(w.rows, tileOfRows)
	most := card.PieceBytes / bytes
	for first := 0; first < tiles; first += most {
		n := min(most, tiles-first)
		piece := d.card.Stage(n * bytes)
		each(n, func(lo, hi int) {
			codes := make([]byte, w.cols)
			for i := lo; i < hi; i++ {
				tile := piece[i*bytes : (i+1)*bytes]
				clear(tile)
				for r := range min(tileOfRows, w.rows-(first+i)*tileOfRows) {
					s := from[(first+i)*tileOfRows+r]
					b.pack(tile, r, s.of.RawRow(s.row), codes)
				}
			}
		})
		if !d.card.Send(w.address+uint64(first)*uint64(bytes), piece) {
			return // the card keeps the error
		}
	}
}

// pack writes a stored row as row r of a tile. codes has room for its codes.
func (b block) pack(tile []byte, r int, raw, codes []byte) {
	b.read(codes, raw)
	cols := len(codes)
	plane, above := b.planes()
	aboveAt := tileOfRows * cols * plane / turnColumns
	scalesAt := aboveAt + tileOfRows*cols*above/turnColumns
	for c := 0; c < cols; c += 8 { // of a lane
		turn, groups, q, t := c/turnColumns, min(4, (cols-c/turnColumns*turnColumns)/32), c%turnColumns/32, c%32/8
		whole := groups == 4
		var e [8]byte
		if b.bits == 6 {
			at := c - 8*t + 4*t
			copy(e[:4], codes[at:])
			copy(e[4:], codes[at+16:])
		} else {
			copy(e[:], codes[c:])
		}
		low := tile[turn*tileOfRows*plane:]
		if b.bits == 8 {
			at := r*32*groups + q*32 + t*8
			if whole {
				at = r*plane + q/2*64 + t*16 + q%2*8
			}
			copy(low[at:], []byte{e[0], e[2], e[1], e[3], e[4], e[6], e[5], e[7]})
			continue
		}
		var word, fifth, pairs uint32
		for i, code := range e {
			word |= uint32(code&15) << (i/2*4 + i%2*16)
			fifth |= uint32(code>>4&1) << (i/2 + i%2*4)
			pairs |= uint32(code>>4) << (i/2*2 + i%2*16)
		}
		at := r*16*groups + q*16 + t*4
		if whole {
			at = r*plane + t*16 + q*4
		}
		binary.LittleEndian.PutUint32(low[at:], word)
		high := tile[aboveAt+turn*tileOfRows*above:]
		switch {
		case b.bits == 6:
			at := high[r*32+t*8+q/2*4:]
			binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)|pairs<<(q%2*8))
		case b.bits == 5 && whole:
			at := high[r*16+t*4:]
			binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)|(fifth&15|fifth>>4<<16)<<(4*q))
		case b.bits == 5:
			high[r*4*groups+q*4+t] = byte(fifth)
		}
	}
	b.packScales(tile[scalesAt:], r, raw, cols)
}

// packScales writes the scales of row r of a tile to the plane that has them.
func (b block) packScales(plane []byte, r int, raw []byte, cols int) {
	for i := range cols / b.numbers {
		block := raw[i*b.bytes : (i+1)*b.bytes]
		switch {
		case b.scales == 0:
			for n, s := range block[192:208] {
				plane[((2*i+n/8)*tileOfRows+r)*8+n%8] = s ^ 0x80
			}
			copy(plane[tileOfRows*cols/16+(i*tileOfRows+r)*2:], block[208:])
		case b.numbers == 256:
			copy(plane[(i*tileOfRows+r)*16:], block[:16])
		default:
			turn, groups := i/4, min(4, cols/32-i/4*4)
			copy(plane[(turn*tileOfRows*4+r*groups+i%4)*b.scales:], block[:b.scales])
		}
	}
}

// read writes a stored row's codes, a byte each: those of eight bits, which are signed, plus 128.
func (b block) read(codes, raw []byte) {
	for ; len(codes) > 0; codes, raw = codes[b.numbers:], raw[b.bytes:] {
		low := raw[b.codes:]
		switch {
		case b.bits == 8:
			for i := range codes[:32] {
				codes[i] = low[i] ^ 0x80
			}
		case b.numbers == 32:
			var fifth uint32
			if b.bits == 5 {
				fifth = binary.LittleEndian.Uint32(raw[b.above:])
			}
			for i := range 16 {
				codes[i] = low[i]&15 | byte(fifth>>i&1)<<4
				codes[i+16] = low[i]>>4 | byte(fifth>>(i+16)&1)<<4
			}
		case b.bits == 6: // of each 128 numbers: 64 low, then 64 high nibbles; pairs of bits of four times 32
			for i := range codes[:256] {
				half, n := i/128, i%128
				codes[i] = low[half*64+n%64]>>(n/64*4)&15 | raw[b.above+half*32+n%32]>>(n/32*2)&3<<4
			}
		default: // of each 64 numbers: 32 low, then 32 high nibbles; the fifth bits of group j are bits j of 32 bytes
			for i := range codes[:256] {
				j, n := i/32, i%32
				codes[i] = low[j/2*32+n] >> (j % 2 * 4) & 15
				if b.bits == 5 {
					codes[i] |= raw[b.above+n] >> j & 1 << 4
				}
			}
		}
	}
}

// fewBlocks is fewOf for a weight in blocks: eight rows of x at a time, but for more on compute capability 9.0. A row of dst has `across` numbers.
func (d *Device) fewBlocks(to uint64, t engine.Type, from uint64, m int, w *weight, across int, add bool, c choice) {
	if d.hopperCard() && c.choices == 0 && m > 8 {
		d.packedRows(to, t, from, m, w, across, add, c.used)
		return
	}
	count, wide := c.count, 1
	if c.choices == 0 {
		count = blocks(m, 8)
	}
	if blocks(w.rows, 32)*count >= 2*d.card.Multiprocessors {
		wide = 2
	}
	name := blockName(w.storage)
	kernel := resultName(fmt.Sprintf("matmul_blocks_%d_%s", wide, name), t)
	d.card.Args(to, from, w.address, w.bias).Int(m).Long(w.rows, w.cols, across).Int(flag(add)).Ptr(c.used, c.choices, c.experts, c.tokens)
	d.card.Launch(d.card.Kernel("matmul_"+name, kernel), blocks(w.rows, tileOfRows*wide), count, 256, 0)
}
