package emulator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// space is a state space of memory.
type space uint8

const (
	genericSpace space = iota
	globalSpace
	sharedSpace
	localSpace
	paramSpace
	clusterSpace // shared::cluster
)

var spaceNames = [...]string{"generic", "global", "shared", "local", "param", "shared::cluster"}

// The files of a warp's registers.
const (
	predicates = 0
	words      = 1 // up to 32 bits
	longs      = 2
)

func fileOf(bits int) int {
	switch {
	case bits == 1:
		return predicates
	case bits <= 32:
		return words
	}
	return longs
}

// flow says what an instruction does to the warp's lanes.
type flow uint8

const (
	straight     flow = iota // exec, for the lanes whose guard is true
	branch                   // to target
	leave                    // exit, ret
	together                 // exec, once all lanes of a mask are here
	awaiting                 // together, and again while the warp yields
	warpBarrier              // bar.warp.sync: once all lanes of a mask are at one
	blockBarrier             // bar.sync, bar.arrive
)

// instruction is decoded: operands are indices of registers in their files.
type instruction struct {
	flow     flow
	guardNot bool
	space    space
	signed   bool // of a load: what is narrower than its register; of others, see there
	size     int8 // bytes of an element
	file     int8 // of d
	aligned  bool // all lanes of the warp, none exited
	arrive   bool
	reads    bool  // memory, and writes none
	guard    int32 // predicate, or -1
	d, a, b  int32
	c        int32
	cut      uint32 // bits of a load's registers
	second   int32  // partner of d, or -1
	members  int32  // register of the mask of lanes, or of a cluster's blocks, or -1
	base     int32  // register of an address, or -1
	baseFile int8
	target   int
	offset   int64
	list     []int32 // registers of vectors; -1: none
	exec     func(w *warp, i *instruction, mask uint32)
	f        any // what exec applies to a lane's operands
	line     int
	text     string
}

// decoder turns statements of a kernel into instructions. The first error of a
// statement stays in err.
type decoder struct {
	k         *Kernel
	counts    [3]int
	words     map[uint32]int32
	longs     map[uint64]int32
	variables map[*variable]int64 // addresses in their space
	st        *statement
	parts     []string // of the opcode
	i         *instruction
	err       error
}

// sharedStart is the address of the first byte of shared memory. The bytes below belong to
// the system, as on compute capability 9.0, so that 0 is no valid address.
const sharedStart = 1024

func (k *Kernel) decode(statements []statement, counts [3]int, end int) error {
	d := &decoder{k: k, counts: counts, words: map[uint32]int32{}, longs: map[uint64]int32{}, variables: map[*variable]int64{}}
	if err := d.place(statements); err != nil {
		return err
	}
	k.registers = counts
	k.code = make([]instruction, len(statements)+1)
	for n := range statements {
		st := &statements[n]
		i := &k.code[n]
		*i = instruction{guard: -1, d: -1, second: -1, members: -1, base: -1, line: st.line, text: st.text}
		if st.guard != nil {
			i.guard, i.guardNot = int32(st.guard.reg.index), st.guard.not
		}
		d.st, d.i, d.err, d.parts = st, i, nil, strings.Split(st.opcode, ".")
		if st.opcode == "bra" || st.opcode == "bra.uni" {
			if len(st.operands) != 1 || st.operands[0].kind != nameOperand {
				return fmt.Errorf("line %d: %q names no label", st.line, st.text)
			}
			at, ok := st.scope.label(st.operands[0].name)
			if !ok {
				return fmt.Errorf("line %d: unknown label %s", st.line, st.operands[0].name)
			}
			i.flow, i.target = branch, at
			continue
		}
		if d.instruction(); d.err != nil {
			i.flow, i.exec, i.f = straight, execInvalid, d.err
		}
	}
	k.code[len(statements)] = instruction{guard: -1, flow: leave, line: end, text: "}"}
	return nil
}

func execInvalid(w *warp, i *instruction, mask uint32) { w.fail(i, mask, "%v", i.f.(error)) }

