package emulator

import "testing"

// A bulk copy's bytes are there when the mbarrier's phase is complete; phases have parities.
func TestBulkCopies(t *testing.T) {
	in := make([]uint64, 64)
	for i := range in {
		in[i] = uint64(i) * 3
	}
	got := must(t, `
	.shared .align 8 .b8 full[8];
	mov.u64 %rd10, full;
	cvt.u32.u64 %r10, %rd10;
	mov.u64 %rd10, room;
	cvt.u32.u64 %r11, %rd10;
	setp.eq.s32 %p1, %r1, 0;
	@%p1 mbarrier.init.shared::cta.b64 [%r10], 1;
	fence.mbarrier_init.release.cluster;
	bar.sync 0;
	@!%p1 bra wait;
	ld.param.u64 %rd11, [test_param_0];
	mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r10], 512;
	cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r11], [%rd11], 256, [%r10];
	add.s64 %rd11, %rd11, 256;
	add.u32 %r12, %r11, 256;
	cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r12], [%rd11], 256, [%r10];
wait:
	mov.u32 %r13, 0;
	{ .reg .pred done;
again:
	mbarrier.try_wait.parity.shared::cta.b64 done, [%r10], %r13;
	@!done bra again;
	}
	mad.lo.u32 %r14, %r1, 8, %r11;
	ld.shared.u64 %rd12, [%r14];
	mbarrier.test_wait.parity.shared::cta.b64 %p2, [%r10], 1;
	@%p2 add.s64 %rd12, %rd12, 1000;
	mbarrier.test_wait.parity.shared::cta.b64 %p2, [%r10], 0;
	@%p2 add.s64 %rd12, %rd12, 2000;
	st.global.u64 [%rd2], %rd12;
	`, 64, 512, in)
	for i, v := range got {
		if v != in[i]+2000 { // the first phase is complete, the second is not
			t.Fatalf("thread %d has %d, not %d", i, v, in[i]+2000)
		}
	}
}

// cp.async changes nothing until its group is waited for, and then writes zeros after the
// bytes that it reads.
func TestAsyncCopies(t *testing.T) {
	in := []uint64{1, 2, 3, 4}
	got := must(t, `
	mov.u64 %rd10, room;
	cvt.u32.u64 %r10, %rd10;
	ld.param.u64 %rd11, [test_param_0];
	setp.eq.s32 %p1, %r1, 0;
	@!%p1 bra end;
	cp.async.cg.shared.global [%r10], [%rd11], 16, 16;
	cp.async.commit_group;
	add.u32 %r10, %r10, 16;
	add.s64 %rd12, %rd11, 16;
	cp.async.cg.shared.global [%r10], [%rd12], 16, 8;
	cp.async.commit_group;
	add.u32 %r10, %r10, 16;
	mov.u64 %rd13, 16;
	cp.async.cg.shared.global [%r10], [%rd13], 16, 0;
	cp.async.commit_group;
	ld.shared.u64 %rd20, [room];
	cp.async.wait_group 2;
	ld.shared.u64 %rd21, [room+8];
	ld.shared.u64 %rd22, [room+16];
	cp.async.wait_all;
	ld.shared.u64 %rd23, [room+16];
	ld.shared.u64 %rd24, [room+24];
	ld.shared.u64 %rd25, [room+32];
	st.global.u64 [%rd2], %rd20;
	st.global.u64 [%rd2+8], %rd21;
	st.global.u64 [%rd2+16], %rd22;
	st.global.u64 [%rd2+24], %rd23;
	st.global.u64 [%rd2+32], %rd24;
	st.global.u64 [%rd2+40], %rd25;
end:
	`, 6, 48, in)
	for i, want := range []uint64{garbage, 2, garbage, 3, 0, 0} {
		if got[i] != want {
			t.Errorf("value %d is %#x, not %#x", i, got[i], want)
		}
	}
}
