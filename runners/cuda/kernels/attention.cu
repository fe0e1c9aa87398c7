// attention: causal attention of the queries at positions start … start+m over rows
// 0 … start+m of one layer's keys and values, grouped queries, optional sliding
// window. out and q (m, heads, d), k and v (kvHeads, n, d). Softmax in one pass
// (FlashAttention-2, arXiv 2307.08691), float sums.
//
// lse (heads, lsePitch), where it is not null, gets each row's logarithm of the sum of powers,
// both of base 2: of Σ_j 2^(scale·LOG2E·q·k[j]). Where out is null that is all.
//
// A row's bits do not depend on the other rows: keys are taken in blocks that start
// at multiples of their number, and a block that a row does not see changes nothing.
//
// attention_mma: 16-bit types, d a multiple of eight. Four warps have 16 queries
// each; keys come through cp.async, 64 at a time (32 where D is 256). D is d rounded up;
// the columns past d are zeros.
// attention_plain: any type and size, one warp per query; for judging.
#include "way.h"

extern __shared__ u32x4 dynamic[];

DEVICE void matrices(u32 (&r)[4], u32 at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at) : "memory");
}
DEVICE void matrices_transposed(u32 (&r)[4], u32 at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at) : "memory");
}

template <typename T, int D, int KEYS>
DEVICE void attention_mma(T *out, float *lse, int lsePitch, const T *q, const T *k, const T *v, int m, int start, i64 n, int heads, int kvHeads,
                          int d, int window, float scale, Way way) {
  const int queries = 64, pitch = (D + 8) * 2; // bytes of a row in shared memory: no two of eight consecutive rows share a bank
  next();
  wait();
  int head = (int)block_y(), tile = (int)(blocks_x() - 1 - block_x()); // the longest rows first
  int first = tile * queries, kv = head / (heads / kvHeads);
  k += kv * n * d;
  v += kv * n * d;
  u32 sq = shared_address(dynamic), sk = sq + queries * pitch, sv = sk + KEYS * pitch;
  auto load = [&](u32 dst, const T *src, i64 stride, int row, int rows, int count) INLINE {
    for (int i = thread(); i < count * (D / 8); i += threads()) {
      int r = i / (D / 8), c = i % (D / 8) * 8;
      bool on = row + r < rows && c < d;
      copy16(dst + r * pitch + c * 2, src + (on ? (i64)(row + r) * stride + c : 0), on);
    }
    copy_commit();
  };
  int end = min(start + first + queries, start + m);           // keys below this are needed
  int begin = window > 0 ? max(0, start + first - window + 1) : 0; // and from this on
  begin = begin / KEYS * KEYS;
  load(sq, q + (i64)head * d, (i64)heads * d, first, m, queries);
  load(sk, k, d, begin, start + m, KEYS);

  int l = lane(), g = l >> 2, t = l & 3;
  int row0 = start + first + 16 * warp() + g; // position of the lane's first query; its second is eight further on
  float sum[D / 8][4], top[2] = {-INF, -INF}, total[2] = {0.f, 0.f};
  UNROLL for (int j = 0; j < D / 8; j++) UNROLL for (int e = 0; e < 4; e++) sum[j][e] = 0.f;
  scale *= LOG2E;
  Bend bend(scale, way);
  // Addresses for ldmatrix: queries and values take rows by lane%16, keys by column halves.
  u32 aq = sq + (16 * warp() + (l & 15)) * pitch + (l >> 4) * 16;
  u32 ak = sk + ((l >> 4) * 8 + (l & 7)) * pitch + ((l >> 3) & 1) * 16;
  u32 av = sv + (l & 15) * pitch + (l >> 4) * 16;
  for (int key = begin; key < end; key += KEYS) {
    load(sv, v, d, key, start + m, KEYS);
    copy_wait<1>();
    sync();
    float s[KEYS / 8][4];
    UNROLL for (int j = 0; j < KEYS / 8; j++) UNROLL for (int e = 0; e < 4; e++) s[j][e] = 0.f;
    UNROLL for (int c = 0; c < D / 16; c++) {
      u32 a[4];
      matrices(a, aq + c * 32);
      UNROLL for (int j = 0; j < KEYS / 16; j++) {
        u32 b[4];
        matrices(b, ak + j * 16 * pitch + c * 32);
        mma<T>(s[2 * j], a[0], a[1], a[2], a[3], b[0], b[1]);
        mma<T>(s[2 * j + 1], a[0], a[1], a[2], a[3], b[2], b[3]);
      }
    }
    sync();
    if (key + KEYS < end) load(sk, k, d, key + KEYS, start + m, KEYS);
    else copy_commit();
    float factor[2];
    UNROLL for (int h = 0; h < 2; h++) {
      int position = row0 + 8 * h;
      float high = top[h];
      UNROLL for (int j = 0; j < KEYS / 8; j++)
        UNROLL for (int e = 0; e < 2; e++) {
          int at = key + 8 * j + 2 * t + e;
          float &x = s[j][2 * h + e];
          x = bend(x);
          if (at > position || (window > 0 && at <= position - window)) x = -INF;
          high = max(high, x);
        }
      high = max(high, shuffle_xor(high, 1));
      high = max(high, shuffle_xor(high, 2));
      float base = high == -INF ? 0.f : high * scale; // nothing seen yet
      factor[h] = top[h] == high ? 1.f : exp2((top[h] - high) * scale); // exactly one where nothing changed
      top[h] = high;
      float add = 0.f;
      UNROLL for (int j = 0; j < KEYS / 8; j++)
        UNROLL for (int e = 0; e < 2; e++) {
          float &x = s[j][2 * h + e];
          x = exp2(fma(x, scale, -base));
          add += x;
        }
      total[h] = total[h] * factor[h] + add;
    }
    UNROLL for (int j = 0; j < D / 8; j++) {
      sum[j][0] *= factor[0], sum[j][1] *= factor[0];
      sum[j][2] *= factor[1], sum[j][3] *= factor[1];
    }
    copy_wait<1>();
    sync();
    UNROLL for (int c = 0; c < KEYS / 16; c++) {
      u32 a0 = pack<T>(s[2 * c][0], s[2 * c][1]), a1 = pack<T>(s[2 * c][2], s[2 * c][3]);
      u32 a2 = pack<T>(s[2 * c + 1][0], s[2 * c + 1][1]), a3 = pack<T>(s[2 * c + 1][2], s[2 * c + 1][3]);
      UNROLL for (int j = 0; j < D / 16; j++) {
        u32 b[4];
        matrices_transposed(b, av + c * 16 * pitch + j * 32);
        mma<T>(sum[2 * j], a0, a1, a2, a3, b[0], b[1]);
        mma<T>(sum[2 * j + 1], a0, a1, a2, a3, b[2], b[3]);
      }
    }
    sync();
  }
  copy_wait<0>();
  UNROLL for (int h = 0; h < 2; h++) {
    total[h] += shuffle_xor(total[h], 1);
    total[h] += shuffle_xor(total[h], 2);
    int row = row0 + 8 * h - start;
    if (row >= m) continue;
    float base = top[h] * scale, r = 1.f;
    if constexpr (WAY != WAY_PLAIN) r = settle(base, total[h], sink(way, head));
    if (lse && t == 0) lse[(i64)head * lsePitch + row] = WAY == WAY_PLAIN ? fma(top[h], scale, log2(total[h])) : base + log2(total[h]);
    if (!out) continue;
    r /= total[h];
    T *to = out + ((i64)row * heads + head) * d;
    UNROLL for (int j = 0; j < D / 8; j++) {
      int c = 8 * j + 2 * t;
      if (c < d) *(u32 *)(to + c) = pack<T>(sum[j][2 * h] * r, sum[j][2 * h + 1] * r);
    }
  }
}

