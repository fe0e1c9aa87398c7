// device.h: the little of CUDA C that the kernels use, spelled for clang without
// a CUDA SDK (so no headers and no libdevice: what is not here is inline PTX).
//
// Kernels exist once per element type and are named operation_type:
// rms_norm_bf16. Offsets are 64-bit (i64) everywhere. Sums are float.
#pragma once

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define DEVICE __device__ inline __attribute__((always_inline))
#define INLINE __attribute__((always_inline))
#define KERNEL extern "C" __global__ void
#define UNROLL _Pragma("unroll")

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;
typedef u32 u32x4 __attribute__((ext_vector_type(4)));
typedef u32 u32x2 __attribute__((ext_vector_type(2)));
typedef float f32x2 __attribute__((ext_vector_type(2)));
typedef float f32x4 __attribute__((ext_vector_type(4)));

#define INF __builtin_inff()

DEVICE int thread() { return __nvvm_read_ptx_sreg_tid_x(); }
DEVICE int threads() { return __nvvm_read_ptx_sreg_ntid_x(); }
DEVICE int lane() { return __nvvm_read_ptx_sreg_tid_x() & 31; }
DEVICE int warp() { return __nvvm_read_ptx_sreg_tid_x() >> 5; }
DEVICE i64 block_x() { return __nvvm_read_ptx_sreg_ctaid_x(); }
DEVICE i64 block_y() { return __nvvm_read_ptx_sreg_ctaid_y(); }
DEVICE i64 block_z() { return __nvvm_read_ptx_sreg_ctaid_z(); }
DEVICE i64 blocks_x() { return __nvvm_read_ptx_sreg_nctaid_x(); }
DEVICE i64 blocks_y() { return __nvvm_read_ptx_sreg_nctaid_y(); }

DEVICE void sync() { asm volatile("bar.sync 0;" ::: "memory"); }
DEVICE void sync_warp() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }

// Programmatic dependent launch, from compute capability 9.0 on: next() lets the next
// kernel of the stream start while this one runs; wait() returns once all kernels before
// this one have finished and their writes are visible. Every kernel calls wait() before it
// touches anything that an operation may have written; before that it may read weights
// only. Since every kernel waits, one that has waited knows that all before it are done,
// not just the last. A kernel that calls next() behind wait() lets the one after it start only
// when those before it are done, so that this may read what they wrote (mixture_down.cu does).
//
// One PTX serves all: it is made for 8.0 with these instructions as comments,
// and on 9.0 the loader (ptx.go) uncomments them and raises the target.
DEVICE void next() { asm volatile("//sm_90 griddepcontrol.launch_dependents;" ::: "memory"); }
DEVICE void wait() { asm volatile("//sm_90 griddepcontrol.wait;" ::: "memory"); }

// Element types. f16 and bf16 are bits; arithmetic is float.
struct f16 { u16 bits; };
struct bf16 { u16 bits; };

DEVICE float to_float(float x) { return x; }
DEVICE float to_float(f16 x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits)); return y; }
DEVICE float to_float(bf16 x) { return __builtin_bit_cast(float, (u32)x.bits << 16); }
DEVICE void from_float(float &d, float x) { d = x; }
DEVICE void from_float(f16 &d, float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(d.bits) : "f"(x)); }
DEVICE void from_float(bf16 &d, float x) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(d.bits) : "f"(x)); }

// Two 16-bit elements in a word, the first in the low half.
template <typename T> DEVICE u32 pack(float a, float b);
template <> DEVICE u32 pack<bf16>(float a, float b) { u32 r; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(b), "f"(a)); return r; }
template <> DEVICE u32 pack<f16>(float a, float b) { u32 r; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(b), "f"(a)); return r; }
template <typename T> DEVICE float low(u32 w);
template <typename T> DEVICE float high(u32 w);
template <> DEVICE float low<bf16>(u32 w) { return __builtin_bit_cast(float, w << 16); }
template <> DEVICE float high<bf16>(u32 w) { return __builtin_bit_cast(float, w & 0xffff0000u); }
template <> DEVICE float low<f16>(u32 w) { return to_float(f16{(u16)w}); }
template <> DEVICE float high<f16>(u32 w) { return to_float(f16{(u16)(w >> 16)}); }

