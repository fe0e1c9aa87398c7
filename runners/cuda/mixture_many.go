package cuda

import (
	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// maxTiledExperts is how many tensor maps of weights the kernels of matmul_sm90a.cu take,
// beside that of x.
const maxTiledExperts = 16

const _ = uint(card.MaxMaps - 1 - maxTiledExperts) // a launch has room for them

// together says whether one kernel can multiply by all experts: on compute capability 9.0,
// for 16-bit types and more than a few tokens.
func (d *Device) together(m, width, ff, experts int) bool {
	return m > fewRows && !d.stepping && experts <= maxTiledExperts && d.tiled(width) && ff%8 == 0
}

// togetherBytes are the sizes of the scratch memory that mixMany takes.
func (d *Device) togetherBytes(m, width, ff, experts, perToken int) []int64 {
	rows, size := int64(m)*int64(perToken), int64(d.kind.Size())
	table := 4 * int64(m) * int64(experts)
	return []int64{
		table, table, table, 4 * int64(experts), // logits, probabilities, ranks, counts
		rows * int64(width) * size, rows * int64(ff) * size, 4 * rows * int64(width), // of all experts: x, gate and up joined, results
	}
}

// mixMany is MixtureAdd for many tokens: the rows of each expert's tokens follow those of
// the expert before, and one kernel computes all experts' products.
func (d *Device) mixMany(to, from uint64, m int, router *weight, gateUp, down []*weight, perToken int, a engine.Activation) {
	experts, width, ff := router.rows, router.cols, down[0].cols
	rows := m * perToken
	p, done, ok := d.card.Scratches(d.togetherBytes(m, width, ff, experts, perToken)...)
	defer done()
	if !ok {
		return
	}
	logits, probabilities, ranks, counts, x, joined, y := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
	d.product(logits, engine.Float32, from, m, router, false, 0)
	d.card.Args(probabilities, counts, logits).Int(m, experts, perToken)
	d.card.Launch(d.card.Kernel("mixture", "route"), blocks(m, 128), 1, 128, 0)
	d.card.Args(counts, ranks, probabilities).Int(m, experts)
	d.card.Launch(d.card.Kernel("mixture", "mixture_rank"), experts, 1, 1024, 0)
	d.card.Args(x, from, counts, ranks, probabilities).Int(experts).Long(width)
	d.card.Launch(d.card.Kernel("mixture", "mixture_gather_"+d.suffix), m, 1, 256, 0)
	multiply := func(file, name string, to, x uint64, weights []*weight, out int, a engine.Activation) bool {
		l, ok := d.mapped(x, rows, weights...)
		if ok {
			numbers(l.Ptr(to, counts).Int(experts, out, weights[0].cols), a)
			d.inTiles(file, name+"_experts", l)
		}
		return ok
	}
	file, name := gated(a)
	if !multiply(file, name, joined, x, gateUp, ff, a) || !multiply("matmul_sm90a", "matmul", y, joined, down, width, engine.Activation{}) {
		return
	}
	d.card.Args(to, y, counts, ranks, probabilities).Int(experts).Long(width)
	d.card.Launch(d.card.Kernel("mixture", "mixture_sum_"+d.suffix), m, blocks(width, 256), 256, 0)
}
