package emulator

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkMatmulFew runs a kernel of loads, mma and address arithmetic;
// BenchmarkLoop the cheapest instructions. Both give lane instructions a second.
func BenchmarkMatmulFew(b *testing.B) {
	const m, rows, columns = 8, 256, 2048
	random := rand.New(rand.NewPCG(3, 4))
	_, x16 := gaussians(random, m*columns)
	_, w16 := gaussians(random, rows*columns)
	out := make([]uint16, m*rows)
	var memory arrays
	k := kernel(b, "matmul_few.ptx", "matmul_few_1_bf16")
	count(b, k, &memory, [3]int{rows / 16, 1, 1}, [3]int{256, 1, 1},
		arguments(address(&memory, out), address(&memory, x16), address(&memory, w16), uint64(0), int32(m), int64(rows), int64(columns), int32(0), uint64(0), uint64(0), int64(0), int64(0)))
}

func BenchmarkLoop(b *testing.B) {
	m, err := Parse(snippet(`
	mov.u32 %r2, 0;
	mov.f32 %f1, 0f3F800000;
again:
	fma.rn.f32 %f2, %f1, %f1, %f2;
	add.rn.f32 %f3, %f2, %f1;
	mul.rn.f32 %f1, %f3, 0f3F000000;
	max.f32 %f1, %f1, 0f3F800000;
	shl.b32 %r3, %r2, 3;
	and.b32 %r4, %r3, 255;
	add.s32 %r2, %r2, 1;
	setp.lt.s32 %p1, %r2, 20000;
	@%p1 bra again;
	st.global.f32 [%rd2], %f1;
	`))
	if err != nil {
		b.Fatal(err)
	}
	var memory arrays
	buffer := make([]uint64, 64)
	at := address(&memory, buffer)
	count(b, m.kernels["test"], &memory, [3]int{1, 1, 1}, [3]int{64, 1, 1}, arguments(at, at))
}

func count(b *testing.B, k *Kernel, memory Memory, grid, block [3]int, arguments [][]byte) {
	total := uint64(0)
	for b.Loop() {
		l, err := k.launch(memory, grid, block, 0, arguments)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.run(4); err != nil {
			b.Fatal(err)
		}
		total += l.clock
	}
	b.ReportMetric(float64(total*lanes)/b.Elapsed().Seconds(), "lane-instructions/s")
}
