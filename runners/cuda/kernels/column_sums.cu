// column_sums: what the queries at positions start … start+m pay to each key,
// dst[h][j] = (j < start ? dst[h][j] : 0) + Σ_i 2^(scale·LOG2E·q[i][h]·k[j] - lse[h][i]),
// j < start+m, over the queries that may see the key. dst (heads, n), q (m, heads, d),
// k (kvHeads, n, d); lse (heads, pitch) from attention. No query sees a key before low.
//
// A key's sum is one warp's or one block's, which takes the queries in their order.
//
// column_sums_mma: 16-bit types, d a multiple of eight, at most 32·STEPS. A warp has 8·NT
// keys, a block four. column_sums_plain: any type and size, 32 keys a block; for judging.
#include "keys.h"

template <typename T, int STEPS, int NT>
DEVICE void column_sums_mma(float *dst, const float *lse, int pitch, const T *q, const T *k, int m, int start, i64 n, int heads, int kvHeads,
                            int d, int low, int window, float scale, Way way) {
  next();
  wait();
  int head = (int)block_y(), g = lane() >> 2, t = lane() & 3, end = start + m;
  int key = low + ((int)block_x() * threads() / 32 + warp()) * 8 * NT, nearest = key + 8 * NT - 1;
  if (key >= end) return;
  k += head / (heads / kvHeads) * n * d;
  q += (i64)head * d;
  lse += (i64)head * pitch;
  dst += head * n;
  scale *= LOG2E;
  Bend bend(scale, way);
  Keys<T, STEPS, NT> keys;
  keys.load(k, key, end, d);
  float sum[NT][2];
  UNROLL for (int j = 0; j < NT; j++) sum[j][0] = sum[j][1] = 0.f;
  int last = window > 0 ? min(m, nearest + window - start) : m;
  for (int i0 = max(0, key - start) & ~15; i0 < last; i0 += 16) {
    float c[NT][4];
    keys.logits(c, q, i0, m, (i64)heads * d, d);
    bool whole = start + i0 >= nearest && (window <= 0 || start + i0 + 15 < key + window); // every query sees every key
    UNROLL for (int h = 0; h < 2; h++) {
      int i = i0 + g + 8 * h;
      float l = i < m ? lse[i] : INF;
      UNROLL for (int j = 0; j < NT; j++)
        UNROLL for (int e = 0; e < 2; e++) {
          float p = exp2(fma(bend(c[j][2 * h + e]), scale, -l));
          if (!whole && !sees(start + i, key + 8 * j + 2 * t + e, window)) p = 0.f;
          sum[j][e] += p;
        }
    }
  }
  UNROLL for (int j = 0; j < NT; j++)
    UNROLL for (int e = 0; e < 2; e++) {
      float s = sum[j][e];
      s += shuffle_xor(s, 4);
      s += shuffle_xor(s, 8);
      s += shuffle_xor(s, 16);
      int at = key + 8 * j + 2 * t + e;
      if (g == 0 && at < end) dst[at] = (at < start ? dst[at] : 0.f) + s;
    }
}

extern __shared__ float dynamic[];

template <typename T>
DEVICE void column_sums_plain(float *dst, const float *lse, int pitch, const T *q, const T *k, int m, int start, i64 n, int heads, int kvHeads,
                              int d, int low, int window, float scale, Way way) {
  const int keys = 32, warps = 8;
  __shared__ float sums[warps][keys];
  next();
  wait();
  int head = (int)block_y(), key = low + (int)block_x() * keys, at = key + lane(), end = start + m, width = d + 1;
  k += head / (heads / kvHeads) * n * d;
  q += (i64)head * d;
  lse += (i64)head * pitch;
  scale *= LOG2E;
  Bend bend(scale, way);
  float *sq = dynamic, *sk = sq + warps * d;
  for (int i = thread(); i < keys * d; i += threads()) sk[i / d * width + i % d] = key + i / d < end ? to_float(k[(i64)key * d + i]) : 0.f;
  int last = window > 0 ? min(m, key + keys - 1 + window - start) : m;
  float sum = 0.f;
  for (int i0 = max(0, key - start); i0 < last; i0 += warps) {
    sync();
    for (int i = thread(); i < warps * d; i += threads())
      sq[i] = i0 + i / d < m ? to_float(q[(i64)(i0 + i / d) * heads * d + i % d]) * scale : 0.f;
    sync();
    int i = i0 + warp();
    float s = 0.f;
    for (int e = 0; e < d; e++) s = fma(sq[warp() * d + e], sk[lane() * width + e], s);
    if (i < m && sees(start + i, at, window)) sum += exp2(bend(s) - lse[i]);
  }
  sums[warp()][lane()] = sum;
  sync();
  if (warp() > 0 || at >= end) return;
  float s = 0.f;
  UNROLL for (int w = 0; w < warps; w++) s += sums[w][lane()];
  dst += head * n + at;
  dst[0] = (at < start ? dst[0] : 0.f) + s;
}

#define ONE(T, name, bounds, version, ...) \
  KERNEL __launch_bounds__ bounds NAME(column_sums_##name)(float *dst, const float *lse, int pitch, const T *q, const T *k, int m, int start, i64 n, int heads, int kvHeads, \
      int d, int low, int window, float scale WAY_PARAMETERS) { \
    column_sums_##version<__VA_ARGS__>(dst, lse, pitch, q, k, m, start, n, heads, kvHeads, d, low, window, scale, WAY_ARGUMENTS); \
  }
#define INSTANCE(T, name) ONE(T, mma_64_##name, (128, 3), mma, T, 2, 4) ONE(T, mma_128_##name, (128, 3), mma, T, 4, 4) ONE(T, mma_256_##name, (128, 3), mma, T, 8, 2) \
  ONE(T, plain_##name, (256), plain, T)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
ONE(float, plain_f32, (256), plain, float)
