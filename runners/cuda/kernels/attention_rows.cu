// attention_rows: dst[h][i][j] = softmax_j(scale · q[i][h]·k[j]) for j < columns, the softmax
// over the keys that query i, at position start+i, may see; 0 for the others. q (m, heads, d),
// k (kvHeads, n, d), dst (heads, m, columns).
//
// attention_rows_products leaves scale · log2(e) · q·k of all m queries with the keys low …
// end-1 in products (heads, m, pitch), whatever they see: blockIdx.x is 256 keys, blockIdx.y
// the head. attention_rows_softmax, a block a row (blockIdx.x the query, blockIdx.y the head),
// makes shares of them.
//
// The kernels for 16-bit types need d to be a multiple of eight, at most 32·STEPS; _plain
// takes any type and size.
#include "keys.h"

const int warps = 8;

template <typename T, int STEPS, int NT>
DEVICE void attention_rows_products(float *products, i64 pitch, const T *q, const T *k, int m, int low, int end, i64 n, int heads, int kvHeads, int d, float scale, Way way) {
  next();
  wait();
  int head = (int)block_y(), g = lane() >> 2, t = lane() & 3;
  k += (i64)(head / (heads / kvHeads)) * n * d;
  q += (i64)head * d;
  products += (i64)head * m * pitch;
  scale *= LOG2E;
  Bend bend(scale, way);
  int begin = low + (int)block_x() * 256;
  Keys<T, STEPS, NT> keys;
  for (int key = begin + 8 * NT * warp(); key < min(begin + 256, end); key += 8 * NT * warps) {
    keys.load(k, key, end, d);
    for (int i0 = 0; i0 < m; i0 += 16) {
      float c[NT][4];
      keys.logits(c, q, i0, m, (i64)heads * d, d);
      UNROLL for (int h = 0; h < 2; h++) {
        int i = i0 + g + 8 * h;
        if (i >= m) continue;
        UNROLL for (int j = 0; j < NT; j++) {
          int at = key + 8 * j + 2 * t - low; // even, as the pitch is
          if (at + low < end) *(f32x2 *)(products + i * pitch + at) = f32x2{bend(c[j][2 * h]) * scale, bend(c[j][2 * h + 1]) * scale};
        }
      }
    }
  }
}

template <typename T>
DEVICE void attention_rows_products_plain(float *products, i64 pitch, const T *q, const T *k, int m, int low, int end, i64 n, int heads, int kvHeads, int d, float scale, Way way) {
  next();
  wait();
  int head = (int)block_y(), key = low + (int)block_x() * 256 + thread();
  if (key >= end) return;
  k += ((i64)(head / (heads / kvHeads)) * n + key) * d;
  q += (i64)head * d;
  products += (i64)head * m * pitch + key - low;
  float units = scale * LOG2E;
  Bend bend(units, way);
  for (int i = 0; i < m; i++) {
    float s = 0.f;
    for (int e = 0; e < d; e++) s = fma(to_float(q[(i64)i * heads * d + e]), to_float(k[e]), s);
    products[i * pitch] = WAY == WAY_CAP ? bend(s) : s * scale * LOG2E;
  }
}

KERNEL __launch_bounds__(256) NAME(attention_rows_softmax)(float *dst, i64 columns, const float *products, i64 pitch, int low, int start, int window WAY_PARAMETERS) {
  __shared__ float scratch[32];
  next();
  wait();
  const int batch = 8; // loads in flight
  i64 row = block_y() * blocks_x() + block_x();
  int position = start + (int)block_x(), first = window > 0 ? max(0, position - window + 1) : 0;
  products += row * pitch - low;
  dst += row * columns;
  float m = -INF, s = 0.f;
  for (int j0 = first + thread(); j0 <= position; j0 += batch * 256) {
    float x[batch], high = m;
    UNROLL for (int u = 0; u < batch; u++) {
      x[u] = j0 + u * 256 <= position ? products[j0 + u * 256] : -INF;
      high = max(high, x[u]);
    }
    s *= exp2(m - high); // 0 where there was nothing: 2^-∞
    UNROLL for (int u = 0; u < batch; u++) s += exp2(x[u] - high);
    m = high;
  }
  float high = max_block(m, scratch);
  float total = sum_block(m == -INF ? 0.f : s * exp2(m - high), scratch);
  if constexpr (WAY != WAY_PLAIN) settle(high, total, sink(WAY_ARGUMENTS, (int)block_y()));
  float share = 1.f / total;
  for (i64 j0 = thread(); j0 < columns; j0 += batch * 256) {
    float x[batch];
    UNROLL for (int u = 0; u < batch; u++) {
      i64 j = j0 + u * 256;
      x[u] = j >= first && j <= position && j < columns ? exp2(products[j] - high) * share : 0.f;
    }
    UNROLL for (int u = 0; u < batch; u++)
      if (j0 + u * 256 < columns) dst[j0 + u * 256] = x[u];
  }
}

#define INSTANCE(T, name, version, ...) \
  KERNEL __launch_bounds__(256, 2) NAME(attention_rows_products_##name)(float *products, i64 pitch, const T *q, const T *k, int m, int low, int end, i64 n, int heads, \
      int kvHeads, int d, float scale WAY_PARAMETERS) { \
    attention_rows_products##version<__VA_ARGS__>(products, pitch, q, k, m, low, end, n, heads, kvHeads, d, scale, WAY_ARGUMENTS); \
  }
#if WAY != WAY_SINKS // whose products are the plain ones
INSTANCE(f16, 64_f16, , f16, 2, 4)
INSTANCE(f16, 128_f16, , f16, 4, 4)
INSTANCE(f16, 256_f16, , f16, 8, 2)
INSTANCE(bf16, 64_bf16, , bf16, 2, 4)
INSTANCE(bf16, 128_bf16, , bf16, 4, 4)
INSTANCE(bf16, 256_bf16, , bf16, 8, 2)
INSTANCE(f16, plain_f16, _plain, f16)
INSTANCE(bf16, plain_bf16, _plain, bf16)
INSTANCE(float, plain_f32, _plain, float)
#endif
