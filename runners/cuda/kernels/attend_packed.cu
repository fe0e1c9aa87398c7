// attend_packed: the attention of decoding over caches in formats, decoded in registers. A block
// has one query head of one row; its warps take every fourth key with a running softmax and
// are put together at the end. A row's bits depend on its own cache alone.
#include "formats.h"
#include "way.h"

struct Query {
  u64 k, v, positions;
  int held, position, query, format, keyBytes, valueBytes;
  float keyScale, valueScale;
};

const int warps = 4, most = 256; // numbers of a head, at most

template <typename T>
DEVICE void attend(T *out, const T *q, const Query *items, const int *steps, int d, int window, float scale, float cap, const float *sinks, int heads) {
  __shared__ float tops[warps], totals[warps], sums[warps][most];
  next();
  wait();
  Query item = items[block_x()];
  int now = *steps, length = item.held + now + 1;
  int lowest = window > 0 ? item.position + now - window + 1 : 0;
  float x[most / 32], sum[most / 32], top = -INF, total = 0.f;
  UNROLL for (int i = 0; i < most / 32; i++) {
    int e = i * 32 + lane();
    x[i] = e < d ? to_float(q[(i64)item.query * d + e]) : 0.f;
    sum[i] = 0.f;
  }
  for (int j = warp(); j < length; j += warps) {
    if (lowest > 0) {
      int at = j >= item.held ? item.position + j - item.held : item.positions ? ((const int *)item.positions)[j] : j;
      if (at < lowest) continue;
    }
    const u8 *key = (const u8 *)item.k + (i64)j * item.keyBytes, *value = (const u8 *)item.v + (i64)j * item.valueBytes;
    float s = 0.f;
    UNROLL for (int i = 0; i < most / 32; i++) {
      int e = i * 32 + lane();
      if (e < d) s = fma(x[i], decode(item.format, key, e, d, item.keyScale), s);
    }
    s = sum_warp(s) * scale;
    if (cap > 0.f) s = cap * tanh(s / cap);
    s *= LOG2E;
    float high = max(top, s), factor = exp2(top - high), p = exp2(s - high);
    total = fma(total, factor, p);
    UNROLL for (int i = 0; i < most / 32; i++) {
      int e = i * 32 + lane();
      if (e < d) sum[i] = fma(sum[i], factor, p * decode(item.format, value, e, d, item.valueScale));
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
    from_float(out[(i64)item.query * d + e], s / all);
  }
}

#define INSTANCE(T, name) \
  KERNEL attend_packed_##name(T *out, const T *q, const Query *items, const int *steps, int d, int window, float scale, float cap, \
      const float *sinks, int heads) { \
    attend(out, q, items, steps, d, window, scale, cap, sinks, heads); \
  }
INSTANCE(float, f32)
INSTANCE(bf16, bf16)
INSTANCE(f16, f16)
