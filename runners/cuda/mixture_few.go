package cuda

import (
	"slices"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// mixFew is MixtureAdd for at most eight tokens. They choose at most count experts, and each
// operation is one kernel for all of those.
func (d *Device) mixFew(to, from uint64, m int, router *weight, gateUp, down []*weight, perToken int, a engine.Activation) {
	table, ok := d.expertTable(router, append(slices.Clone(gateUp), down...))
	if !ok {
		return
	}
	experts, width, ff := router.rows, router.cols, down[0].cols
	count := min(experts, m*perToken)
	outputs := int64(count * m) // of all products, rows
	size := int64(d.kind.Size())
	p, done, ok := d.card.Scratches(
		4*int64(m*experts), 4*int64(m*experts), 4*int64(count), // logits, probabilities, list
		outputs*2*int64(ff)*size, outputs*int64(ff)*size, 4*outputs*int64(width), // gate and up, joined, results
	)
	defer done()
	if !ok {
		return
	}
	logits, probabilities, list, both, joined, results := p[0], p[1], p[2], p[3], p[4], p[5]
	d.few(logits, engine.Float32, from, m, router, false, 0)
	d.card.Args(probabilities, list).Int(count).Ptr(logits).Int(m, experts, perToken)
	d.card.Launch(d.card.Kernel("mixture", "route_few"), 1, 1, 32, 0)
	d.fewOf(both, d.kind, from, m, gateUp[0], false, choice{list, table, count, 0, m * 2 * ff})
	d.gate(joined, both, count*m, ff, a)
	d.fewOf(results, engine.Float32, joined, m, down[0], false, choice{list, table + 8*uint64(experts), count, m * ff, m * width})
	d.card.Args(to, results, list).Int(count).Ptr(probabilities).Int(experts, m).Long(width)
	d.card.Launch(d.card.Kernel("mixture", "mixture_join_"+d.suffix), blocks(width, 256), m, 256, 0)
}

// expertTable returns the address of a table of the experts' addresses on the card. It is
// made once, and kept with the router.
func (d *Device) expertTable(router *weight, experts []*weight) (uint64, bool) {
	if router.table != 0 && slices.Equal(router.tabled, experts) {
		return router.table, true
	}
	if router.table != 0 {
		d.card.Give(router.table)
		router.table = 0
	}
	addresses := make([]uint64, len(experts))
	for i, w := range experts {
		addresses[i] = w.address
	}
	p, err := d.card.Take(8 * int64(len(addresses)))
	if err != nil {
		d.card.Fail(err)
		return 0, false
	}
	router.table, router.tabled = p, experts
	return p, d.card.Write(p, card.Bytes(addresses))
}
