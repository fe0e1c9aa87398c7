// swiglu: dst[i][j] = silu(gateUp[i][j]) · gateUp[i][ff+j]. dst (m, ff), gateUp
// (m, 2·ff); total = m·ff. With vec, ff is a multiple of eight,
// and the results go to ordered, too, if that is not null, in the order of matmul_wide_sm90a.cu.
#include "device.h"

DEVICE float silu(float x) { return x / (1.f + exp(-x)); }

template <typename T> DEVICE void swiglu(T *dst, T *ordered, const T *gateUp, i64 total, int ff, int vec) {
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
    UNROLL for (int e = 0; e < 8; e++) g[e] = silu(g[e]) * u[e];
    store8(dst + at, g);
    if (ordered) store8_ordered(ordered + row * ff, j, g);
    return;
  }
  if (at >= total) return;
  i64 row = at / ff, j = at - row * ff;
  from_float(dst[at], silu(to_float(gateUp[row * 2 * ff + j])) * to_float(gateUp[row * 2 * ff + ff + j]));
}

#define INSTANCE(T, name) \
  KERNEL swiglu_##name(T *dst, T *ordered, const T *gateUp, i64 total, int ff, int vec) { swiglu(dst, ordered, gateUp, total, ff, vec); }
INSTANCE(float, f32)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
