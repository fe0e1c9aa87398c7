package cuda

import (
	"fmt"
	"unsafe"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// maxExperts is how many experts the router's kernels serve.
const maxExperts = 1024

// mixed is a mixture whose parts were checked.
type mixed struct {
	router                            *weight
	gateUp, down                      []*weight
	width, ff, experts, perToken, all int // all: 1 where shares are of the softmax over all experts
	activation                        engine.Activation
	alike                             bool // all are stored in one way
}

// MixtureAdd runs each token through its experts and adds up in the order of the experts.
//
//   - Few tokens, and decoding steps (mixture_few.go): each expert multiplies the rows of its
//     own tokens, and one kernel multiplies by all experts, without the host.
//   - Many tokens of a prompt, where together says so (mixture_many.go): the same, by other kernels.
//   - Otherwise, and where not all are stored in one way, one expert after the other. With at most
//     maxTiledExperts experts that are not packed that is so from nine tokens on, and in any
//     larger step: then all tokens go through each expert that any chose, whose weights are
//     read once. With many tokens of a prompt the host reads which chose an expert, and it
//     gets their rows alone.
func (d *Device) MixtureAdd(dst, x engine.Array, ex engine.Experts) {
	e := d.mixed(ex)
	if x.Len%e.width != 0 {
		panic(fmt.Sprintf("cuda: MixtureAdd: x has %d elements, a row %d", x.Len, e.width))
	}
	same("MixtureAdd", "dst", dst.Len, x.Len)
	m := x.Len / e.width
	to, from := d.pointer("MixtureAdd", dst, d.kind), d.pointer("MixtureAdd", x, d.kind)
	ok := d.card.Enter("MixtureAdd")
	defer d.card.Leave()
	defer func() { d.order = order{} }() // of memory that is not the caller's
	if !ok || m == 0 {
		return
	}
	packed := e.gateUp[0].packed() || e.down[0].packed()
	few := m <= 8 || (m <= fewRows || d.stepping) && (packed || e.experts > maxTiledExperts)
	many := m > fewRows && !d.stepping
	switch {
	case few && e.alike && (!packed || aligned(0, from)):
		d.mixFew(to, from, m, e)
	case many && e.alike && d.together(m, e.width, e.ff) && aligned(0, to, from):
		d.mixMany(to, from, m, e)
	default:
		d.mixApart(to, from, m, e)
	}
}

// mixed looks at the parts of a mixture.
func (d *Device) mixed(ex engine.Experts) mixed {
	router := d.weight("MixtureAdd", ex.Router)
	e := mixed{router: router, experts: router.rows, width: router.cols, perToken: ex.PerToken, activation: ex.Activation, alike: true}
	if len(ex.GateUp) != e.experts || len(ex.Down) != e.experts || e.experts > maxExperts {
		panic(fmt.Sprintf("cuda: MixtureAdd: a router of %d, %d gates, %d downs; at most %d experts are served", e.experts, len(ex.GateUp), len(ex.Down), maxExperts))
	}
	if e.perToken <= 0 || e.perToken > e.experts {
		panic(fmt.Sprintf("cuda: MixtureAdd: %d of %d experts a token", e.perToken, e.experts))
	}
	e.all = flag(ex.Shares == engine.SharesOfAll)
	for i := range ex.GateUp {
		gateUp, down := d.weight("MixtureAdd", ex.GateUp[i]), d.weight("MixtureAdd", ex.Down[i])
		if i == 0 {
			e.ff = down.cols
		}
		if gateUp.cols != e.width || down.rows != e.width || gateUp.rows != 2*e.ff || down.cols != e.ff {
			panic(fmt.Sprintf("cuda: MixtureAdd: expert %d has (%d, %d) and (%d, %d) for a width of %d", i, gateUp.rows, gateUp.cols, down.rows, down.cols, e.width))
		}
		e.alike = e.alike && gateUp.storage == d.weight("MixtureAdd", ex.GateUp[0]).storage && down.storage == d.weight("MixtureAdd", ex.Down[0]).storage && gateUp.pieces == nil && down.pieces == nil
		e.gateUp, e.down = append(e.gateUp, gateUp), append(e.down, down)
	}
	return e
}

// route writes probabilities (m, experts), and used (experts): which of them any token takes.
func (d *Device) route(probabilities, used, logits uint64, m int, e mixed) {
	d.card.Args(probabilities, used, logits).Int(m, e.experts, e.perToken, e.all)
	d.card.Launch(d.card.Kernel("mixture", "route"), blocks(m, 8), 1, 256, 0)
}

// mixApart is MixtureAdd by one expert after the other.
func (d *Device) mixApart(to, from uint64, m int, e mixed) {
	p, done, ok := d.card.Scratches(apartBytes(d.kind, m, e.width, e.ff, e.experts)...)
	defer done()
	if !ok {
		return
	}
	logits, probabilities, used, sum, y, both, joined, chosen := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
	d.product(logits, engine.Float32, from, m, e.router, false, 0)
	d.card.Clear(used, 4*int64(e.experts))
	d.card.Clear(sum, 4*int64(m)*int64(e.width))
	d.route(probabilities, used, logits, m, e)
	add := func(expert, count int, rows uint64) {
		d.card.Args(sum, y, rows, probabilities).Int(expert, e.experts).Long(e.width)
		d.card.Launch(d.card.Kernel("mixture", "mixture_add"), blocks(e.width, 256), count, 256, 0)
	}
	if m <= fewRows || d.stepping {
		for i := range e.gateUp {
			flag := used + 4*uint64(i)
			d.matMulGate(joined, both, from, m, e.gateUp[i], flag, e.activation)
			d.product(y, engine.Float32, joined, m, e.down[i], false, flag)
			add(i, m, 0)
		}
	} else {
		host := make([]float32, m*e.experts)
		if !d.card.Read(unsafe.Slice((*byte)(unsafe.Pointer(&host[0])), 4*len(host)), probabilities) {
			return
		}
		for i := range e.gateUp {
			var rows []int32
			for r := range m {
				if host[r*e.experts+i] != 0 {
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
			d.card.Args(chosen, from, list).Long(e.width).Int(m).Ptr(d.faultAddress)
			d.card.Launch(d.card.Kernel("embed", "embed_"+d.suffix), len(rows), 1, 256, 0)
			n := len(rows)
			if n > fewRows {
				n = blocks(n, apartTile) * apartTile
			}
			d.matMulGate(joined, both, chosen, n, e.gateUp[i], 0, e.activation)
			d.product(y, engine.Float32, joined, n, e.down[i], false, 0)
			add(i, len(rows), list)
		}
	}
	d.addBias(to, d.suffix, sum, 0, m, e.width)
}

// An expert's number of rows is rounded up to whole tiles of cuBLAS, which would otherwise
// choose, and load, another kernel for every number. The rows added are never read.
const apartTile = 128

// apartBytes are what MixtureAdd takes where experts are multiplied one after the other.
func apartBytes(t engine.Type, m, width, ff, experts int) []int64 {
	whole, size := int64(blocks(m, apartTile)*apartTile), int64(t.Size())
	table := 4 * int64(m) * int64(experts)
	return []int64{
		table, table, 4 * int64(experts), // logits, probabilities, used
		4 * int64(m) * int64(width), 4 * whole * int64(width), // sum, y
		whole * 2 * int64(ff) * size, whole * int64(ff) * size, // gate and up, joined
		whole * int64(width) * size, // an expert's rows of x
	}
}

// MixtureBytes is what MixtureAdd takes at most for so many tokens of a prompt, beside what
// packed experts need (UnpackBytes).
func (d *Device) MixtureBytes(tokens, width, ff, experts, perToken int) int64 {
	return mixtureBytes(d.kind, tokens, width, ff, experts, perToken, d.together(tokens, width, ff))
}

// MixtureBytes is the same of any card whose device is of type t.
func MixtureBytes(t engine.Type, tokens, width, ff, experts, perToken int) int64 {
	return max(mixtureBytes(t, tokens, width, ff, experts, perToken, false), mixtureBytes(t, tokens, width, ff, experts, perToken, true))
}

// mixtureBytes is what is taken where one kernel multiplies by several experts, or where none does.
func mixtureBytes(t engine.Type, tokens, width, ff, experts, perToken int, together bool) int64 {
	takes := func(sizes []int64) (sum int64) {
		for _, n := range sizes {
			sum += card.Takes(n)
		}
		return sum
	}
	if together {
		return takes(togetherBytes(t, tokens, width, ff, experts, perToken))
	}
	apart := takes(append(apartBytes(t, tokens, width, ff, experts), 4*int64(tokens)*int64(perToken))) // with the lists of rows
	if tokens <= fewRows {
		return max(apart, takes(fewBytes(t, tokens, width, ff, experts, perToken)))
	}
	return apart
}
