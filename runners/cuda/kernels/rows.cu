// What is taken of the rows of keys or values, x (heads, n, d), d ≤ 256, as floats. A
// warp takes a row at a time, a lane eight numbers of it; vec: 16 bytes at a time.
#include "device.h"

template <typename T> DEVICE void load_row(float (&v)[8], const T *row, int d, bool vec) {
  int c = 8 * lane();
  UNROLL for (int i = 0; i < 8; i++) v[i] = 0.f;
  if (c >= d) return;
  if (vec) load8(v, row + c);
  else load8_edge(v, row + c, d - c);
}

DEVICE float dot8(const float (&a)[8], const float (&b)[8]) {
  float s = 0.f;
  UNROLL for (int i = 0; i < 8; i++) s = fma(a[i], b[i], s);
  return sum_warp(s);
}

// row_norms: dst[j] = ‖x[j]‖, over the rows of all heads. A block takes `each` rows.
template <typename T> DEVICE void row_norms(float *dst, const T *x, i64 rows, int d, int each, int vec) {
  next();
  wait();
  i64 end = min((block_x() + 1) * each, rows);
  for (i64 j = block_x() * each + warp(); j < end; j += threads() / 32) {
    float v[8];
    load_row(v, x + j * d, d, vec);
    float s = sqrt(dot8(v, v));
    if (lane() == 0) dst[j] = s;
  }
}

// row_dots: dst[g][j] = x[g][j]·v[g], with cosine divided by both lengths where they are
// not 0. blockIdx.y is the head.
template <typename T> DEVICE void row_dots(float *dst, const T *x, const float *v, i64 n, int d, int each, int cosine, int vec) {
  next();
  wait();
  i64 g = block_y(), end = min((block_x() + 1) * each, n);
  float with[8];
  load_row(with, v + g * d, d, false);
  float length = sqrt(dot8(with, with));
  for (i64 j = block_x() * each + warp(); j < end; j += threads() / 32) {
    float row[8];
    load_row(row, x + (g * n + j) * d, d, vec);
    float s = dot8(row, with);
    if (cosine) {
      float both = sqrt(dot8(row, row)) * length;
      if (both > 0.f) s /= both;
    }
    if (lane() == 0) dst[g * n + j] = s;
  }
}

// weighted_rows: partial[g][b] = Σ w[g][j]·x[g][j] over the `each` rows of block b;
// weighted_rows_join adds up the blocks' in their order: dst[g]. blockIdx.y is the head.
template <typename T> DEVICE void weighted_rows(float *partial, const T *x, const float *w, i64 n, int d, int each, int vec) {
  const int warps = 8;
  __shared__ float sums[warps][256];
  next();
  wait();
  i64 g = block_y(), end = min((block_x() + 1) * each, n);
  float sum[8];
  UNROLL for (int i = 0; i < 8; i++) sum[i] = 0.f;
  for (i64 j = block_x() * each + warp(); j < end; j += warps) {
    float row[8], weight = w[g * n + j];
    load_row(row, x + (g * n + j) * d, d, vec);
    UNROLL for (int i = 0; i < 8; i++) sum[i] = fma(weight, row[i], sum[i]);
  }
  UNROLL for (int i = 0; i < 8; i++) sums[warp()][8 * lane() + i] = sum[i];
  sync();
  if (thread() >= d) return;
  float s = 0.f;
  UNROLL for (int i = 0; i < warps; i++) s += sums[i][thread()];
  partial[(g * blocks_x() + block_x()) * d + thread()] = s;
}

KERNEL __launch_bounds__(256) weighted_rows_join(float *dst, const float *partial, int parts, int d) {
  next();
  wait();
  i64 g = block_x();
  if (thread() >= d) return;
  float s = 0.f;
  for (int b = 0; b < parts; b++) s += partial[(g * parts + b) * d + thread()];
  dst[g * d + thread()] = s;
}

#define INSTANCE(T, name) \
  KERNEL __launch_bounds__(256) row_norms_##name(float *dst, const T *x, i64 rows, int d, int each, int vec) { row_norms(dst, x, rows, d, each, vec); } \
  KERNEL __launch_bounds__(256) row_dots_##name(float *dst, const T *x, const float *v, i64 n, int d, int each, int cosine, int vec) { \
    row_dots(dst, x, v, n, d, each, cosine, vec); \
  } \
  KERNEL __launch_bounds__(256) weighted_rows_##name(float *partial, const T *x, const float *w, i64 n, int d, int each, int vec) { \
    weighted_rows(partial, x, w, n, d, each, vec); \
  }
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
INSTANCE(float, f32)