// place lays out the arrays that the statements use, in the order of their declaration, with
// those in dynamic shared memory last.
func (d *decoder) place(statements []statement) error {
	var used []*variable
	see := func(st *statement, o *operand) {
		if o.kind != nameOperand {
			return
		}
		if v := st.scope.variable(o.name); v != nil && !slices.Contains(used, v) {
			used = append(used, v)
		}
	}
	for n := range statements {
		for j := range statements[n].operands {
			o := &statements[n].operands[j]
			see(&statements[n], o)
			for e := range o.list {
				see(&statements[n], &o.list[e])
			}
		}
	}
	slices.SortFunc(used, func(a, b *variable) int { return a.order - b.order })
	align := 16
	for _, v := range used {
		switch {
		case v.extern:
			align = max(align, v.align)
		case v.space == localSpace:
			at := (d.k.local + v.align - 1) / v.align * v.align
			d.variables[v], d.k.local = int64(at), at+v.bytes
		default:
			at := (d.k.shared + v.align - 1) / v.align * v.align
			d.variables[v], d.k.shared = sharedStart+int64(at), at+v.bytes
		}
	}
	if d.k.local > maxVariable || d.k.shared > maxVariable {
		return fmt.Errorf("line %d: arrays of %s have more than %d bytes", d.k.line, d.k.name, maxVariable)
	}
	d.k.dynamic = (d.k.shared + align - 1) / align * align
	for _, v := range used {
		if v.extern {
			d.variables[v] = sharedStart + int64(d.k.dynamic)
		}
	}
	return nil
}

var errUnknown = errors.New("unknown instruction")

func (d *decoder) fail(format string, v ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, v...)
	}
}

// has tells whether the opcode has a part.
func (d *decoder) has(part string) bool { return slices.Contains(d.parts[1:], part) }

// arity checks the number of operands.
func (d *decoder) arity(low, high int) bool {
	if n := len(d.st.operands); n < low || n > high {
		d.fail("%d operands where %d to %d should be", n, low, high)
		return false
	}
	return true
}

// destination returns the register of operand n, which must be of a file.
func (d *decoder) destination(o *operand, file int) int32 {
	if o.kind == registerOperand && !o.not && fileOf(o.reg.width) == file {
		return int32(o.reg.index)
	}
	d.fail("%s is no register for the result", o.name)
	return 0
}

// word returns the register of an operand of up to 32 bits; a number becomes a constant, cut
// to so many bits.
func (d *decoder) word(o *operand, bits int) int32 {
	var v uint32
	switch o.kind {
	case registerOperand:
		if fileOf(o.reg.width) == words {
			return int32(o.reg.index)
		}
		d.fail("%s is not a register of up to 32 bits", o.name)
		return 0
	case integerOperand, floatOperand:
		v = uint32(o.bits)
		if bits < 32 {
			v &= 1<<bits - 1
		}
	case nameOperand:
		at, ok := d.variables[d.st.scope.variable(o.name)]
		if !ok {
			d.fail("unknown name %s", o.name)
		}
		v = uint32(at)
	default:
		d.fail("operand %s is not of 32 bits", o.name)
	}
	return constant(d.words, &d.k.constants32, d.counts[words], v)
}

func (d *decoder) long(o *operand) int32 {
	var v uint64
	switch o.kind {
	case registerOperand:
		if fileOf(o.reg.width) == longs {
			return int32(o.reg.index)
		}
		d.fail("%s is not a register of 64 bits", o.name)
		return 0
	case integerOperand, doubleOperand:
		v = o.bits
	case nameOperand:
		at, ok := d.variables[d.st.scope.variable(o.name)]
		if offset, is := d.k.parameterOffsets[o.name]; is && !ok {
			at, ok = int64(offset), true
		}
		if !ok {
			d.fail("unknown name %s", o.name)
		}
		v = uint64(at)
	default:
		d.fail("operand %s is not of 64 bits", o.name)
	}
	return constant(d.longs, &d.k.constants64, d.counts[longs], v)
}

// constant returns the place of v behind the registers; each value is there once.
func constant[T number](known map[T]int32, list *[]T, registers int, v T) int32 {
	at, ok := known[v]
	if !ok {
		at = int32(registers + len(*list))
		*list = append(*list, v)
		known[v] = at
	}
	return at
}

// source returns where an operand of a type lies.
func (d *decoder) source(o *operand, bits int) int32 {
	if bits == 64 {
		return d.long(o)
	}
	return d.word(o, bits)
}

// predicate returns a predicate's register; constants are not supported.
func (d *decoder) predicate(o *operand) int32 {
	if o.not {
		d.fail("! is not supported here")
	}
	return d.negatable(o)
}

