// matmul_geglu, matmul_clamped: matmul_swiglu of matmul_sm90a.cu with the other activations, in a
// file of their own so that a model loads what it needs.
//
//   dst (m, ff) = a(x·gateᵀ, x·upᵀ), w being gate's rows and then up's
//   …_experts   the same for the rows of each expert after those of the one before
//
// alpha and limit are the clamped one's.
#include "tiles.h"

#define GATED(T, name, kind, join, ...) \
  ENTRY matmul_##kind##_##name(Map x, Map w, T *dst, int m, int ff, int cols __VA_ARGS__) { \
    gated<T>(MAP("matmul_" #kind "_" #name, 0), MAP("matmul_" #kind "_" #name, 1), dst, {m, nullptr, 0, 1, 0, nullptr}, ff, cols, join); \
  } \
  ENTRY matmul_##kind##_experts_##name(Map x, Maps w, T *dst, const int *counts, const Rows::Expert *table, int skip, int number, int apart, int ff, int cols __VA_ARGS__) { \
    gated<T>(MAP("matmul_" #kind "_experts_" #name, 0), MAP("matmul_" #kind "_experts_" #name, 1), dst, {0, counts, skip, number, apart, table}, ff, cols, join); \
  }
#define INSTANCE(T, name) \
  GATED(T, name, geglu, TanhGEGLU{}) \
  GATED(T, name, clamped, (ClampedSwiGLU{alpha, limit}), , float alpha, float limit)
INSTANCE(bf16, bf16)
INSTANCE(f16, f16)
