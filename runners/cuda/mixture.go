package cuda

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// maxExperts is how many experts the router's kernel can keep in one word.
const maxExperts = 64

// MixtureAdd runs each token through its experts and adds up in the order of the experts.
//
//   - At most eight tokens, experts without biases (mixture_few.go): all tokens go through every expert that any
//     of them chose, and one kernel multiplies by all those experts.
//   - Many tokens of a prompt, where together says so (mixture_many.go): each expert gets the rows of
//     its own tokens, and one kernel multiplies by all experts, without the host.
//   - Otherwise one expert after the other: with up to 64 tokens, and in a decoding step,
//     all tokens go through each expert that any chose; with more, the host reads which
//     tokens chose an expert, and it gets their rows alone.
func (d *Device) MixtureAdd(dst, x engine.Array, e engine.Experts) {
	router := d.weight("MixtureAdd", e.Router)
	experts, width := router.rows, router.cols
	if len(e.GateUp) != experts || len(e.Down) != experts || experts > maxExperts {
		panic(fmt.Sprintf("cuda: MixtureAdd: a router of %d, %d gates, %d downs; at most %d experts are served", experts, len(e.GateUp), len(e.Down), maxExperts))
	}
	if e.PerToken <= 0 || e.PerToken > experts {
		panic(fmt.Sprintf("cuda: MixtureAdd: %d of %d experts a token", e.PerToken, experts))
	}
	if x.Len%width != 0 {
		panic(fmt.Sprintf("cuda: MixtureAdd: x has %d elements, a row %d", x.Len, width))
	}
	same("MixtureAdd", "dst", dst.Len, x.Len)
	m := x.Len / width
	gateUp, down := make([]*weight, experts), make([]*weight, experts)
	for i := range gateUp {
		gateUp[i], down[i] = d.weight("MixtureAdd", e.GateUp[i]), d.weight("MixtureAdd", e.Down[i])
		if gateUp[i].cols != width || down[i].rows != width || gateUp[i].rows != 2*down[i].cols || down[i].cols != down[0].cols {
			panic(fmt.Sprintf("cuda: MixtureAdd: expert %d has (%d, %d) and (%d, %d) for a width of %d", i, gateUp[i].rows, gateUp[i].cols, down[i].rows, down[i].cols, width))
		}
	}
	ff := down[0].cols
	to, from := d.pointer("MixtureAdd", dst, d.kind), d.pointer("MixtureAdd", x, d.kind)
	ok := d.card.Enter("MixtureAdd")
	defer d.card.Leave()
	defer func() { d.order = order{} }() // of memory that is not the caller's
	if !ok || m == 0 {
		return
	}
	biased := func(w *weight) bool { return w.bias != 0 }
	if !slices.ContainsFunc(gateUp, biased) && !slices.ContainsFunc(down, biased) {
		if m <= 8 {
			d.mixFew(to, from, m, router, gateUp, down, e.PerToken)
			return
		}
		if d.together(m, width, ff, experts) && aligned(0, to, from) {
			d.mixMany(to, from, m, router, gateUp, down, e.PerToken)
			return
		}
	}
	p, done, ok := d.card.Scratches(d.apartBytes(m, width, ff, experts)...)
	defer done()
	if !ok {
		return
	}
	logits, probabilities, used, sum, y, both, joined, chosen := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
	d.product(logits, engine.Float32, from, m, router, false, 0)
	d.card.Clear(used, 4*int64(experts))
	d.card.Clear(sum, 4*int64(m)*int64(width))
	d.card.Args(probabilities, used, logits).Int(m, experts, e.PerToken)
	d.card.Launch(d.card.Kernel("mixture", "route"), blocks(m, 128), 1, 128, 0)
	add := func(expert, count int, rows uint64) {
		d.card.Args(sum, y, rows, probabilities).Int(expert, experts).Long(width)
		d.card.Launch(d.card.Kernel("mixture", "mixture_add"), blocks(width, 256), count, 256, 0)
	}
	if m <= fewRows || d.stepping {
		for i := range gateUp {
			flag := used + 4*uint64(i)
			d.matMulSwiGLU(joined, both, from, m, gateUp[i], flag)
			d.product(y, engine.Float32, joined, m, down[i], false, flag)
			add(i, m, 0)
		}
	} else {
		host := make([]float32, m*experts)
		if !d.card.Read(unsafe.Slice((*byte)(unsafe.Pointer(&host[0])), 4*len(host)), probabilities) {
			return
		}
		for i := range gateUp {
			var rows []int32
			for r := range m {
				if host[r*experts+i] != 0 {
					rows = append(rows, int32(r))
				}
			}
			if len(rows) == 0 {
				continue
			}
			list, done, ok := card.Table(d.card, rows)
			defer done()
			if !ok {
				return
			}
			d.card.Args(chosen, from, list).Long(width).Int(m).Ptr(d.faultAddress)
			d.card.Launch(d.card.Kernel("embed", "embed_"+d.suffix), len(rows), 1, 256, 0)
			n := len(rows)
			if n > fewRows {
				n = blocks(n, apartTile) * apartTile
			}
			d.matMulSwiGLU(joined, both, chosen, n, gateUp[i], 0)
			d.product(y, engine.Float32, joined, n, down[i], false, 0)
			add(i, len(rows), list)
		}
	}
	d.addBias(to, d.suffix, sum, 0, m, width)
}

// An expert's number of rows is rounded up to whole tiles of cuBLAS, which would otherwise
// choose, and load, another kernel for every number. The rows added are never read.
const apartTile = 128

// apartBytes are what MixtureAdd takes where experts are multiplied one after the other.
func (d *Device) apartBytes(m, width, ff, experts int) []int64 {
	whole, size := int64(blocks(m, apartTile)*apartTile), int64(d.kind.Size())
	table := 4 * int64(m) * int64(experts)
	return []int64{
		table, table, 4 * int64(experts), // logits, probabilities, used
		4 * int64(m) * int64(width), 4 * whole * int64(width), // sum, y
		whole * 2 * int64(ff) * size, whole * int64(ff) * size, // gate and up, joined
		whole * int64(width) * size, // an expert's rows of x
	}
}

// MixtureBytes is what MixtureAdd takes for so many tokens of a prompt.
func (d *Device) MixtureBytes(tokens, width, ff, experts, perToken int) (sum int64) {
	var sizes []int64
	if d.together(tokens, width, ff, experts) {
		sizes = d.togetherBytes(tokens, width, ff, experts, perToken)
	} else {
		sizes = append(d.apartBytes(tokens, width, ff, experts), 4*int64(tokens)*int64(perToken)) // and the lists of rows
	}
	for _, n := range sizes {
		sum += card.Takes(n)
	}
	return sum
}
