package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

var _ engine.LinearAttender = (*Device)(nil)

// Linear attention computes in float32, whatever the device's type: the state is float32, and an error of one token would
// stay in it.
//
// What a layer of Qwen3.5 9B (16 key and 32 value heads, of 128) takes of a prompt of 16K on an H200 (132 multiprocessors
// of 4·32 lanes, 1.7 to 2 GHz, 4.8 TB/s), by counting; bench/README.md has what was measured:
//
//	convolution    reads 16 KiB a token in bfloat16 and writes 33: 0.8 GB, 0.17 ms; 8,500 instructions of warps a token, 0.15 ms
//	recurrence     4 instructions for each of 32·128·128 numbers of the state: 34·10⁹, 1.2 ms if all lanes were always busy. The
//	               128 blocks, 4 a head and one on a multiprocessor, give each scheduler one warp: 170 instructions a token, of
//	               which each waits for the one before at three shuffles; about 220 cycles, 1.8 to 2.1 ms
//	norm and gate  reads 24 KiB a token and writes 8: 0.5 GB, 0.11 ms
//	together       2.3 to 2.6 ms. The layer's products, 7.2 TFLOP, take 10 ms at 700 TFLOP/s
//
// In chunks of C = 64 tokens (arXiv 2412.06464, section 3.3) the recurrence would be products for tensor cores, but a token's bits
// would depend on where its chunk began: on how a prompt came in blocks, and a step would have others.
//
// A step of one row reads and writes 4 MiB of states a layer, 0.9 µs; of 19 rows 76 MiB, 17 µs; of 64 rows 256 MiB, 56 µs.

// linearBlock is how many tokens are convolved at a time, whose results then lie in the L2 cache or nearly.
const linearBlock = 2048

// maxLinearKey is the largest key head of the kernels.
const maxLinearKey = 128

// maxLinearRoom is the most shared memory of a block of a step: what every card gives, less what the kernel declares.
const maxLinearRoom = 86 << 10

// linearKernels are what decides which kernels serve.
type linearKernels struct {
	by          engine.LinearAttention
	rows        int // of a state that a lane has in registers, R in kernels/linear.h
	keys        int // P there
	values      int // V there
	token       int // numbers of room that a token takes
	stepNumbers int // numbers of shared memory that a step takes beside what its kernel declares
}

func linearOf(by engine.LinearAttention) (k linearKernels) {
	k.by, k.rows = by, 4
	if by.KeySize > 32 {
		k.rows = 16
	}
	k.keys, k.values = 8*k.rows, blocks(by.ValueSize, 32)*32
	k.token = by.KeyHeads*2*k.keys + by.ValueHeads*(k.values+4)
	k.stepNumbers = 2 * k.values
	return k
}

// kernel is a kernel for the state's rows.
func (d *Device) linearKernel(file string, k linearKernels, name string) *card.Kernel {
	return d.card.Kernel(file, fmt.Sprintf("linear_%s_%d_%s", name, k.rows, d.suffix))
}

// linearRing is the shared memory of the recurrence: Ring of kernels/linear.cu. On 9.0 it is more than half a
// multiprocessor's: two blocks on one would take twice as long, while others idle.
func (d *Device) linearRing(k linearKernels) int {
	const stages, tokens, warps, half = 3, 16, 4, 116 << 10
	bytes := 4 * (stages*tokens*(2*k.keys+32+4) + warps*tokens*(72+8))
	if d.card.Major == 9 {
		return max(bytes, half)
	}
	return bytes
}

// shape adds what kernels take at their end.
func (k linearKernels) shape(a *card.Args) {
	a.Int(k.by.KeyHeads, k.by.ValueHeads, k.by.KeySize, k.by.ValueSize, k.by.Kernel)
}

// ServesLinear says why linear attention of these sizes can't be computed.
func (d *Device) ServesLinear(by engine.LinearAttention) error { return ServesLinear(by) }

// ServesLinear is what a card says.
func ServesLinear(by engine.LinearAttention) error {
	if by.KeySize > maxLinearKey {
		return fmt.Errorf("linear attention with key heads of %d: at most %d are served on cuda", by.KeySize, maxLinearKey)
	}
	if k := linearOf(by); 4*k.stepNumbers > maxLinearRoom {
		return fmt.Errorf("linear attention with value heads of %d: a step needs %d bytes of a multiprocessor's memory, %d are there", by.ValueSize, 4*k.stepNumbers, maxLinearRoom)
	}
	return nil
}

