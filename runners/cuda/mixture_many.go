package cuda

import "github.com/snapbench/snapbench/runners/engine"

// maxTiledExperts is how many tensor maps the kernels of matmul_sm90a.cu take.
const maxTiledExperts = 16

// together says whether many tokens' experts are multiplied in one kernel.
func (d *Device) together(m, width, ff, experts int) bool {
	return m > fewRows && experts <= maxTiledExperts && d.tiled(width) && ff%8 == 0
}

// togetherBytes are what mixMany takes.
func (d *Device) togetherBytes(m, width, ff, experts, perToken int) []int64 {
	rows, size := int64(m)*int64(perToken), int64(d.kind.Size())
	table := 4 * int64(m) * int64(experts)
	return []int64{
		table, table, table, 4 * int64(experts), // logits, probabilities, ranks, counts
		rows * int64(width) * size, rows * int64(ff) * size, 4 * rows * int64(width), // of all experts: x, gate and up joined, results
	}
}

// mixMany is MixtureAdd for many tokens: the rows of each expert lie behind those of the
// one before, and all experts' products are one kernel's.
func (d *Device) mixMany(to, from uint64, m int, router *weight, gateUp, down []*weight, perToken int) {
	experts, width, ff := router.rows, router.cols, down[0].cols
	rows := m * perToken
	p, done, ok := d.scratches(d.togetherBytes(m, width, ff, experts, perToken)...)
	defer done()
	if !ok {
		return
	}
	logits, probabilities, ranks, counts, x, joined, y := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
	d.product(logits, engine.Float32, from, m, router, false, 0)
	d.with(probabilities, counts, logits).int(m, experts, perToken)
	d.run(d.kernel("mixture", "route"), blocks(m, 128), 1, 128, 0)
	d.with(counts, ranks, probabilities).int(m, experts)
	d.run(d.kernel("mixture", "mixture_rank"), experts, 1, 1024, 0)
	d.with(x, from, counts, ranks, probabilities).int(experts).long(width)
	d.run(d.kernel("mixture", "mixture_gather_"+d.suffix), m, 1, 256, 0)
	multiply := func(name string, to, x uint64, weights []*weight, out int) bool {
		l, ok := d.mapped(x, rows, weights...)
		if ok {
			l.ptr(to, counts).int(experts, out, weights[0].cols)
			d.inTiles(name)
		}
		return ok
	}
	if !multiply("matmul_swiglu_experts", joined, x, gateUp, ff) || !multiply("matmul_experts", y, joined, down, width) {
		return
	}
	d.with(to, y, counts, ranks, probabilities).int(experts).long(width)
	d.run(d.kernel("mixture", "mixture_sum_"+d.suffix), m, blocks(width, 256), 256, 0)
}