// Eight consecutive elements as floats; p is aligned to 16 bytes.
DEVICE void load8(float (&v)[8], const float *p) {
  f32x4 a = *(const f32x4 *)p, b = *(const f32x4 *)(p + 4);
  UNROLL for (int i = 0; i < 4; i++) { v[i] = a[i]; v[4 + i] = b[i]; }
}
template <typename T> DEVICE void unpack8(float (&v)[8], u32x4 w) {
  UNROLL for (int i = 0; i < 4; i++) { v[2 * i] = low<T>(w[i]); v[2 * i + 1] = high<T>(w[i]); }
}
DEVICE void load8(float (&v)[8], const bf16 *p) { unpack8<bf16>(v, *(const u32x4 *)p); }
DEVICE void load8(float (&v)[8], const f16 *p) { unpack8<f16>(v, *(const u32x4 *)p); }
DEVICE void store8(float *p, const float (&v)[8]) {
  *(f32x4 *)p = f32x4{v[0], v[1], v[2], v[3]};
  *(f32x4 *)(p + 4) = f32x4{v[4], v[5], v[6], v[7]};
}
template <typename T> DEVICE void store8(T *p, const float (&v)[8]) {
  *(u32x4 *)p = u32x4{pack<T>(v[0], v[1]), pack<T>(v[2], v[3]), pack<T>(v[4], v[5]), pack<T>(v[6], v[7])};
}
// The same for any alignment, near the end of a row: element i exists where i < left.
template <typename T> DEVICE void load8_edge(float (&v)[8], const T *p, int left) {
  UNROLL for (int i = 0; i < 8; i++) v[i] = i < left ? to_float(p[i]) : 0.f;
}

// Eight elements of a row, column c of c, c+8, …, in the order in which matmul_wide_sm90a.cu wants
// x: of each 32, the first words of four pieces of 16 bytes, then the second, the third, the
// fourth. row is the row there.
template <typename T> DEVICE void store8_ordered(T *row, i64 c, const float (&v)[8]) {
  u32 *to = (u32 *)(row + c / 32 * 32) + c / 8 % 4;
  UNROLL for (int i = 0; i < 4; i++) to[4 * i] = pack<T>(v[2 * i], v[2 * i + 1]);
}
DEVICE void store8_ordered(float *, i64, const float (&)[8]) {} // no such product in float

// Weights are read once: not kept in the L1 cache, and evicted first from L2.
DEVICE u32x4 stream16(const void *p) {
  u32x4 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
  return v;
}

