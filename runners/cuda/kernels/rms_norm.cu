// rms_norm: dst[i] = x[i] / sqrt(mean(x[i]²) + eps) · weight, one block a row; rms_norm_add: dst[i] += that.
// dst and x (m, width), weight (width) float. Rounded once. With vec the width is
// a multiple of eight and every row aligned: a thread keeps its first 16
// elements in registers, so a row is read once up to 16 · threads.
#include "device.h"

template <bool Add, typename T> DEVICE void store(T *dst, float (&v)[8]) {
  if (Add) {
    float d[8];
    load8(d, dst);
    UNROLL for (int e = 0; e < 8; e++) v[e] += d[e];
  }
  store8(dst, v);
}

const int kept = 2; // vectors of eight that a thread keeps

template <bool Add, typename T> DEVICE void rms_norm(T *dst, const T *x, const float *weight, i64 width, float eps, int vec) {
  __shared__ float scratch[32];
  next();
  float v[kept][8], w[kept][8];
  i64 step = 8 * (i64)threads();
  if (vec) {
    UNROLL for (int j = 0; j < kept; j++) { // weights may be read before wait()
      i64 i = 8 * (i64)thread() + j * step;
      if (i < width) load8(w[j], weight + i);
    }
  }
  wait();
  x += block_x() * width;
  dst += block_x() * width;
  float s = 0.f;
  if (vec) {
    UNROLL for (int j = 0; j < kept; j++) {
      i64 i = 8 * (i64)thread() + j * step;
      if (i < width) {
        load8(v[j], x + i);
        UNROLL for (int e = 0; e < 8; e++) s = fma(v[j][e], v[j][e], s);
      }
    }
    for (i64 i = 8 * (i64)thread() + kept * step; i < width; i += step) {
      float y[8];
      load8(y, x + i);
      UNROLL for (int e = 0; e < 8; e++) s = fma(y[e], y[e], s);
    }
    float r = 1.f / sqrt(sum_block(s, scratch) / (float)width + eps);
    UNROLL for (int j = 0; j < kept; j++) {
      i64 i = 8 * (i64)thread() + j * step;
      if (i < width) {
        UNROLL for (int e = 0; e < 8; e++) w[j][e] *= v[j][e] * r;
        store<Add>(dst + i, w[j]);
      }
    }
    for (i64 i = 8 * (i64)thread() + kept * step; i < width; i += step) {
      float y[8], w[8];
      load8(y, x + i);
      load8(w, weight + i);
      UNROLL for (int e = 0; e < 8; e++) w[e] *= y[e] * r;
      store<Add>(dst + i, w);
    }
    return;
  }
  for (i64 i = thread(); i < width; i += threads()) {
    float v = to_float(x[i]);
    s = fma(v, v, s);
  }
  float r = 1.f / sqrt(sum_block(s, scratch) / (float)width + eps);
  for (i64 i = thread(); i < width; i += threads()) from_float(dst[i], (Add ? to_float(dst[i]) : 0.f) + to_float(x[i]) * r * weight[i]);
}

#define INSTANCE(T, name) \
  KERNEL rms_norm_##name(T *dst, const T *x, const float *weight, i64 width, float eps, int vec) { \
    rms_norm<false>(dst, x, weight, width, eps, vec); \
  } \
  KERNEL rms_norm_add_##name(T *dst, const T *x, const float *weight, i64 width, float eps, int vec) { \
    rms_norm<true>(dst, x, weight, width, eps, vec); \
  }
INSTANCE(float, f32)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
