// swiglu, geglu, clamped: dst[i][j] = a(gateUp[i][j], gateUp[i][ff+j]) (engine.ActivationKind). dst (m, ff), gateUp
// (m, 2·ff); total = m·ff. With vec, ff is a multiple of eight, and the results go to ordered, too,
// if that is not null, in the order of matmul_wide_sm90a.cu. alpha and limit are the clamped one's.
#include "activation.h"

template <typename T, typename Activation> DEVICE void gate(T *dst, T *ordered, const T *gateUp, i64 total, int ff, int vec, Activation join) {
  next();
  wait();
  i64 at = block_x() * threads() + thread();
  if (vec) {
    at *= 8;
    if (at >= total) return;
    i64 row = at / ff, j = at - row * ff;
    float g[8], u[8];
    load8(g, gateUp + row * 2 * ff + j);
    load8(u, gateUp + row * 2 * ff + ff + j);
    UNROLL for (int e = 0; e < 8; e++) g[e] = join(g[e], u[e]);
    store8(dst + at, g);
    if (ordered) store8_ordered(ordered + row * ff, j, g);
    return;
  }
  if (at >= total) return;
  i64 row = at / ff, j = at - row * ff;
  from_float(dst[at], join(to_float(gateUp[row * 2 * ff + j]), to_float(gateUp[row * 2 * ff + ff + j])));
}

#define INSTANCE(T, name) \
  KERNEL swiglu_##name(T *dst, T *ordered, const T *gateUp, i64 total, int ff, int vec) { gate(dst, ordered, gateUp, total, ff, vec, SwiGLU{}); } \
  KERNEL geglu_##name(T *dst, T *ordered, const T *gateUp, i64 total, int ff, int vec) { gate(dst, ordered, gateUp, total, ff, vec, TanhGEGLU{}); } \
  KERNEL clamped_##name(T *dst, T *ordered, const T *gateUp, i64 total, int ff, int vec, float alpha, float limit) { \
    gate(dst, ordered, gateUp, total, ff, vec, ClampedSwiGLU{alpha, limit}); \
  }
INSTANCE(float, f32)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