// LinearBytes is what LinearAttention takes for so many tokens of a prompt.
func LinearBytes(tokens int, by engine.LinearAttention) int64 {
	return card.Takes(4 * int64(min(tokens, linearBlock)) * int64(linearOf(by).token))
}

// LinearBytes is [LinearBytes].
func (d *Device) LinearBytes(tokens int, by engine.LinearAttention) int64 {
	return LinearBytes(tokens, by)
}

// linearAddresses are those of a layer's weights.
type linearAddresses struct{ conv, decay, bias, norm uint64 }

func (d *Device) linear(operation string, out, in engine.Array, by engine.LinearAttention) (k linearKernels, w linearAddresses, rows int) {
	if err := ServesLinear(by); err != nil || by.In() <= 0 || in.Len%by.In() != 0 {
		panic(fmt.Sprintf("cuda: %s: in has %d elements, a row %d (%v)", operation, in.Len, by.In(), err))
	}
	rows = in.Len / by.In()
	same(operation, "out", out.Len, rows*by.Out())
	same(operation, "the convolution's weights", by.Conv.Len, by.Channels()*by.Kernel)
	same(operation, "decays", by.Decay.Len, by.ValueHeads)
	same(operation, "biases of decays", by.Bias.Len, by.ValueHeads)
	same(operation, "the norm", by.Norm.Len, by.ValueSize)
	at := func(a engine.Array) uint64 { return d.pointer(operation, a, engine.Float32) }
	return linearOf(by), linearAddresses{at(by.Conv), at(by.Decay), at(by.Bias), at(by.Norm)}, rows
}

// state returns the addresses of a state of the shape by.
func (d *Device) state(operation string, s engine.State, by engine.LinearAttention) (numbers, conv uint64) {
	states, last := by.StateLen()
	same(operation, "the state", s.S.Len, states)
	same(operation, "the convolution's state", s.Conv.Len, last)
	return d.pointer(operation, s.S, engine.Float32), d.pointer(operation, s.Conv, engine.Float32)
}

// LinearAttention convolves some tokens, has the states go over them, and joins their outputs with z.
func (d *Device) LinearAttention(out, in engine.Array, s engine.State, by engine.LinearAttention) {
	const op = "LinearAttention"
	k, w, tokens := d.linear(op, out, in, by)
	state, conv := d.state(op, s, by)
	to, from := d.pointer(op, out, d.kind), d.pointer(op, in, d.kind)
	ok := d.card.Enter(op)
	defer d.card.Leave()
	if !ok || tokens == 0 {
		return
	}
	block := linearBlock
	if d.linearBlock > 0 {
		block = d.linearBlock
	}
	block = min(block, tokens)
	room, done, ok := d.card.Scratch(4 * int64(block) * int64(k.token))
	defer done()
	if !ok {
		return
	}
	const warps = 8 // of a block of threads
	each := max(16, by.Kernel-1)
	for ; tokens > 0; tokens -= block {
		n := min(block, tokens)
		keys := room
		values := keys + 4*uint64(n*by.KeyHeads*2*k.keys)
		scalars := values + 4*uint64(n*by.ValueHeads*k.values)
		k.shape(d.card.Args(keys, values, scalars, from, conv, w.conv, w.decay, w.bias).Long(n).Int(each))
		d.card.Launch(d.linearKernel("linear", k, "mix"), blocks((by.KeyHeads+by.ValueHeads)*blocks(n, each), warps), 1, 32*warps, 0)
		k.shape(d.card.Args(keys, values, scalars, state).Long(n).Int(flag(by.ValueSize%2 == 0 && state%8 == 0)))
		d.card.Launch(d.card.Kernel("linear", fmt.Sprintf("linear_recur_%d", k.rows)), by.ValueHeads*k.values/32, 1, 128, d.linearRing(k))
		k.shape(d.card.Args(to, values, from, w.norm).Float(by.Epsilon).Long(n))
		d.card.Launch(d.card.Kernel("linear", "linear_finish_"+d.suffix), blocks(by.ValueHeads*n, warps), 1, 32*warps, 0)
		to += uint64(n * by.Out() * d.kind.Size())
		from += uint64(n * by.In() * d.kind.Size())
	}
}