// Exponential and logarithm of base 2 are the hardware's (2 ulp, log2 22 bits).
DEVICE float exp2(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
DEVICE float log2(float x) { float y; asm("lg2.approx.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
// e^x with the product x·log2(e) carried to twice float's precision, so that the
// error stays at that of exp2 for any x.
DEVICE float exp(float x) {
  const float hi = 1.44269502f, lo = 1.92596299e-8f;
  float y = x * hi, e = __builtin_fmaf(x, hi, -y);
  if (!(y > -150.f)) return x != x ? x : 0.f;
  if (y > 129.f) return INF;
  return exp2(y) * (1.f + 0.693147181f * __builtin_fmaf(x, lo, e));
}
DEVICE float sqrt(float x) { float y; asm("sqrt.rn.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
DEVICE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEVICE float max(float a, float b) { return __builtin_fmaxf(a, b); }
DEVICE int min(int a, int b) { return a < b ? a : b; }
DEVICE int max(int a, int b) { return a > b ? a : b; }
DEVICE i64 min(i64 a, i64 b) { return a < b ? a : b; }
DEVICE i64 max(i64 a, i64 b) { return a > b ? a : b; }
const float LOG2E = 1.44269504f;

DEVICE float shuffle_xor(float v, int mask) { return __nvvm_shfl_sync_bfly_f32(~0u, v, mask, 31); }
DEVICE int from_lane(int v, int lane) { return __nvvm_shfl_sync_idx_i32(~0u, v, lane, 31); }
DEVICE float from_lane(float v, int lane) { return __nvvm_shfl_sync_idx_f32(~0u, v, lane, 31); }
DEVICE float sum_warp(float v) {
  UNROLL for (int m = 16; m; m >>= 1) v += shuffle_xor(v, m);
  return v;
}
DEVICE float max_warp(float v) {
  UNROLL for (int m = 16; m; m >>= 1) v = max(v, shuffle_xor(v, m));
  return v;
}
// Sum and maximum over the block, the same in every thread; scratch has 32
// floats and may be used again at once. The order is fixed: by the warps' numbers.
DEVICE float sum_block(float v, float *scratch) {
  v = sum_warp(v);
  if (lane() == 0) scratch[warp()] = v;
  sync();
  float s = lane() < threads() / 32 ? scratch[lane()] : 0.f;
  s = sum_warp(s);
  sync();
  return s;
}
DEVICE float max_block(float v, float *scratch) {
  v = max_warp(v);
  if (lane() == 0) scratch[warp()] = v;
  sync();
  float s = lane() < threads() / 32 ? scratch[lane()] : -INF;
  s = max_warp(s);
  sync();
  return s;
}

// Sixteen bytes of shared memory by one instruction, where the compiler would take halves; eight and four.
DEVICE u32x4 shared16(u32 from) {
  u32x4 v;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(from) : "memory");
  return v;
}
DEVICE u32x2 shared8(u32 from) {
  u32x2 v;
  asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "r"(from) : "memory");
  return v;
}
DEVICE u32 shared4(u32 from) {
  u32 v;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(from) : "memory");
  return v;
}
DEVICE u32 shared_address(const void *p) { return (u32)(u64)(__attribute__((address_space(3))) const void *)p; }

// 16 bytes on their way to shared memory, zeros where not on (cp.async).
DEVICE void copy16(u32 dst, const void *src, bool on) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(dst), "l"(src), "r"(on ? 16 : 0) : "memory");
}
DEVICE void copy4(u32 dst, const void *src) { asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(dst), "l"(src) : "memory"); }
DEVICE void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> DEVICE void copy_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

// mma.sync m16n8k16, float sums. Lane g·4+t (g = lane/4, t = lane%4) holds of A
// (16×16) rows g and g+8, columns 2t, 2t+1 and 2t+8, 2t+9: a[0] row g low
// columns, a[1] row g+8, a[2] row g high columns, a[3] row g+8; of B (16×8)
// column g, rows as A's columns; of C (16×8) rows g, g+8, columns 2t, 2t+1.
template <typename T> DEVICE void mma(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1);
#define MMA(type, name)                                                                                       \
  template <> DEVICE void mma<type>(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {          \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." name "." name ".f32 {%0,%1,%2,%3},{%4,%5,%6,%7},"  \
                 "{%8,%9},{%0,%1,%2,%3};"                                                                     \
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                             \
                 : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));                                     \
  }
MMA(bf16, "bf16")
MMA(f16, "f16")
// mma without volatile: the compiler may move it, and what is loaded beside it.
template <typename T> DEVICE void multiply(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1);
#define MULTIPLY(type, name)                                                                                       \
  template <> DEVICE void multiply<type>(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {          \
    asm("mma.sync.aligned.m16n8k16.row.col.f32." name "." name ".f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};" \
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));    \
  }
MULTIPLY(bf16, "bf16")
MULTIPLY(f16, "f16")
#undef MULTIPLY
