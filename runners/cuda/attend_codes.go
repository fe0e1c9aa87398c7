package cuda

import (
	"fmt"
	"math"
	"sync"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// codeKernel is an instance of kernels/attend_codes.cu.
type codeKernel struct {
	name     string
	pad      int // bytes behind a vector of keys, and one of values, in shared memory: pad of codes.h
	valuePad int
}

// codeKernels are the formats of keys and values that have one.
var codeKernels = map[[2]int32]codeKernel{
	{1, 1}: {"f16", 16, 16}, {12, 12}: {"bf16", 16, 16}, {2, 2}: {"fp8", 16, 16}, {3, 3}: {"fp8_token", 0, 0}, {4, 4}: {"int8_token", 0, 0},
	{5, 5}: {"q8", 0, 0}, {6, 6}: {"q4", 0, 0}, {7, 7}: {"nv4", 0, 0}, {8, 8}: {"mx4", 0, 0}, {9, 9}: {"int4_token", 0, 0}, {2, 10}: {"fp8_tq4", 16, 0}, {13, 10}: {"tq4_tq4", 0, 0}, {14, 10}: {"tq3_tq4", 0, 0}, {14, 11}: {"tq3_tq3", 0, 0},
}

// codeChoice is what decides which kernel a head gets, and so nothing beside it does.
type codeChoice struct {
	format [2]int32
	few    bool // at most four query heads
}

// queries is how many query heads such a kernel has room for.
func (c codeChoice) queries() int {
	if c.few {
		return maxGroup / 2
	}
	return maxGroup
}

// kernel is its name for heads of a size.
func (c codeChoice) kernel(size int) string {
	name := fmt.Sprintf("attend_codes_%s_%d", codeKernels[c.format].name, size)
	if c.few {
		name += "_few"
	}
	return name
}

// codeItem is Codes of kernels/attend_codes.cu.
type codeItem struct {
	batchItem
	scales             packScales
	keyTurn, valueTurn int32
	levels             [8]float32
}

// codeList are the items of a layer that one kernel takes.
type codeList struct {
	codeChoice
	spec  packSpec
	items []codeItem
}

// codeTable is a codeList on the card.
type codeTable struct {
	codeChoice
	items  uint64
	count  int
	shared int // bytes of dynamic shared memory
}

// hasCodeKernel says whether attend_codes.cu takes heads of a format.
func (d *Device) hasCodeKernel(f *cacheformat.Format, size int) bool {
	_, ok := codeKernels[packedFormats[f.Name]]
	return ok && d.kind != engine.Float32 && (size == 64 || size == 128)
}

// codeParts is how many items a head of length keys is shared out to: Shares of kernels/attend_codes.cu.
// 8 heads of 16384 keys and the next have two for each of a card's 132 multiprocessors.
func codeParts(length int) int { return min(blocks(length, 2*codeUnit), max(16, blocks(length, 512))) }

const (
	codeUnit  = codeWarps * codeTile // keys
	codeWarps = 4
	codeTile  = 16
)

// layCodes adds a cache head in a format to the items of attend_codes.cu.
func (l *layout) layCodes(c engine.Cache, s packStage, head batchHead, position, query, group int) {
	parts := codeParts(int(s.held) + c.Room)
	for first := 0; first < group; first += maxGroup {
		count := min(maxGroup, group-first)
		choice, at := codeChoice{[2]int32{s.spec.keyFormat, s.spec.valueFormat}, count <= 4}, 0
		for at < len(l.codes) && l.codes[at].codeChoice != choice {
			at++
		}
		if at == len(l.codes) {
			l.codes = append(l.codes, codeList{codeChoice: choice, spec: s.spec})
		}
		for split := range parts {
			l.codes[at].items = append(l.codes[at].items, codeItem{batchItem: batchItem{
				k: s.k, v: s.v, positions: head.positions, held: head.held, position: int32(position), query: int32(query + first),
				group: int32(count), split: int32(split), slot: int32(l.slots),
			}, scales: s.scales, keyTurn: s.spec.keyTurn, valueTurn: s.spec.valueTurn, levels: roundLevels(s.spec.levels)})
		}
		for g := range count {
			l.codeParts = append(l.codeParts, batchPart{slot: int32(l.slots + g), stride: int32(count), query: int32(query + first + g), held: head.held})
		}
		l.slots += parts * count
		l.codesShared = l.codesShared || parts > 1
	}
}

// rounder are levels that were multiplied already.
var rounder sync.Map

// roundLevels multiplies levels by what makes them differ least from float16, in which attend_codes.cu has them: it
// brings keys to length 1, so that their common factor does not matter.
func roundLevels(levels [8]float32) [8]float32 {
	if levels[0] == 0 {
		return levels
	}
	if known, ok := rounder.Load(levels); ok {
		return known.([8]float32)
	}
	const steps = 1 << 14
	best, least := levels, math.Inf(1)
	half, stored := make([]byte, 2*len(levels)), make([]float32, len(levels))
	for i := range steps {
		var tried [8]float32
		for k, v := range levels {
			tried[k] = v * (1 + float32(i)/steps)
		}
		if cacheformat.Half.Key.Encode(half, tried[:], len(tried), 0) != nil {
			continue
		}
		cacheformat.Half.Key.Decode(stored, half, len(tried), 0)
		most := 0.0
		for k, v := range tried {
			if v != 0 {
				most = max(most, math.Abs(float64(stored[k]-v)/float64(v)))
			}
		}
		if most < least {
			best, least = tried, most
		}
	}
	rounder.Store(levels, best)
	return best
}

// codeShared is the dynamic shared memory of a block: its warps' sums and rings.
func codeShared(l codeList, size int) int {
	k, stages := codeKernels[l.format], 2
	if int(l.spec.keyBytes+l.spec.valueBytes) < 3*size/2 {
		stages = 3
	}
	ring := codeTile * (int(l.spec.keyBytes) + k.pad + int(l.spec.valueBytes) + k.valuePad)
	return codeWarps * (stages*ring + l.queries()*(size+8)*4)
}

// codeResident is how many blocks of a kernel a multiprocessor has room for: as many as it was compiled for, where its 228 KB
// of shared memory suffice. Beside shared, a block has the queries, scales and tables, and 1 KB of the driver's.
// All of them together take at most 196 KB, the next smaller share that a card sets apart: with 228 the products of few rows
// behind them have 28 KB of first cache, too few for the weights that they have under way, and a step takes a sixth longer.
func codeResident(l codeTable, size int) int {
	most := 3
	switch l.format[0] {
	case 1, 12: // 16 bits
		most = 2
	case 13, 14: // TurboQuant's keys
	default:
		if l.few {
			most = 4
		}
	}
	return max(1, min(most, (228<<10)/(l.shared+(6<<10)+4*l.queries()*size)))
}

// attendCodes is the attention of those rows whose caches attend_codes.cu takes.
func (d *Device) attendCodes(to, from uint64, b *batch, t layerTables, by engine.Attention, w way) {
	if len(t.packed.codes) == 0 {
		return
	}
	half := flag(d.kind == engine.Float16)
	for _, c := range t.packed.codes {
		d.card.Args(to, from).Int(half).Ptr(c.items).Int(c.count).Ptr(b.step, b.partial, b.state).Int(by.Window).Float(by.Scale, by.Cap).Ptr(w.sinks).Int(b.heads.Query)
		d.card.Launch(d.card.Kernel("attend_codes", c.kernel(b.heads.Size)), min(c.count, codeResident(c, b.heads.Size)*d.card.Multiprocessors), 1, 32*codeWarps, c.shared)
	}
	if t.packed.codesShared {
		d.card.Args(to).Int(half).Ptr(t.packed.codeParts, b.step, b.partial, b.state, w.sinks).Int(b.heads.Query)
		d.card.Launch(d.card.Kernel("attend_codes", fmt.Sprintf("attend_codes_join_%d", b.heads.Size)), t.packed.codePartCount, 1, 32*codeWarps, 0)
	}
}
