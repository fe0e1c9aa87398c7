package emulator

import "strings"

// perThread is how many registers a thread begins with. The number in the machine code is
// not known here, but a kernel with setmaxnreg gets as many as its launch bounds allow.
func (l *launch) perThread() int {
	const all, most = 64 << 10, 248
	threads, blocks := l.kernel.maxThreads, max(1, l.kernel.minBlocks)
	if threads == 0 {
		threads = l.threads
	}
	return min(most, all/(threads*blocks)/8*8)
}

// registerCount decodes setmaxnreg: a warp gives registers back to its block, or takes
// registers that others have given back and waits until there are enough.
func (d *decoder) registerCount() {
	o := d.st.operands
	take := false
	switch strings.Join(d.parts[1:], ".") {
	case "inc.sync.aligned.u32":
		take = true
	case "dec.sync.aligned.u32":
	default:
		d.err = errUnknown
		return
	}
	if !d.arity(1, 1) || o[0].kind != integerOperand || o[0].bits < 24 || o[0].bits > 256 || o[0].bits%8 != 0 {
		d.fail("the number of registers must be a multiple of 8 from 24 to 256")
		return
	}
	count := int(o[0].bits)
	d.i.flow, d.i.aligned = together, true
	d.i.exec = func(w *warp, i *instruction, mask uint32) {
		more := count - w.registers
		if take != (more >= 0) && more != 0 {
			w.fail(i, mask, "a thread has %d registers", w.registers)
			return
		}
		if more > w.block.registers {
			w.yielded = true
			return
		}
		w.block.registers -= more
		w.registers = count
		w.block.launch.changes++
	}
}
