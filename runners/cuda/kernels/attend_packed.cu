// attend_packed: the attention of decoding over caches in formats, decoded in registers. A block
// has one query head of one row; its warps take every fourth key with a running softmax and
// are put together at the end. A row's bits depend on its own cache alone.
#include "formats.h"
#include "way.h"

struct Query {
  u64 k, v, positions;
  int held, position, query;
  Spec spec;
  float keyScale, valueScale;
  int zero;
};

const int warps = 4, most = mostNumbers;

// The block multiplies x (d) by what a turn multiplied vectors by, and where it is of the sums
// by its inverse: a product of a query with a turned key is that of the turned query with the key.
DEVICE void turn(float *x, int d, int turn, bool back) {
  if (turn == 0) return;
  int block = turn < 0 ? -turn : turn;
  float f = turn < 0 ? 1.f / (float)block : 1.f / sqrt((float)block);
  auto flip = [&](bool now) INLINE {
    for (int i = thread(); now && turn < 0 && i < d; i += threads())
      if (int4Sign(i % block)) x[i] = -x[i];
    sync();
  };
  flip(!back);
  for (int stride = 1; stride < block; stride *= 2) {
    for (int i = thread(); i < d / 2; i += threads()) {
      int at = i / (block / 2) * block, k = i % (block / 2), j = at + k / stride * 2 * stride + k % stride;
      float a = x[j], b = x[j + stride];
      x[j] = a + b, x[j + stride] = a - b;
    }
    sync();
  }
  for (int i = thread(); i < d; i += threads()) x[i] *= f;
  sync();
  flip(back);
}

template <typename T>
DEVICE void attend(T *out, const T *q, const Query *items, const int *steps, int d, int window, float scale, float cap, const float *sinks, int heads) {
  __shared__ float tops[warps], totals[warps], sums[warps][most], turned[most];
  next();
  wait();
  Query item = items[block_x()];
  int now = *steps, length = item.held + now + 1;
  int lowest = window > 0 ? item.position + now - window + 1 : 0;
  float x[most / 32], sum[most / 32], top = -INF, total = 0.f;
  UNROLL for (int i = 0; i < most / 32; i++) {
    int e = i * 32 + lane();
    x[i] = sum[i] = 0.f;
    if (warp() == 0 && e < d) turned[e] = to_float(q[(i64)item.query * d + e]);
  }
  sync();
  turn(turned, d, item.spec.keyTurn, false);
  UNROLL for (int i = 0; i < most / 32; i++)
    if (i * 32 + lane() < d) x[i] = turned[i * 32 + lane()];
  for (int j = warp(); j < length; j += warps) {
    if (lowest > 0) {
      int at = j >= item.held ? item.position + j - item.held : item.positions ? ((const int *)item.positions)[j] : j;
      if (at < lowest) continue;
    }
    const u8 *key = (const u8 *)item.k + (i64)j * item.spec.keyBytes, *value = (const u8 *)item.v + (i64)j * item.spec.valueBytes;
    float s = 0.f;
    UNROLL for (int i = 0; i < most / 32; i++) {
      int e = i * 32 + lane();
      if (e < d) s = fma(x[i], decode(item.spec.keyFormat, key, e, d, item.keyScale), s);
    }
    s = sum_warp(s) * scale;
    if (cap > 0.f) s = cap * tanh(s / cap);
    s *= LOG2E;
    float high = max(top, s), factor = exp2(top - high), p = exp2(s - high);
    total = fma(total, factor, p);
    UNROLL for (int i = 0; i < most / 32; i++) {
      int e = i * 32 + lane();
      if (e < d) sum[i] = fma(sum[i], factor, p * decode(item.spec.valueFormat, value, e, d, item.valueScale));
    }
    top = high;
  }
  UNROLL for (int i = 0; i < most / 32; i++) sums[warp()][i * 32 + lane()] = sum[i];
  if (lane() == 0) tops[warp()] = top, totals[warp()] = total;
  sync();
  float high = sinks ? sinks[item.query % heads] * LOG2E : -INF, all = 0.f;
  UNROLL for (int w = 0; w < warps; w++) high = max(high, tops[w]);
  if (sinks) all = exp2(sinks[item.query % heads] * LOG2E - high);
  UNROLL for (int w = 0; w < warps; w++) all = fma(totals[w], exp2(tops[w] - high), all);
  for (int e = thread(); e < d; e += threads()) {
    float s = 0.f;
    UNROLL for (int w = 0; w < warps; w++) s = fma(sums[w][e], exp2(tops[w] - high), s);
    turned[e] = s / all;
  }
  sync();
  turn(turned, d, item.spec.valueTurn, true);
  for (int e = thread(); e < d; e += threads()) from_float(out[(i64)item.query * d + e], turned[e]);
}

#define INSTANCE(T, name) \
  KERNEL attend_packed_##name(T *out, const T *q, const Query *items, const int *steps, int d, int window, float scale, float cap, \
      const float *sinks, int heads) { \
    attend(out, q, items, steps, d, window, scale, cap, sinks, heads); \
  }
INSTANCE(float, f32)
INSTANCE(bf16, bf16)
INSTANCE(f16, f16)
