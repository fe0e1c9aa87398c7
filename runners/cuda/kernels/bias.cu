// Bias for products that a library computes, which cannot add one to each row itself.
// bias_fill: dst[i][j] = bias[j]; the product is then added to it.
// bias_add: dst[i][j] += sum[i][j] + bias[j], rounded once; sum is float, bias
// may be null. dst and sum (m, rows), bias (rows) float; total = m·rows.
#include "device.h"

template <typename T> DEVICE void bias_fill(T *dst, const float *bias, i64 total, int rows) {
  next();
  wait();
  i64 at = block_x() * threads() + thread();
  if (at < total) from_float(dst[at], bias[at % rows]);
}
template <typename T> DEVICE void bias_add(T *dst, const float *sum, const float *bias, i64 total, int rows) {
  next();
  wait();
  i64 at = block_x() * threads() + thread();
  if (at < total) from_float(dst[at], to_float(dst[at]) + (sum[at] + (bias ? bias[at % rows] : 0.f)));
}

#define INSTANCE(T, name) \
  KERNEL bias_fill_##name(T *dst, const float *bias, i64 total, int rows) { bias_fill(dst, bias, total, rows); } \
  KERNEL bias_add_##name(T *dst, const float *sum, const float *bias, i64 total, int rows) { bias_add(dst, sum, bias, total, rows); }
INSTANCE(float, f32)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
