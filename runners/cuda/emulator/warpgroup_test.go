package emulator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// boxKernel brings boxes of two maps to shared memory, at 1024 from the first address
// that is a multiple of it, and executes a body. %r1 is the thread, %r3 the address of
// the first box, behind which the others follow, %rd1 out.
func boxKernel(copies, body string) string {
	return `.version 8.3
.target sm_90a
.address_size 64
.extern .shared .align 16 .b8 room[];
.visible .entry test(.param .align 64 .b8 test_param_0[128], .param .align 64 .b8 test_param_1[128], .param .u64 test_param_2, .param .u64 test_param_3)
{
	.reg .pred %p<8>;
	.reg .b32 %r<64>;
	.reg .f32 %f<128>;
	.reg .b64 %rd<16>;
	.shared .align 8 .b64 arrived;
	mov.u32 %r1, %tid.x;
	mov.u64 %rd10, test_param_0;
	cvta.param.u64 %rd11, %rd10;
	mov.u64 %rd10, test_param_1;
	cvta.param.u64 %rd12, %rd10;
	ld.param.u64 %rd1, [test_param_2];
	ld.param.u64 %rd2, [test_param_3];
	mov.u32 %r2, arrived;
	mov.u32 %r3, room;
	add.u32 %r3, %r3, 1023;
	and.b32 %r3, %r3, 0xfffffc00;
	setp.ne.u32 %p1, %r1, 0;
	@%p1 bra ready;
	mbarrier.init.shared::cta.b64 [%r2], 1;
` + copies + `
ready:
	bar.sync 0;
again:
	mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r2], 0;
	@!%p2 bra again;
` + body + "\n}\n"
}

// copyBox is the text of a copy of a map's box to bytes behind the first.
func copyBox(register string, to, bytes int, at [3]int) string {
	return fmt.Sprintf(`
	add.u32 %%r4, %%r3, %d;
	mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%%r2], %d;
	cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%%r4], [%s, {%d, %d, %d}], [%%r2];
`, to, bytes, register, at[0], at[1], at[2])
}

const arrive = "\tmbarrier.arrive.shared::cta.b64 _, [%r2];\n"

// tensor is 16-bit numbers in planes of rows.
type tensor struct {
	planes, rows, columns int
	bits                  []uint16
	values                []float32
	half                  bool
}

func randomTensor(random *rand.Rand, half bool, planes, rows, columns int) *tensor {
	m := &tensor{planes, rows, columns, make([]uint16, planes*rows*columns), make([]float32, planes*rows*columns), half}
	for i := range m.bits {
		sign, size := uint16(random.IntN(2)<<15), uint16(random.IntN(1<<11))
		if half {
			m.bits[i] = sign | 0x3800 + size // 0.5 to 2
			m.values[i] = halves[m.bits[i]]
		} else {
			m.bits[i] = sign | 0x3f00 + size>>3
			m.values[i] = math.Float32frombits(uint32(m.bits[i]) << 16)
		}
	}
	return m
}

// at returns a number of the tensor, zero outside.
func (m *tensor) at(plane, row, column int) (float32, uint16) {
	if plane < 0 || plane >= m.planes || row < 0 || row >= m.rows || column < 0 || column >= m.columns {
		return 0, 0
	}
	i := (plane*m.rows+row)*m.columns + column
	return m.values[i], m.bits[i]
}

// sixteens are a copy of numbers at an address that is a multiple of 16, as the copy
// engine and vectors want it.
func sixteens(bits []uint16) []uint16 {
	room := make([]uint16, len(bits)+8)
	for uintptr(unsafe.Pointer(&room[0]))%16 != 0 {
		room = room[1:]
	}
	return room[:copy(room, bits)]
}

