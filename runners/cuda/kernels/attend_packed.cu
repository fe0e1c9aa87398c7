// attend_packed: the attention of decoding over caches in formats, number by number: for float32,
// which is for judging, and for what attend_codes.cu does not have. A block
// has one query head of one row; its warps take every fourth key with a running softmax and
// are put together at the end. A row's bits depend on its own cache alone.
#include "turn.h"
#include "way.h"

struct Query {
  u64 k, v, positions;
  int held, position, query;
  float keyScale, valueScale;
  int zero;
  Spec spec;
};

const int warps = 4, most = mostNumbers;

template <typename T>
DEVICE void attend(T *out, const T *q, const Query *items, const int *steps, int d, int window, float scale, float cap, const float *sinks, int heads) {
  __shared__ float tops[warps], totals[warps], sums[warps][most], turned[most];
  next();
  wait();
  const Query &item = items[block_x()];
  const Spec &spec = item.spec;
  int now = *steps, length = item.held + now + 1;
  int lowest = window > 0 ? item.position + now - window + 1 : 0;
  int codedKeys = settled_keys(spec, length - 1), codedValues = settled_values(spec, length - 1); // as the last step left them
  if (spec.residual == 0) codedKeys = codedValues = length;
  i64 before = (i64)spec.residual * 2 * d; // the residual's bytes
  int together = spec.residual ? group : 1;
  float x[most / 32], sum[most / 32], top = -INF, total = 0.f;
  UNROLL for (int i = 0; i < most / 32; i++) {
    int e = i * 32 + lane();
    x[i] = sum[i] = 0.f;
    if (warp() == 0 && e < d) turned[e] = to_float(q[(i64)item.query * d + e]);
  }
  sync();
  turn(turned, d, spec.keyTurn, false);
  UNROLL for (int i = 0; i < most / 32; i++)
    if (i * 32 + lane() < d) x[i] = turned[i * 32 + lane()];
  for (int j = warp(); j < length; j += warps) {
    if (lowest > 0) {
      int at = j >= item.held ? item.position + j - item.held : item.positions ? ((const int *)item.positions)[j] : j;
      if (at < lowest) continue;
    }
    bool coded = j < codedKeys;
    int format = coded ? spec.keyFormat : formatF16;
    const u8 *key = (const u8 *)item.k + (coded ? before + (i64)(j / together) * spec.keyBytes : (i64)(j % max(1, spec.residual)) * 2 * d);
    float s = 0.f, squares = 0.f;
    UNROLL for (int i = 0; i < most / 32; i++) {
      int e = i * 32 + lane();
      float y = e < d ? decode(format, key, e, d, item.keyScale, spec.levels, j % group) : 0.f;
      s = fma(x[i], y, s), squares = fma(y, y, squares);
    }
    s = sum_warp(s) * scale;
    if (tq_key(format)) s *= tq_length(format, key, d, sum_warp(squares));
    if (cap > 0.f) s = cap * tanh(s / cap);
    s *= LOG2E;
    float high = max(top, s), factor = exp2(top - high), p = exp2(s - high);
    total = fma(total, factor, p);
    coded = j < codedValues;
    format = coded ? spec.valueFormat : formatF16;
    const u8 *value = (const u8 *)item.v + (coded ? (before ? before + 2 * d : 0) + (i64)j * spec.valueBytes : (i64)(j % (spec.residual + 1)) * 2 * d);
    UNROLL for (int i = 0; i < most / 32; i++) {
      int e = i * 32 + lane();
      if (e < d) sum[i] = fma(sum[i], factor, p * decode(format, value, e, d, item.valueScale, spec.levels, 0));
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
  turn(turned, d, spec.valueTurn, true);
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
