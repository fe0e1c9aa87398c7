package cuda

import (
	"slices"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// mixFew is MixtureAdd for few tokens. Each expert multiplies the rows of its own tokens,
// eight at a time, and each operation is one kernel for all experts. What a token gets does
// not depend on the others: the order of every sum is fixed by its own experts.
func (d *Device) mixFew(to, from uint64, m int, e mixed) {
	table, ok := d.expertTable(e)
	if !ok {
		return
	}
	sizes := fewBytes(d.kind, min(m, fewRows), e.width, e.ff, e.experts, e.perToken)
	p, done, ok := d.card.Scratches(sizes...)
	defer done()
	if !ok {
		return
	}
	logits, choices, tokens, places, shares, both, joined, results := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
	for first := 0; first < m; first += fewRows {
		n := min(fewRows, m-first)
		at := uint64(first) * uint64(e.width) * uint64(d.kind.Size())
		rows, count := n*e.perToken, e.choices(n)
		if n == 1 && !d.rowsApart && d.one(e, to+at, from+at) {
			d.mixOne(to+at, from+at, logits, joined, table, e)
			continue
		}
		d.few(logits, engine.Float32, from+at, n, e.router, false, 0)
		d.card.Args(choices, tokens, places, shares).Int(count).Ptr(logits).Int(n, e.experts, e.perToken, e.all)
		d.card.Launch(d.card.Kernel("mixture", "route_few"), 1, 1, 32*max(blocks(e.experts, 32), min(n, 32)), 0)
		d.fewOf(both, d.kind, from+at, 8, e.gateUp[0], false, choice{choices: choices, count: count, experts: table, tokens: tokens})
		d.gate(joined, both, rows, e.ff, e.activation)
		d.fewOf(results, engine.Float32, joined, 8, e.down[0], false, choice{choices: choices, count: count, experts: table + 16*uint64(e.experts)})
		d.mixtureSum(to+at, results, places, shares, n, e)
	}
}

// choices is how many parts of at most eight rows the products of m tokens have at most.
func (e mixed) choices(m int) int { return choicesOf(m, e.experts, e.perToken) }

func choicesOf(m, experts, perToken int) int {
	return min(experts, m*perToken) + m*perToken/8
}

// fewBytes are the sizes of the scratch memory that mixFew takes.
func fewBytes(t engine.Type, m, width, ff, experts, perToken int) []int64 {
	rows, size := int64(m)*int64(perToken), int64(t.Size())
	return []int64{
		4 * int64(m) * int64(experts), 16 * int64(choicesOf(m, experts, perToken)), 4 * rows, 4 * rows, 4 * rows, // logits, choices, tokens, places, shares
		rows * 2 * int64(ff) * size, rows * int64(ff) * size, 4 * rows * int64(width), // gate and up, joined, results
	}
}

// mixtureSum adds what each token's experts gave to its row.
func (d *Device) mixtureSum(to, y, places, shares uint64, m int, e mixed) {
	d.card.Args(to, y, places, shares).Int(e.perToken).Long(e.width)
	d.card.Launch(d.card.Kernel("mixture", "mixture_sum_"+d.suffix), m, blocks(e.width, 256), 256, 0)
}

// expertTable returns the address of a table of the addresses of the experts' weights and
// biases on the card, first all of gate and up, then all of down. It is made once, and kept
// with the router.
func (d *Device) expertTable(e mixed) (uint64, bool) {
	experts := append(slices.Clone(e.gateUp), e.down...)
	if e.router.table != 0 && slices.Equal(e.router.tabled, experts) {
		return e.router.table, true
	}
	if e.router.table != 0 {
		d.card.Give(e.router.table)
		e.router.table = 0
	}
	addresses := make([]uint64, 0, 2*len(experts))
	for _, w := range experts {
		addresses = append(addresses, w.address, w.bias)
	}
	p, err := d.card.Take(8 * int64(len(addresses)))
	if err != nil {
		d.card.Fail(err)
		return 0, false
	}
	e.router.table, e.router.tabled = p, experts
	return p, d.card.Write(p, card.Bytes(addresses))
}