template <typename T>
DEVICE void attention_plain(T *out, float *lse, int lsePitch, const T *q, const T *k, const T *v, int m, int start, i64 n, int heads, int kvHeads,
                            int d, int window, float scale, Way way) {
  const int keys = 32;
  next();
  wait();
  int warps = threads() / 32, head = (int)block_y(), kv = head / (heads / kvHeads), pitch = d + 1;
  int first = (int)(blocks_x() - 1 - block_x()) * warps, row = first + warp(), position = start + row;
  k += kv * n * d;
  v += kv * n * d;
  scale *= LOG2E;
  Bend bend(scale, way);
  float *sq = (float *)dynamic, *sk = sq + warps * d, *sv = sk + keys * pitch;
  for (int i = thread(); i < warps * d; i += threads())
    sq[i] = first + i / d < m ? to_float(q[((i64)(first + i / d) * heads + head) * d + i % d]) * scale : 0.f;
  int end = min(start + first + warps, start + m);
  int begin = window > 0 ? max(0, start + first - window + 1) / keys * keys : 0;
  float sum[8] = {0, 0, 0, 0, 0, 0, 0, 0}, top = -INF, total = 0.f;
  for (int key = begin; key < end; key += keys) {
    sync();
    for (int i = thread(); i < keys * d; i += threads()) {
      bool on = key + i / d < end;
      sk[i / d * pitch + i % d] = on ? to_float(k[(i64)key * d + i]) : 0.f;
      sv[i / d * pitch + i % d] = on ? to_float(v[(i64)key * d + i]) : 0.f;
    }
    sync();
    int at = key + lane();
    float s = 0.f;
    for (int e = 0; e < d; e++) s = fma(sq[warp() * d + e], sk[lane() * pitch + e], s);
    s = bend(s);
    if (at > position || at >= end || (window > 0 && at <= position - window)) s = -INF;
    float high = max(top, max_warp(s)), base = high == -INF ? 0.f : high;
    float factor = exp2(top - base), p = exp2(s - base);
    top = high;
    total = total * factor + sum_warp(p);
    UNROLL for (int c = 0; c < 8; c++) sum[c] *= factor;
    for (int j = 0; j < keys; j++) {
      float pj = __nvvm_shfl_sync_idx_f32(~0u, p, j, 31);
      UNROLL for (int c = 0; c < 8; c++)
        if (lane() + 32 * c < d) sum[c] = fma(pj, sv[j * pitch + lane() + 32 * c], sum[c]);
    }
  }
  if (row >= m) return;
  float part = 1.f;
  if constexpr (WAY != WAY_PLAIN) part = settle(top, total, sink(way, head));
  if (lse && lane() == 0) lse[(i64)head * lsePitch + row] = top + log2(total);
  if (!out) return;
  UNROLL for (int c = 0; c < 8; c++)
    if (lane() + 32 * c < d) from_float(out[((i64)row * heads + head) * d + lane() + 32 * c], sum[c] * part / total);
}

#define ARGUMENTS(T) T *out, float *lse, int lsePitch, const T *q, const T *k, const T *v, int m, int start, i64 n, int heads, int kvHeads, int d, int window, float scale WAY_PARAMETERS
#define MMA_KERNEL(T, name, D, KEYS) \
  KERNEL __launch_bounds__(128) NAME(attention_mma_##D##_##name)(ARGUMENTS(T)) { \
    attention_mma<T, D, KEYS>(out, lse, lsePitch, q, k, v, m, start, n, heads, kvHeads, d, window, scale, WAY_ARGUMENTS); \
  }
#define ANY_SIZE(T, name) \
  KERNEL __launch_bounds__(256) NAME(attention_plain_##name)(ARGUMENTS(T)) { \
    attention_plain(out, lse, lsePitch, q, k, v, m, start, n, heads, kvHeads, d, window, scale, WAY_ARGUMENTS); \
  }
#define INSTANCE(T, name) MMA_KERNEL(T, name, 32, 64) MMA_KERNEL(T, name, 64, 64) MMA_KERNEL(T, name, 96, 64) \
  MMA_KERNEL(T, name, 128, 64) MMA_KERNEL(T, name, 256, 32) ANY_SIZE(T, name)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
ANY_SIZE(float, f32)
