package cuda

import "github.com/snapbench/snapbench/runners/engine"

// A ring of mixture_gate.cu and mixture_down.cu: how many turns a warp has under way, and the bytes of one (kernels/stream.h).
var rings = map[engine.Storage]struct{ turns, bytes int }{
	engine.MXFP4: {4, 1280},
	engine.E4M3:  {3, 2112},
}

// one says whether a single token's experts are multiplied by the kernels for one, which give the bits of those for several.
func (e mixed) one() bool {
	_, gate := rings[e.gateUp[0].storage]
	_, down := rings[e.down[0].storage]
	return gate && down && e.perToken <= 16 && e.experts <= 256 && e.ff%8 == 0 && e.activation.Kind != engine.TanhGEGLU
}

// mixOne is mixFew behind the router's product, for one token.
func (d *Device) mixOne(to, from, logits, joined, table uint64, e mixed) {
	const warps, x = 8, 256 // bytes of a turn's columns
	storage, a := e.gateUp[0].storage, e.activation
	l := d.card.Args(joined, from, logits, table).Int(e.experts, e.perToken, e.ff, e.width)
	numbers(l, a)
	shared := warps*rings[storage].turns*rings[storage].bytes + blocks(e.width, 128)*x
	d.card.Launch(d.card.Kernel("mixture_gate", "mixture_"+formula(a)+"_"+packedName(storage)), min(e.perToken*e.ff/8, 2*d.card.Multiprocessors), 1, 32*warps, shared)
	storage = e.down[0].storage
	d.card.Args(to, joined, logits, table+16*uint64(e.experts)).Int(e.experts, e.perToken, e.all, e.width, e.ff)
	shared = warps * rings[storage].turns * (rings[storage].bytes + 2*x)
	d.card.Launch(d.card.Kernel("mixture_down", "mixture_down_"+packedName(storage)), e.width/8, 1, 32*warps, shared)
}