// negatable is predicate for callers that handle o.not.
func (d *decoder) negatable(o *operand) int32 {
	if o.kind == registerOperand && o.reg.width == 1 {
		return int32(o.reg.index)
	}
	d.fail("%s is no predicate", o.name)
	return 0
}

// address takes apart an operand in brackets.
func (d *decoder) address(o *operand) {
	i := d.i
	if o.kind != addressOperand || len(o.list) > 1 {
		d.fail("%s is no address", o.name)
		return
	}
	i.offset = o.offset
	if len(o.list) == 0 {
		return
	}
	switch base := &o.list[0]; {
	case base.kind == registerOperand && fileOf(base.reg.width) != predicates:
		i.base, i.baseFile = int32(base.reg.index), int8(fileOf(base.reg.width))
	case base.kind == nameOperand:
		if v := d.st.scope.variable(base.name); v != nil {
			at, ok := d.variables[v]
			if !ok || i.space != v.space && (i.space != clusterSpace || v.space != sharedSpace) {
				d.fail("%s is not in %s memory", base.name, spaceNames[i.space])
			}
			i.offset += at
			return
		}
		if at, ok := d.k.parameterOffsets[base.name]; ok && i.space == paramSpace {
			i.offset += int64(at)
			return
		}
		d.fail("unknown name %s", base.name)
	default:
		d.fail("%s is no address", base.name)
	}
}

// vector returns the operands of { }, or the one operand.
func vector(o *operand) []operand {
	if o.kind == vectorOperand {
		return o.list
	}
	return []operand{*o}
}

// instruction decodes all but branches; d.err is set where it cannot.
func (d *decoder) instruction() {
	decode, ok := decoders[d.parts[0]]
	if !ok || slices.Contains(d.parts, "") || len(d.parts) < 2 && d.parts[0] != "ret" && d.parts[0] != "exit" && d.parts[0] != "trap" {
		d.err = errUnknown
		return
	}
	decode(d)
}

// decoders are by the first part of the opcode.
var decoders map[string]func(d *decoder)

func init() {
	nothing := func(d *decoder) { d.i.exec = func(*warp, *instruction, uint32) {} }
	decoders = map[string]func(d *decoder){
		"ret": (*decoder).leave, "exit": (*decoder).leave, "trap": (*decoder).trap,
		"mov": (*decoder).move, "cvta": (*decoder).toAddress, "cvt": (*decoder).convert,
		"setp": (*decoder).compare, "selp": (*decoder).choose,
		"ld": (*decoder).load, "st": (*decoder).store, "atom": (*decoder).atomic, "red": (*decoder).atomic,
		"bar": (*decoder).barrier, "barrier": (*decoder).barrier, "mbarrier": (*decoder).memoryBarrier,
		"shfl": (*decoder).shuffle, "vote": (*decoder).vote, "match": (*decoder).match, "redux": (*decoder).reduce, "activemask": (*decoder).activeMask,
		"wgmma": (*decoder).warpgroup, "setmaxnreg": (*decoder).registerCount,
		"mapa": (*decoder).mapAddress,
		"mma":  (*decoder).mma, "ldmatrix": (*decoder).loadMatrix, "movmatrix": (*decoder).turnMatrix, "cp": (*decoder).copy,
		// Blocks take turns on one memory, so fences have nothing to do; launches run one
		// after the other, so griddepcontrol has nothing to wait for.
		"membar": nothing, "fence": nothing, "griddepcontrol": nothing, "prefetch": nothing, "nanosleep": nothing,
	}
	for _, name := range []string{"add", "sub", "mul", "mad", "fma", "div", "rem", "min", "max", "abs", "neg", "and", "or", "xor", "not",
		"shl", "shr", "bfe", "bfi", "prmt", "lop3", "shf", "brev", "clz", "popc", "sqrt", "rsqrt", "rcp", "ex2", "lg2", "sin", "cos", "tanh"} {
		decoders[name] = (*decoder).arithmetic
	}
}

func (d *decoder) leave() {
	if d.arity(0, 0) {
		d.i.flow = leave
	}
}

func (d *decoder) trap() {
	d.i.exec = func(w *warp, i *instruction, mask uint32) { w.fail(i, mask, "the kernel gave up") }
}
