package cuda

import "github.com/snapbench/snapbench/runners/engine"

// What a warp's ring of mixture_gate.cu and mixture_down.cu holds: how many turns of 128 columns, and the bytes of one
// (kernels/stream.h). So two blocks of each kernel have room on a multiprocessor of compute capability 9.0.
var rings = map[engine.Storage]struct{ gate, down, bytes int }{
	engine.MXFP4: {3, 4, 1280},
	engine.E4M3:  {2, 3, 2112},
}

// one says whether a single token's experts are multiplied by the kernels for one, which give the bits of those for several.
func (e mixed) one() bool {
	_, gate := rings[e.gateUp[0].storage]
	_, down := rings[e.down[0].storage]
	return gate && down && e.perToken <= 16 && e.experts <= 256 && e.ff%8 == 0 && e.activation.Kind != engine.TanhGEGLU
}

// mixOne is mixFew for one token.
func (d *Device) mixOne(to, from, logits, joined, table uint64, e mixed) {
	const warps, x, router = 8, 256, 4096 // bytes of a turn: of x, and of 16 rows of the router
	turns := blocks(e.width, 128)
	most := 156 << 10
	if d.card.Major == 8 && d.card.Minor > 0 {
		most = 93 << 10 // of the 99 that a block has there
	}
	if r := e.router; r.packed() || router*turns > most {
		d.few(logits, engine.Float32, from, 1, r, false, 0)
	} else {
		d.card.Args(logits, from, r.address, r.bias).Int(e.experts, e.width)
		d.card.Launch(d.card.Kernel("mixture_router", "mixture_router"), blocks(e.experts, 16), 1, 32*warps, router*turns)
	}
	gate, a := e.gateUp[0].storage, e.activation
	l := d.card.Args(joined, from, logits, table).Int(e.experts, e.perToken, e.ff, e.width)
	numbers(l, a)
	d.card.Launch(d.card.Kernel("mixture_gate", "mixture_"+formula(a)+"_"+packedName(gate)), min(e.perToken*e.ff/8, 2*d.card.Multiprocessors), 1, 32*warps,
		warps*rings[gate].gate*rings[gate].bytes+turns*x)
	down := e.down[0].storage
	d.card.Args(to, joined, logits, table+16*uint64(e.experts)).Int(e.experts, e.perToken, e.all, e.width, e.ff)
	d.card.Launch(d.card.Kernel("mixture_down", "mixture_down_"+packedName(down)), e.width/8, 1, 32*warps, warps*rings[down].down*(rings[down].bytes+2*x))
}