func (m *tensor) encode(t *testing.T, memory *arrays, box [3]uint32) [128]byte {
	t.Helper()
	kind := uint32(9)
	if m.half {
		kind = 6
	}
	d, err := newTensorMap(kind, 3, address(memory, sixteens(m.bits)), []uint64{uint64(m.columns), uint64(m.rows), uint64(m.planes)},
		[]uint64{uint64(2 * m.columns), uint64(2 * m.columns * m.rows)}, box[:], []uint32{1, 1, 1}, swizzle128, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return *(*[128]byte)(unsafe.Pointer(&d))
}

func runBoxes(t *testing.T, text string, memory *arrays, threads int, a, b [128]byte, in, out uint64) error {
	t.Helper()
	m, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m.kernels["test"].Launch(memory, [3]int{1, 1, 1}, [3]int{threads, 1, 1}, 64<<10, arguments(a, b, out, in), 1)
}

// A box lies in shared memory row by row of 128 bytes, the eight chunks of row r in
// the order r xor 0 to 7; what is outside the array is zero.
func TestTensorCopy(t *testing.T) {
	const rows = 24
	m := randomTensor(rand.New(rand.NewPCG(1, 1)), true, 3, 30, 96)
	for _, at := range [][3]int{{0, 0, 0}, {32, 3, 1}, {64, 5, 2}, {-8, -7, 0}, {40, 20, 2}, {0, 0, 3}, {96, 0, 0}, {0, -24, 0}, {8, 0, -1}} {
		for _, to := range []int{0, 384} { // the second does not begin with row 0 of a group
			var memory arrays
			out := make([]uint32, rows*32)
			text := boxKernel(copyBox("%rd11", to, rows*128, at)+arrive, fmt.Sprintf(`
	mov.u32 %%r5, 0;
next:
	shl.b32 %%r6, %%r5, 7;
	shl.b32 %%r7, %%r1, 2;
	add.u32 %%r6, %%r6, %%r7;
	add.u32 %%r7, %%r6, %%r3;
	ld.shared.u32 %%r8, [%%r7+%d];
	cvt.u64.u32 %%rd3, %%r6;
	add.s64 %%rd3, %%rd3, %%rd1;
	st.global.u32 [%%rd3], %%r8;
	add.u32 %%r5, %%r5, 1;
	setp.lt.u32 %%p3, %%r5, %d;
	@%%p3 bra next;
	`, to, rows))
			a := m.encode(t, &memory, [3]uint32{64, rows, 1})
			if err := runBoxes(t, text, &memory, 32, a, a, 0, address(&memory, out)); err != nil {
				t.Fatal(at, err)
			}
			for row := range rows {
				for column := range 64 {
					chunk := column/8 ^ (row+to/128)%8
					got := uint16(out[row*32+chunk*4+column%8/2] >> (16 * (column % 2)))
					if _, want := m.at(at[2], at[1]+row, at[0]+column); got != want {
						t.Fatalf("box at %v, row %d, column %d: %#x, not %#x", at, row, column, got, want)
					}
				}
			}
		}
	}
}

func TestTensorCopyRefuses(t *testing.T) {
	m := randomTensor(rand.New(rand.NewPCG(1, 1)), true, 3, 30, 64)
	var memory arrays
	good := m.encode(t, &memory, [3]uint32{64, 8, 1})
	for _, c := range []struct {
		copies, want string
		change       func(m *tensorMap)
	}{
		{copyBox("%rd11", 64, 1024, [3]int{}), "multiple of 128", nil},
		{copyBox("%rd11", 64<<10, 1024, [3]int{}), "shared memory has", nil},
		{copyBox("%rd1", 0, 1024, [3]int{}), "must be a parameter", nil},
		{copyBox("%rd11", 0, 1024, [3]int{}), "no tensor map", func(m *tensorMap) { m.magic++ }},
		{copyBox("%rd11", 0, 1024, [3]int{}), "are in no allocation", func(m *tensorMap) { m.dims[1]++; m.address -= 128 }},
		{copyBox("%rd11", 0, 1024, [3]int{}), "not emulated", func(m *tensorMap) { m.swizzle = swizzle64 }},
		{copyBox("%rd11", 0, 1024, [3]int{}), "2 dimensions", func(m *tensorMap) { m.rank = 2 }},
		{copyBox("%rd11", 0, 2048, [3]int{}), "deadlock", nil}, // bytes that never come
	} {
		old := stallBudget
		stallBudget = 1 << 16
		a := good
		if c.change != nil {
			c.change((*tensorMap)(unsafe.Pointer(&a)))
		}
		out := make([]uint32, 32)
		err := runBoxes(t, boxKernel(c.copies+arrive, ""), &memory, 32, a, a, 0, address(&memory, out))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
		stallBudget = old
	}
}

func TestTensorMapRefuses(t *testing.T) {
	type call struct {
		kind                     uint32
		address                  uint64
		dims                     [3]uint64
		strides                  [2]uint64
		box, steps               [3]uint32
		swizzle, promotion, fill uint32
	}
	good := call{9, 4096, [3]uint64{96, 7, 1 << 32}, [2]uint64{192, 1 << 39}, [3]uint32{64, 256, 1}, [3]uint32{1, 1, 1}, swizzle128, 3, 0}
	encode := func(c call) error {
		_, err := newTensorMap(c.kind, 3, c.address, c.dims[:], c.strides[:], c.box[:], c.steps[:], c.swizzle, c.promotion, c.fill)
		return err
	}
	if err := encode(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(c *call){
		"data type 13":                  func(c *call) { c.kind = 13 },
		"0x1008 is not":                 func(c *call) { c.address += 8 },
		"swizzle 4":                     func(c *call) { c.swizzle = 4 },
		"promotion 4":                   func(c *call) { c.promotion = 4 },
		"fill 2":                        func(c *call) { c.fill = 2 },
		"dimension 1 has 0":             func(c *call) { c.dims[1] = 0 },
		"dimension 2 has 4294967297":    func(c *call) { c.dims[2]++ },
		"dimension 1 of a box has 257":  func(c *call) { c.box[1]++ },
		"dimension 2 of a box has 0":    func(c *call) { c.box[2] = 0 },
		"in steps of 9":                 func(c *call) { c.steps[1] = 9 },
		"dimension 1 is 200 bytes":      func(c *call) { c.strides[0] = 200 },
		"dimension 2 is 1099511627776 ": func(c *call) { c.strides[1] = 1 << 40 },
		"rows of a box have 24 bytes":   func(c *call) { c.box[0] = 12 },
		"rows of a box have 144 bytes":  func(c *call) { c.box[0] = 72 },
	} {
		c := good
		change(&c)
		if err := encode(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// list is the text {%x0, %x1, …}.
func list(name string, first, n int) string {
	var s []string
	for i := range n {
		s = append(s, fmt.Sprintf("%%%s%d", name, first+i))
	}
	return "{" + strings.Join(s, ",") + "}"
}

// descriptor is the text that makes a descriptor of what lies bytes behind the first box.
func descriptor(register string, at, leading, stride int) string {
	return fmt.Sprintf(`
	add.u32 %%r5, %%r3, %d;
	shr.u32 %%r5, %%r5, 4;
	cvt.u64.u32 %s, %%r5;
	or.b64 %s, %s, 0x%x;
`, at, register, register, register, uint64(leading>>4)<<16|uint64(stride>>4)<<32|1<<62)
}

// storeSums is the text that writes a thread's sums to out.
func storeSums(n int) string {
	s := fmt.Sprintf("\tmul.wide.u32 %%rd3, %%r1, %d;\n\tadd.s64 %%rd3, %%rd3, %%rd1;\n", 2*n)
	for i := range n / 2 {
		s += fmt.Sprintf("\tst.global.f32 [%%rd3+%d], %%f%d;\n", 4*i, i)
	}
	return s
}

// sumAt is a lane's place of sums, in PTX ISA's figure of D for m64nN.
func sumAt(thread, i int) (row, column int) {
	return thread/32*16 + thread%32/4 + i%4/2*8, i/4*8 + thread%4*2 + i%2
}

const depth = 64 // of the sums

// Both operands from shared memory, the sum along their rows.
func TestMultiplyFromShared(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, half := range []bool{false, true} {
		for _, n := range []int{8, 64, 96, 128, 256} {
			var memory arrays
			a, b := randomTensor(random, half, 2, 70, 80), randomTensor(random, half, 1, n-3, depth)
			kind := map[bool]string{false: "bf16", true: "f16"}[half]
			copies := copyBox("%rd11", 0, 8192, [3]int{16, 3, 1}) + copyBox("%rd12", 8192, n*128, [3]int{0, 2, 0}) + arrive
			body := "\tmov.f32 %f0, 0f40000000;\n\twgmma.fence.sync.aligned;\n"
			for k := range depth / 16 {
				body += descriptor("%rd4", 32*k, 0, 1024) + descriptor("%rd5", 8192+32*k, 0, 1024) + fmt.Sprintf(`
	setp.ne.b32 %%p3, %d, 0;
	wgmma.mma_async.sync.aligned.m64n%dk16.f32.%s.%s %s, %%rd4, %%rd5, %%p3, 1, 1, 0, 0;
`, k, n, kind, kind, list("f", 0, n/2))
			}
			body += "\twgmma.commit_group.sync.aligned;\n\twgmma.wait_group.sync.aligned 0;\n" + storeSums(n)
			out := make([]float32, 64*n)
			err := runBoxes(t, boxKernel(copies, body), &memory, 128, a.encode(t, &memory, [3]uint32{64, 64, 1}), b.encode(t, &memory, [3]uint32{64, uint32(n), 1}), 0, address(&memory, out))
			if err != nil {
				t.Fatal(kind, n, err)
			}
			compareSums(t, out, n, func(row, column, k int) (x, y float32) {
				x, _ = a.at(1, 3+row, 16+k)
				y, _ = b.at(0, 2+column, k)
				return x, y
			})
		}
	}
}

// compareSums holds what the threads wrote to a plain loop.
func compareSums(t *testing.T, out []float32, n int, at func(row, column, k int) (x, y float32)) {
	t.Helper()
	for thread := range 128 {
		for i := range n / 2 {
			row, column := sumAt(thread, i)
			want := 0.0
			for k := range depth {
				x, y := at(row, column, k)
				want += float64(x) * float64(y)
			}
			if got := float64(out[thread*n/2+i]); !(math.Abs(got-want) <= 1e-4) {
				t.Fatalf("row %d, column %d of %d: %v, not %v", row, column, n, got, want)
			}
		}
	}
}

// fromRegisters is a multiplication with A in registers and B as its rows lie, in
// boxes of 64 columns. between stands behind the fence, behind what is under way and
// behind the wait.
func fromRegisters(t *testing.T, random *rand.Rand, half bool, n int, fence, under, wait string) ([]float32, *tensor, *tensor, error) {
	t.Helper()
	var memory arrays
	a, b := randomTensor(random, half, 1, 64, depth), randomTensor(random, half, 1, depth, n)
	kind := map[bool]string{false: "bf16", true: "f16"}[half]
	boxes := (n + 63) / 64
	copies := ""
	for c := range boxes {
		copies += copyBox("%rd12", depth*128*c, depth*128, [3]int{64 * c, 0, 0})
	}
	// Lane 4g+t has of A, in every 16 columns, columns 2t and 2t+1, 2t+8 and 2t+9.
	in := make([]uint32, 128*16)
	for thread := range 128 {
		for k := range depth / 16 {
			for e := range 4 {
				row, column := thread/32*16+thread%32/4+e%2*8, 16*k+thread%4*2+e/2*8
				_, low := a.at(0, row, column)
				_, high := a.at(0, row, column+1)
				in[thread*16+4*k+e] = uint32(high)<<16 | uint32(low)
			}
		}
	}
	body := "\tmul.wide.u32 %rd3, %r1, 64;\n\tadd.s64 %rd3, %rd3, %rd2;\n"
	for k := range 4 {
		body += fmt.Sprintf("\tld.global.v4.u32 %s, [%%rd3+%d];\n", list("r", 16+4*k, 4), 16*k)
	}
	for i := range n / 2 {
		body += fmt.Sprintf("\tmov.f32 %%f%d, 0f3E800000;\n", i)
	}
	body += fence
	for k := range depth / 16 {
		body += descriptor("%rd5", 2048*k, depth*128, 1024) + fmt.Sprintf(`
	wgmma.mma_async.sync.aligned.m64n%dk16.f32.%s.%s %s, %s, %%rd5, 1, 1, 1, 1;
`, n, kind, kind, list("f", 0, n/2), list("r", 16+4*k, 4))
	}
	body += "\twgmma.commit_group.sync.aligned;\n" + under + wait + storeSums(n)
	out := make([]float32, 64*n)
	err := runBoxes(t, boxKernel(copies+arrive, body), &memory, 128, a.encode(t, &memory, [3]uint32{64, 64, 1}), b.encode(t, &memory, [3]uint32{64, depth, 1}), address(&memory, in), address(&memory, out))
	return out, a, b, err
}

const (
	fence = "\twgmma.fence.sync.aligned;\n"
	wait  = "\twgmma.wait_group.sync.aligned 0;\n"
)

func TestMultiplyFromRegisters(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for _, half := range []bool{false, true} {
		for _, n := range []int{8, 64, 96, 128, 192} {
			// Warps come at different times, and one has to wait for the last.
			late := "\tsetp.lt.u32 %p4, %r1, 96;\n\t@%p4 bra on;\n\tmov.u32 %r9, 0;\nslow:\n\tadd.u32 %r9, %r9, 1;\n\tsetp.lt.u32 %p5, %r9, 3000;\n\t@%p5 bra slow;\non:\n"
			out, a, b, err := fromRegisters(t, random, half, n, late+fence, "", wait)
			if err != nil {
				t.Fatal(n, err)
			}
			compareSums(t, out, n, func(row, column, k int) (x, y float32) {
				x, _ = a.at(0, row, k)
				y, _ = b.at(0, k, column)
				if k == 0 { // what the sums began with
					x, y = x*y+0.25, 1
				}
				return x, y
			})
		}
	}
}

func TestMultiplicationMistakes(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for _, c := range []struct{ name, fence, under, wait, want string }{
		{"no fence", "", "", wait, "no wgmma.fence"},
		{"sums written", fence, "\tmov.f32 %f3, 0f00000000;\n", wait, "written while they were under way"},
		{"a warp is missing", fence, "", "\tsetp.ge.u32 %p4, %r1, 96;\n\t@%p4 ret;\n" + fence + "\twgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " +
			list("f", 0, 32) + ", " + list("r", 16, 4) + ", %rd5, 1, 1, 1, 1;\n\twgmma.commit_group.sync.aligned;\n" + wait, "deadlock"},
		{"warps differ", fence, "\tsetp.ge.u32 %p4, %r1, 96;\n\tselp.u64 %rd6, 64, 0, %p4;\n\tadd.s64 %rd5, %rd5, %rd6;\n\twgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " +
			list("f", 0, 32) + ", " + list("r", 16, 4) + ", %rd5, 1, 1, 1, 1;\n", wait, "warps differ"},
		{"shapes differ", fence, "\twgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 " +
			list("f", 8, 16) + ", " + list("r", 16, 4) + ", %rd5, 1, 1, 1, 1;\n", wait, "another shape"},
		{"swizzle of 64 bytes", fence, "\tor.b64 %rd5, %rd5, 0x8000000000000000;\n\twgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " +
			list("f", 0, 32) + ", " + list("r", 16, 4) + ", %rd5, 1, 1, 1, 1;\n\twgmma.commit_group.sync.aligned;\n", wait, "only the 128-byte swizzle"},
	} {
		old := stallBudget
		stallBudget = 1 << 16
		if _, _, _, err := fromRegisters(t, random, false, 64, c.fence, c.under, c.wait); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		stallBudget = old
	}
	if _, err := try(t, fence+"\twgmma.commit_group.sync.aligned;\n"+wait, 32, 0, nil); err != nil {
		t.Errorf("nothing to wait for: %v", err)
	}
	if _, err := try(t, fence+"\twgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {%f0,%f1,%f2,%f3}, %rd1, %rd1, 1, 1, 1, 0, 0;\n", 96, 0, nil); err == nil || !strings.Contains(err.Error(), "four warps") {
		t.Errorf("three warps: %v", err)
	}
	out, _, _, err := fromRegisters(t, random, false, 64, fence, "", "")
	if err != nil || !math.IsNaN(float64(out[0])) {
		t.Errorf("sums that were not waited for: %v, %v", out[0], err)
	}
}
