// rotate takes fused projections apart: qkv (m, (heads+2·kvHeads)·d), a row being
// queries, keys, values; q and k are normalised where a norm is given, turned by
// their positions, and written to q (m, heads, d) and rows of the keys; values
// are copied. Rounded once. A block has four tokens (rotate), or some heads of one
// (rotate_append).
//
// Pair i of a head's `half` pairs is (i, i+half), its angle float(position)·frequency[i],
// rounded to float as transformers has it; cosine and sine are then computed in double
// precision, so that a position of a million is as exact as the first. What is behind the
// pairs is not turned. Positions from `from` on have the second `half` frequencies.
#include "batch.h"

extern __shared__ float turns[]; // a token's cosines (half), sines (half)

DEVICE void cosine_sine(float &c, float &s, float angle) {
  double x = angle, k = __builtin_rint(x * 0x1.45f306dc9c883p-1);
  double r = __builtin_fma(-k, 0x1.921fb54442d18p0, x);
  r = __builtin_fma(-k, 0x1.1a62633145c07p-54, r);
  double z = r * r;
  double ps = -1. / 1307674368000., pc = -1. / 87178291200.;
  ps = __builtin_fma(ps, z, 1. / 6227020800.), pc = __builtin_fma(pc, z, 1. / 479001600.);
  ps = __builtin_fma(ps, z, -1. / 39916800.), pc = __builtin_fma(pc, z, -1. / 3628800.);
  ps = __builtin_fma(ps, z, 1. / 362880.), pc = __builtin_fma(pc, z, 1. / 40320.);
  ps = __builtin_fma(ps, z, -1. / 5040.), pc = __builtin_fma(pc, z, -1. / 720.);
  ps = __builtin_fma(ps, z, 1. / 120.), pc = __builtin_fma(pc, z, 1. / 24.);
  ps = __builtin_fma(ps, z, -1. / 6.), pc = __builtin_fma(pc, z, -.5);
  float sine = (float)__builtin_fma(r * z, ps, r), cosine = (float)__builtin_fma(pc, z, 1.);
  switch ((int)((i64)k & 3)) {
  case 0: c = cosine, s = sine; return;
  case 1: c = -sine, s = cosine; return;
  case 2: c = -cosine, s = -sine; return;
  default: c = sine, s = -cosine;
  }
}

struct Rotary {
  const float *frequencies;
  int half, from;
  float scale;
  DEVICE float angle(int i, int position) const { return (float)position * frequencies[position < from ? i : half + i]; }
};

DEVICE void prepare(Rotary r, int position) {
  int half = r.half;
  float scale = r.scale;
  for (int i = thread(); i < half; i += threads()) {
    float c, s;
    cosine_sine(c, s, r.angle(i, position));
    turns[i] = c * scale;
    turns[half + i] = s * scale;
  }
  sync();
}

DEVICE void load2(float &a, float &b, const float *p) { a = p[0], b = p[1]; }
DEVICE void load2(float &a, float &b, const bf16 *p) { u32 w = *(const u32 *)p; a = low<bf16>(w), b = high<bf16>(w); }
DEVICE void load2(float &a, float &b, const f16 *p) { u32 w = *(const u32 *)p; a = low<f16>(w), b = high<f16>(w); }
DEVICE void store2(float *p, float a, float b) { p[0] = a, p[1] = b; }
template <typename T> DEVICE void store2(T *p, float a, float b) { *(u32 *)p = pack<T>(a, b); }

// A warp turns one head. vec: d is a multiple of four and half of two (2: of sixteen and
// eight), and pointers are aligned.
template <typename T> DEVICE void turn(T *dst, const T *src, const float *turns, int half, int d, const float *norm, float eps, int vec) {
  float r = 1.f;
  if (norm) {
    float s = 0.f;
    for (int i = lane(); i < d; i += 32) {
      float v = to_float(src[i]);
      s = fma(v, v, s);
    }
    r = 1.f / sqrt(sum_warp(s) / (float)d + eps);
  }
  if (vec) {
    for (int i = 2 * lane(); i < half; i += 64) {
      float a0, a1, b0, b1;
      load2(a0, a1, src + i);
      load2(b0, b1, src + half + i);
      if (norm) a0 *= r * norm[i], a1 *= r * norm[i + 1], b0 *= r * norm[half + i], b1 *= r * norm[half + i + 1];
      float c0 = turns[i], c1 = turns[i + 1], s0 = turns[half + i], s1 = turns[half + i + 1];
      store2(dst + i, a0 * c0 - b0 * s0, a1 * c1 - b1 * s1);
      store2(dst + half + i, b0 * c0 + a0 * s0, b1 * c1 + a1 * s1);
    }
    for (int i = 2 * (half + lane()); i < d; i += 64) {
      float a, b;
      load2(a, b, src + i);
      if (norm) a *= r * norm[i], b *= r * norm[i + 1];
      store2(dst + i, a, b);
    }
    return;
  }
  for (int i = lane(); i < half; i += 32) {
    float a = to_float(src[i]), b = to_float(src[half + i]), c = turns[i], s = turns[half + i];
    if (norm) a *= r * norm[i], b *= r * norm[half + i];
    from_float(dst[i], a * c - b * s);
    from_float(dst[half + i], b * c + a * s);
  }
  for (int i = 2 * half + lane(); i < d; i += 32) {
    float a = to_float(src[i]);
    if (norm) a *= r * norm[i];
    from_float(dst[i], a);
  }
}
template <typename T> DEVICE void copy(T *dst, const T *src, int d, int vec) {
  if (vec) {
    for (int i = 2 * lane(); i < d; i += 64) {
      float a, b;
      load2(a, b, src + i);
      store2(dst + i, a, b);
    }
    return;
  }
  for (int i = lane(); i < d; i += 32) dst[i] = src[i];
}

