package cuda

import "github.com/snapbench/snapbench/runners/engine"

// rings are what a warp's ring of mixture_gate.cu and mixture_down.cu holds of weights in a storage: how many turns of 128 columns,
// and the bytes of one (kernels/stream.h). So two blocks of gate, and two of down (bfloat16: one) have room on a multiprocessor
// of compute capability 9.0. MXFP4 is not among them: decoding its half as many bytes takes nearly as long as FP8's, and the
// kernels for several rows are as fast (bench/README.md).
var rings = map[engine.Storage]struct {
	name              string
	gate, down, bytes int
}{
	engine.E4M3: {"e4m3", 2, 3, 2112},
	engine.BF16: {"bf16", 2, 2, 4096},
}

const (
	oneWarps    = 8
	oneX        = 256  // bytes of a turn of x
	oneRouter   = 1024 // bytes of a turn of four rows of the router
	smallShared = 93 << 10
)

// forTwo is shared memory, or more, so that no third block would find room beside two, since none comes: for three the driver would set
// apart all that a multiprocessor has, and leave products of few rows too little first cache (codeResident).
func forTwo(shared int) int {
	const three, two = 55 << 10, 77 << 10 // three blocks of more than the first take over 196 KB; two of the second leave no room for another
	if shared > three {
		return max(shared, two)
	}
	return shared
}

// oneStorage is the storage of a weight as the device has it.
func (d *Device) oneStorage(w *weight) engine.Storage {
	if w.packed() {
		return w.storage
	}
	return storageOf(d.kind)
}

// one says whether a single token's experts are multiplied by the kernels for one, which give the bits of those for several.
func (d *Device) one(e mixed, to, from uint64) bool {
	gate, ok := rings[d.oneStorage(e.gateUp[0])]
	_, down := rings[d.oneStorage(e.down[0])]
	return ok && down && d.kind == engine.BFloat16 && e.perToken <= 16 && e.experts <= 256 && aligned(e.ff, to, from) && aligned(e.width) && e.activation.Kind != engine.TanhGEGLU &&
		oneWarps*gate.gate*gate.bytes+blocks(e.width, 128)*oneX <= smallShared
}

// mixOne is mixFew for one token.
func (d *Device) mixOne(to, from, logits, joined, table uint64, e mixed) {
	turns := blocks(e.width, 128)
	if r := e.router; r.packed() || oneRouter*turns > smallShared {
		d.few(logits, engine.Float32, from, 1, r, false, 0)
	} else {
		d.card.Args(logits, from, r.address, r.bias).Int(e.experts, e.width)
		d.card.Launch(d.card.Kernel("mixture_router", "mixture_router"), blocks(e.experts, 4), 1, 32*oneWarps, oneRouter*turns)
	}
	gate, down, a := rings[d.oneStorage(e.gateUp[0])], rings[d.oneStorage(e.down[0])], e.activation
	l := d.card.Args(joined, from, logits, table).Int(e.experts, e.perToken, e.ff, e.width)
	numbers(l, a)
	d.card.Launch(d.card.Kernel("mixture_gate", "mixture_"+formula(a)+"_"+gate.name), min(e.perToken*e.ff/8, 2*d.card.Multiprocessors), 1, 32*oneWarps,
		forTwo(oneWarps*gate.gate*gate.bytes+turns*oneX))
	d.card.Args(to, joined, logits, table+16*uint64(e.experts)).Int(e.experts, e.perToken, e.all, e.width, e.ff)
	d.card.Launch(d.card.Kernel("mixture_down", "mixture_down_"+down.name), e.width/8, 1, 32*oneWarps, forTwo(oneWarps*down.down*(down.bytes+2*oneX)))
}
