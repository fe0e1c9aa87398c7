package cuda

import (
	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// maxTiledExperts is how many tensor maps of weights the kernels of matmul_sm90a.cu take,
// beside that of x: more experts are as many launches.
const maxTiledExperts = 16

const _ = uint(card.MaxMaps - 1 - maxTiledExperts) // a launch has room for them

// together says whether one kernel can multiply by several experts: on compute capability
// 9.0, for 16-bit types and more than a few tokens.
func (d *Device) together(m, width, ff int) bool {
	return m > fewRows && d.tiled(width) && ff%8 == 0
}

// togetherBytes are the sizes of the scratch memory that mixMany takes.
func togetherBytes(t engine.Type, m, width, ff, experts, perToken int) []int64 {
	rows, size := int64(m)*int64(perToken), int64(t.Size())
	table := 4 * int64(m) * int64(experts)
	return []int64{
		table, table, table, 4 * int64(experts), 4 * rows, 4 * rows, // logits, probabilities, ranks, counts, places, shares
		rows * int64(width) * size, rows * int64(ff) * size, 4 * rows * int64(width), // of all experts: x, gate and up joined, results
	}
}

// mixMany is MixtureAdd for many tokens: the rows of each expert's tokens follow those of
// the expert before, and one kernel computes the products of several experts.
func (d *Device) mixMany(to, from uint64, m int, e mixed) {
	table, ok := d.expertTable(e)
	if !ok {
		return
	}
	rows := m * e.perToken
	p, done, ok := d.card.Scratches(togetherBytes(d.kind, m, e.width, e.ff, e.experts, e.perToken)...)
	defer done()
	if !ok {
		return
	}
	logits, probabilities, ranks, counts, places, shares, x, joined, y := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8]
	d.product(logits, engine.Float32, from, m, e.router, false, 0)
	d.route(probabilities, counts, logits, m, e)
	d.card.Args(counts, ranks, probabilities).Int(m, e.experts)
	d.card.Launch(d.card.Kernel("mixture", "mixture_rank"), e.experts, 1, 1024, 0)
	d.card.Args(places, shares, counts, ranks, probabilities).Int(m, e.experts, e.perToken)
	d.card.Launch(d.card.Kernel("mixture", "mixture_place"), blocks(m, 8), 1, 256, 0)
	d.card.Args(x, from, places).Int(e.perToken).Long(e.width)
	d.card.Launch(d.card.Kernel("mixture", "mixture_gather_"+d.suffix), m, 1, 256, 0)
	multiply := func(to, x, table uint64, weights []*weight, out int, kernel func(*card.Args)) bool {
		if weights[0].packed() {
			return d.unpacked(weights, table, func(skip, count int, room *weight) bool {
				l, ok := d.mapped(x, rows, room)
				if ok {
					kernel(l.Ptr(to, counts, table).Int(skip, count, weights[0].rows, out, weights[0].cols))
				}
				return ok
			})
		}
		for skip := 0; skip < e.experts; skip += maxTiledExperts {
			of := weights[skip:min(e.experts, skip+maxTiledExperts)]
			l, ok := d.mapped(x, rows, of...)
			if !ok {
				return false
			}
			kernel(l.Ptr(to, counts, table).Int(skip, len(of), 0, out, weights[0].cols))
		}
		return true
	}
	file, name := gated(e.activation)
	gate := func(l *card.Args) { numbers(l, e.activation); d.inTiles(file, name+"_experts", l) }
	down := func(l *card.Args) { d.inTiles("matmul_sm90a", "matmul_experts", l) }
	if multiply(joined, x, table, e.gateUp, e.ff, gate) && multiply(y, joined, table+16*uint64(e.experts), e.down, e.width, down) {
		d.mixtureSum(to, y, places, shares, m, e)
	}
}