const int tokens = 4; // of a block of rotate

template <typename T>
DEVICE void rotate(T *q, T *k, T *v, const T *qkv, Rotary rotary, const float *queryNorm, const float *keyNorm,
                   float eps, int start, i64 n, int heads, int kvHeads, int d, int m, int vec) {
  next();
  wait();
  int half = rotary.half, all = heads + 2 * kvHeads;
  i64 token0 = block_x() * tokens;
  int count = (int)min((i64)tokens, m - token0);
  for (int i = thread(); i < count * half; i += threads()) {
    float c, s;
    cosine_sine(c, s, rotary.angle(i % half, start + (int)token0 + i / half));
    turns[i / half * d + i % half] = c * rotary.scale;
    turns[i / half * d + half + i % half] = s * rotary.scale;
  }
  sync();
  auto source = [&](int token, int h) INLINE { return qkv + ((token0 + token) * all + h) * d; };
  auto target = [&](int token, int h) INLINE {
    i64 row = start + token0 + token;
    if (h < heads) return q + ((token0 + token) * heads + h) * d;
    h -= heads;
    return h < kvHeads ? k + (h * n + row) * d : v + ((h - kvHeads) * n + row) * d;
  };
  if (vec > 1 && !queryNorm && !keyNorm) { // eight pairs a thread, or sixteen numbers behind them
    int parts = d / 16;
    for (int i = thread(); i < count * all * parts; i += threads()) {
      int e = i % parts * 8, h = i / parts % all, token = i / parts / all, second = half;
      bool paired = e < half;
      if (!paired) e += e, second = 8;
      const T *src = source(token, h) + e;
      T *dst = target(token, h) + e;
      float a[8], b[8];
      load8(a, src);
      load8(b, src + second);
      if (paired && h < heads + kvHeads) {
        const float *turn = turns + token * d + e;
        UNROLL for (int j = 0; j < 8; j++) {
          float x = a[j], y = b[j], c = turn[j], s = turn[half + j];
          a[j] = x * c - y * s;
          b[j] = y * c + x * s;
        }
      }
      store8(dst, a);
      store8(dst + second, b);
    }
    return;
  }
  for (int i = warp(); i < count * all; i += threads() / 32) {
    int h = i % all, token = i / all;
    if (h < heads + kvHeads) turn(target(token, h), source(token, h), turns + token * d, half, d, h < heads ? queryNorm : keyNorm, eps, vec);
    else copy(target(token, h), source(token, h), d, vec);
  }
}

template <typename T>
DEVICE void rotate_append(T *q, const Row *rows, const Head *caches, const int *steps, const T *qkv, Rotary rotary,
                          const float *queryNorm, const float *keyNorm, float eps, int heads, int kvHeads, int d, int vec) {
  next();
  // What is read before wait() was written before this step (see advance).
  i64 token = block_x();
  Row row = rows[token];
  int now = *steps, h = (int)block_y() * (threads() / 32) + warp(), a = h - heads;
  Head cache = caches[row.first + max(0, min(a, row.heads - 1))];
  prepare(rotary, row.position + now);
  wait();
  qkv += token * (heads + 2 * kvHeads) * d;
  if (h < heads) {
    turn(q + (token * heads + h) * d, qkv + (i64)h * d, turns, rotary.half, d, queryNorm, eps, vec);
    return;
  }
  if (a >= row.heads) return;
  int kv = a / (row.heads / kvHeads);
  i64 at = cache.staged ? 0 : (i64)(cache.held + now) * d;
  if (cache.positions && lane() == 0) ((int *)cache.positions)[cache.held + now] = row.position + now;
  turn((T *)cache.k + at, qkv + (i64)(heads + kv) * d, turns, rotary.half, d, keyNorm, eps, vec);
  copy((T *)cache.v + at, qkv + (i64)(heads + kvHeads + kv) * d, d, vec);
}

// rotate_turns: cosine and sine of every position and pair, (m, half, 2), for a product
// that turns its own results (matmul_sm90a.cu).
KERNEL rotate_turns(float *to, const float *frequencies, int half, int from, float scale, int start, int m) {
  next();
  wait();
  i64 at = block_x() * threads() + thread();
  if (at >= (i64)m * half) return;
  float c, s;
  cosine_sine(c, s, Rotary{frequencies, half, from, scale}.angle((int)(at % half), start + (int)(at / half)));
  to[2 * at] = c * scale, to[2 * at + 1] = s * scale;
}

#define INSTANCE(T, name) \
  KERNEL __launch_bounds__(256) rotate_##name(T *q, T *k, T *v, const T *qkv, const float *frequencies, int half, int from, float scale, \
      const float *queryNorm, const float *keyNorm, float eps, int start, i64 n, int heads, int kvHeads, int d, int m, int vec) { \
    rotate(q, k, v, qkv, Rotary{frequencies, half, from, scale}, queryNorm, keyNorm, eps, start, n, heads, kvHeads, d, m, vec); \
  } \
  KERNEL rotate_append_##name(T *q, const Row *rows, const Head *caches, const int *steps, const T *qkv, \
      const float *frequencies, int half, int from, float scale, const float *queryNorm, const float *keyNorm, float eps, \
      int heads, int kvHeads, int d, int vec) { \
    rotate_append(q, rows, caches, steps, qkv, Rotary{frequencies, half, from, scale}, queryNorm, keyNorm, eps, heads, kvHeads, d, vec); \
  }
INSTANCE(float, f32)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