// AttendStates is one token of each sequence, in one kernel, or two where a card has no clusters.
func (d *Device) AttendStates(out, in engine.Array, eb engine.Batch, layer int, by engine.LinearAttention) {
	const op = "AttendStates"
	b := d.batch(op, eb)
	k, w, rows := d.linear(op, out, in, by)
	same(op, "rows", rows, b.rows)
	t := b.layer(op, layer)
	states, last := by.StateLen()
	if t.states == 0 || t.stateLen != states || t.convLen != last {
		panic(fmt.Sprintf("cuda: %s: layer %d has states of %d and %d numbers, want %d and %d", op, layer, t.stateLen, t.convLen, states, last))
	}
	to, from := d.pointer(op, out, d.kind), d.pointer(op, in, d.kind)
	ok := d.card.Enter(op)
	defer d.card.Leave()
	if !ok {
		return
	}
	ordered := uint64(0)
	if d.kind != engine.Float32 {
		ordered = d.alsoInOrder(to, rows, by.Out())
	}
	// A block for each value head; those that share keys are a cluster where a card has clusters, and so large.
	const maxCluster = 8
	group := by.ValueHeads / by.KeyHeads
	together := d.card.Major >= 9 && group <= maxCluster
	whole := by.KeySize == k.keys && by.ValueSize == 128 && by.Kernel == 4 && t.aligned && w.conv%16 == 0
	a := d.card.Args(to, ordered, from, t.states, w.conv, w.decay, w.bias, w.norm).Float(by.Epsilon).Int(flag(together), flag(whole))
	k.shape(a)
	if together && group > 1 {
		a.Cluster(group)
	}
	d.card.Launch(d.linearKernel("linear_step", k, "step"), by.ValueHeads, rows, 256, 4*k.stepNumbers)
	if !together { // what the blocks read of the tail is theirs together
		k.shape(d.card.Args(from, t.states))
		d.card.Launch(d.card.Kernel("linear_step", "linear_tail_"+d.suffix), blocks(2*by.KeyHeads*by.KeySize, 256), rows, 256, 0)
	}
}

// batchState is State of kernels/linear_step.cu.
type batchState struct{ s, conv uint64 }

// layStates makes the table of a layer with linear attention; false where the layer has none.
func (l *layout) layStates(d *Device, s []engine.Sequence, layer int) bool {
	l.states, l.aligned = l.states[:0], true
	first := s[0].Caches[layer].State
	for i, q := range s {
		c := q.Caches[layer].State
		if c.S.Len != first.S.Len || c.Conv.Len != first.Conv.Len {
			panic(fmt.Sprintf("cuda: NewBatch: layer %d: a state of %d and %d numbers, and sequence %d has one of %d and %d", layer, first.S.Len, first.Conv.Len, i, c.S.Len, c.Conv.Len))
		}
		if c.S.Len == 0 {
			continue
		}
		state := batchState{d.pointer("NewBatch", c.S, engine.Float32), d.pointer("NewBatch", c.Conv, engine.Float32)}
		l.aligned = l.aligned && state.s%16 == 0
		l.states = append(l.states, state)
	}
	return len(l.states) > 0
}

// GateOutput multiplies by the gate's sigmoid.
func (d *Device) GateOutput(x, gate engine.Array) {
	same("GateOutput", "gate", gate.Len, x.Len)
	to, from := d.pointer("GateOutput", x, d.kind), d.pointer("GateOutput", gate, d.kind)
	ok := d.card.Enter("GateOutput")
	defer d.card.Leave()
	if !ok || x.Len == 0 {
		return
	}
	vec := aligned(x.Len, to, from)
	each := 256
	if vec {
		each *= 8
	}
	d.card.Args(to, from).Long(x.Len).Int(flag(vec))
	d.card.Launch(d.card.Kernel("linear", "gate_output_"+d.suffix), blocks(x.Len, each), 1, 256, 0)
}
