// hopper.h: compute capability 9.0's barriers in shared memory, which the copy engine
// completes. A barrier counts arrivals and bytes. Its phases have parities 0, 1, 0, 1, …; a
// wait for parity p returns once the phase of that parity is complete.
#pragma once
#include "device.h"

DEVICE void barrier_init(u32 b, int count) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(b), "r"(count) : "memory"); }
DEVICE void barrier_expect(u32 b, u32 bytes) { asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(b), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(u32 b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(b) : "memory"); }
DEVICE void barrier_wait(u32 b, u32 parity) {
  asm volatile("{\n\t.reg .pred done;\nagain:\n\tmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n\t@!done bra again;\n\t}" ::"r"(b), "r"(parity) : "memory");
}
// Copies n bytes from global to shared memory; n and both addresses are multiples of 16.
DEVICE void copy_bytes(u32 to, u64 from, u32 n, u32 barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];"
               ::"r"(to), "l"(from), "r"(n), "r"(barrier) : "memory");
}
DEVICE void barriers_ready() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

struct alignas(64) Map { u8 bytes[128]; }; // CUtensorMap

// Where argument i of the kernel lies: the copy engine wants the parameter itself.
#define MAP(kernel, i) ({ u64 p; asm("{\n\t.reg .u64 t;\n\tmov.u64 t, " kernel "_param_" #i ";\n\tcvta.param.u64 %0, t;\n\t}" : "=l"(p)); p; })

// Copies the box of a tensor map at (c0, c1, c2). Elements past the array's ends are zero,
// and the barrier counts their bytes, too.
DEVICE void copy_box(u32 to, u64 map, u32 barrier, int c0, int c1, int c2) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3,%4,%5}], [%2];"
               ::"r"(to), "l"(map), "r"(barrier), "r"(c0), "r"(c1), "r"(c2) : "memory");
}

// Clusters: blocks that see each other's shared memory. A block's rank among them, and a
// barrier for all threads of all of them.
DEVICE u32 cluster_rank() { u32 r; asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(r)); return r; }
DEVICE void cluster_sync() {
  asm volatile("barrier.cluster.arrive.aligned;" ::: "memory");
  asm volatile("barrier.cluster.wait.aligned;" ::: "memory");
}
// An arrival at the barrier that block `rank` has at the same address. (Cluster scope would
// make it wait for all the thread's memory operations; it is not needed, since the other
// block reads nothing that this thread wrote.)
DEVICE void barrier_arrive_at(u32 b, u32 rank) {
  asm volatile("{\n\t.reg .b32 r;\n\tmapa.shared::cluster.u32 r, %0, %1;\n\tmbarrier.arrive.shared::cluster.b64 _, [r];\n\t}" ::"r"(b), "r"(rank) : "memory");
}
// copy_box to the same place in all blocks of the mask; each one's barrier counts.
DEVICE void copy_box_to(u16 mask, u32 to, u64 map, u32 barrier, int c0, int c1, int c2) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%3,%4,%5}], [%2], %6;"
               ::"r"(to), "l"(map), "r"(barrier), "r"(c0), "r"(c1), "r"(c2), "h"(mask) : "memory");
}
// Where another block of the cluster has a shared address.
DEVICE u32 address_at(u32 address, u32 rank) { u32 a; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(a) : "r"(address), "r"(rank)); return a; }
DEVICE void store_at(u32 address, const float (&v)[4]) {
  asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(address), "f"(v[0]), "f"(v[1]), "f"(v[2]), "f"(v[3]) : "memory");
}
