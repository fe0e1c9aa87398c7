// attend_codes: the attention of decoding over caches in formats on the tensor cores, for 16-bit types
// and heads of 64 and 128. A block has a share of a head's keys (Codes) and the query heads of it, at most eight.
// Each warp takes every eighth tile of 16 keys and has a ring of tiles in shared memory, which cp.async
// fills ahead with the codes as they are; codes become operands in registers (codes.h).
//
// Queries and powers are two numbers of the operands' type each, high and low: 16 bits of
// precision in bfloat16, 22 in float16, which formats of float16 and TurboQuant's levels have. The low halves of queries are the
// rows 8 to 15 of the product, which cost nothing; those of powers are columns 4 to 7 for up to four
// query heads, else a product of their own. So sums are as of float32 queries and powers but for 2^-17.
// A share depends on the head's own length alone, so a row's bits do not depend on the other rows.
#include "batch.h"
#include "codes.h"
#include "turn.h"
#include "way.h"

struct Codes {
  Item item;
  float keyScale, valueScale;
  int keyTurn, valueTurn;
  float levels[8];
};
struct Part { // one query head of a row: split s of its head left slot + s·stride
  int slot, stride, query, held;
};

const int warps = 8, tile = 16;

// How a head's keys are shared out, as in attend_codes.go.
struct Shares {
  int parts, each, more;
  DEVICE Shares(int length) {
    const int unit = warps * tile;
    int units = (length + unit - 1) / unit;
    parts = min(units, max(16, (length + 511) / 512));
    each = units / parts;
    more = units - parts * each;
  }
  DEVICE int first(int split) const { return (split * each + min(split, more)) * warps * tile; }
};

// The first n ≤ 16 bytes, and zeros behind them.
DEVICE void copy_part(u32 to, u64 from, int n) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(n) : "memory");
}
// A warp's copies of a tile's first `rows` rows of F::size bytes each.
template <typename F> DEVICE void bring(u32 to, u64 from, int rows) {
  const int each = F::pad ? F::size / 16 : 1, pieces = F::size; // of 16 rows, 16 bytes each
  UNROLL for (int n = 0; n < (pieces + 31) / 32; n++) {
    int i = lane() + 32 * n, left = rows * F::size - 16 * i;
    if (i < pieces) copy_part(to + 16 * i + i / each * F::pad, from + 16 * i, max(0, min(left, 16)));
  }
}

// The scales of a tile's rows as floats, (tile, D/block), each converted by one lane.
template <typename F, int D> DEVICE void spread(float *to, const u8 *rows, float calibrated) {
  const int each = D / F::block;
  UNROLL for (int n = 0; n < tile * each / 32; n++) {
    int i = lane() + 32 * n;
    to[i] = F::scale(rows + i / each * (F::size + F::pad), i % each, calibrated);
  }
}

// The scales of a row, in the widest loads there are.
template <int N> DEVICE void take(float (&by)[N], const float *from) {
  if constexpr (N % 4 == 0) {
    UNROLL for (int i = 0; i < N; i += 4) {
      f32x4 w = *(const f32x4 *)(from + i);
      by[i] = w.x, by[i + 1] = w.y, by[i + 2] = w.z, by[i + 3] = w.w;
    }
  } else if constexpr (N == 2) {
    f32x2 w = *(const f32x2 *)from;
    by[0] = w.x, by[1] = w.y;
  } else by[0] = *from;
}
// Those of row `row` of F's, by block.
template <typename F, int D, int N> DEVICE void scales_of(float (&by)[N], const float *spread, const u8 *rows, int row, float calibrated) {
  if constexpr (F::block) take(by, spread + row * N);
  else by[0] = F::scale(rows + row * (F::size + F::pad), 0, calibrated);
}

alignas(128) extern __shared__ u8 dynamic[]; // rings; at last sums (warps, 8, D)

// few: at most four query heads.
template <typename MK, typename MV, typename K, typename V, int D, bool few>
DEVICE void attend(void *out, const void *q, int half, const Codes *items, const int *steps, float *partial, float *state,
                   int window, float scale, float cap, const float *sinks, int heads) {
  const int STEPS = D / 16, most = 8, stages = K::size == 2 * D ? 2 : 3;
  const int keyPitch = K::size + K::pad, valuePitch = V::size + V::pad, stage = tile * (keyPitch + valuePitch);
  const int keyBlock = K::block ? K::block : D, valueBlock = V::block ? V::block : D;
  const int keyScales = K::block ? D / K::block : 0, valueScales = V::block ? D / V::block : 0;
  alignas(16) __shared__ float scales[warps][tile * (keyScales + valueScales) + 4];
  __shared__ float turned[most][D], tops[warps][most], totals[warps][most], constants[warps][most];
  next();
  const Codes &codes = items[block_x()];
  Item item = codes.item;
  int now = *steps, length = item.held + now + 1;
  Shares shares(length);
  Place p;
  if (!p.find(item, now, window, shares.first(item.split), shares.first(item.split + 1), shares.parts)) {
    wait();
    return;
  }
  u8 *ring = dynamic + warp() * stages * stage;
  auto place = [&](int i) INLINE { return p.begin + tile * (i * warps + warp()); };
  auto fill = [&](int i) INLINE {
    int key = place(i), rows = min(tile, p.end - key);
    u32 to = shared_address(ring + i % stages * stage);
    if (rows > 0) {
      bring<K>(to, item.k + (u64)key * K::size, rows);
      bring<V>(to + tile * keyPitch, item.v + (u64)key * V::size, rows);
    }
    copy_commit();
  };
  int brought = 0; // all rows but the newest were there before this step
  while (brought < stages && place(brought) + tile < length) fill(brought++);
  wait();
  while (brought < stages) fill(brought++);

  for (int at = thread(); at < item.group * D; at += threads()) {
    i64 from = (i64)item.query * D + at;
    turned[at / D][at % D] = half ? to_float(((const f16 *)q)[from]) : to_float(((const bf16 *)q)[from]);
  }
  sync();
  for (int i = 0; i < item.group; i++) turn(turned[i], D, codes.keyTurn, false);
  int g = lane() >> 2, t = lane() & 3, own = few ? g % 4 : g;
  u32 query[STEPS][4]; // rows g and g+8
  const K format(codes.levels);
  float units = scale;
  {
    const float *x = turned[own];
    bool there = own < item.group;
    float unit = 1.f;
    if constexpr (__is_same(MK, f16)) { // a power of two keeps float16 in its range
      float high = 0.f;
      UNROLL for (int s = 0; s < STEPS; s++) UNROLL for (int j = 0; j < 4; j++) high = max(high, there ? magnitude(x[K::channel(s, t, j)]) : 0.f);
      high = max(high, shuffle_xor(high, 1));
      high = max(high, shuffle_xor(high, 2));
      int e = max((int)(float_bits(high) >> 23), 10);
      unit = bits_float((u32)(261 - e) << 23), units *= bits_float((u32)(e - 7) << 23);
    }
    UNROLL for (int s = 0; s < STEPS; s++)
      UNROLL for (int j = 0; j < 2; j++) {
        float a = there ? x[K::channel(s, t, 2 * j)] * unit : 0.f, b = there ? x[K::channel(s, t, 2 * j + 1)] * unit : 0.f;
        u32 w = pack<MK>(a, b);
        query[s][2 * j] = w, query[s][2 * j + 1] = pack<MK>(a - low<MK>(w), b - high<MK>(w));
      }
  }

  if (!(cap > 0.f)) units *= LOG2E;
  // For query `own`: the maximum (in units of log2), the sum over this lane's keys, and what values'
  // minima add. O[i] has for columns 2t, 2t+1 the sums of channels out(i, g, 0), then out(i, g, 1).
  float m = -INF, all = 0.f, constant = 0.f, O[STEPS][4];
  UNROLL for (int i = 0; i < STEPS; i++) UNROLL for (int j = 0; j < 4; j++) O[i][j] = 0.f;
  for (int n = 0; place(n) < p.end; n++) {
    int key = place(n);
    const u8 *keys = ring + n % stages * stage, *values = keys + tile * keyPitch;
    copy_wait<stages - 1>();
    sync_warp();
    float *ks = scales[warp()], *vs = ks + tile * keyScales;
    if constexpr (K::block) spread<K, D>(ks, keys, codes.keyScale);
    if constexpr (V::block) spread<V, D>(vs, values, codes.valueScale);
    if constexpr (K::block || V::block) sync_warp();
    float x[2][2];
    UNROLL for (int j = 0; j < 2; j++) {
      x[j][0] = x[j][1] = 0.f;
      float by[2][D / keyBlock];
      UNROLL for (int e = 0; e < 2; e++) scales_of<K, D>(by[e], ks, keys, 8 * j + 2 * t + e, codes.keyScale);
      UNROLL for (int b = 0; b < D / keyBlock; b++) {
        float c[4] = {0, 0, 0, 0}, squares[4] = {0, 0, 0, 0};
        UNROLL for (int s = b * keyBlock / 16; s < (b + 1) * keyBlock / 16; s++) {
          u32 w[2];
          format.keys(w, keys + (8 * j + g) * keyPitch, s, t);
          if constexpr (K::unit) multiply<MK>(squares, w[0], 0, w[1], 0, w[0], w[1]);
          multiply<MK>(c, query[s][0], query[s][1], query[s][2], query[s][3], w[0], w[1]);
        }
        if constexpr (K::unit) { // the square of key 2t+e is the product of the key with itself, which one lane has
          UNROLL for (int e = 0; e < 2; e++) by[e][0] *= 1.f / sqrt(from_lane(squares[e], 4 * (2 * t + e) + t) + 1e-16f);
        }
        UNROLL for (int e = 0; e < 2; e++) x[j][e] = fma(by[e][b], c[e] + c[2 + e], x[j][e]);
      }
      UNROLL for (int e = 0; e < 2; e++) x[j][e] *= units;
    }
    if (cap > 0.f) {
      UNROLL for (int j = 0; j < 2; j++) UNROLL for (int e = 0; e < 2; e++) x[j][e] = cap * LOG2E * tanh(x[j][e] / cap);
    }
    if (key + tile > p.end || p.lowest > 0) { // not every row is seen
      UNROLL for (int j = 0; j < 2; j++)
        UNROLL for (int e = 0; e < 2; e++)
          if (!p.sees(item, key + 8 * j + 2 * t + e)) x[j][e] = -INF;
    }
    float peak = max(max(m, max(x[0][0], x[0][1])), max(x[1][0], x[1][1]));
    peak = max(peak, shuffle_xor(peak, 1));
    peak = max(peak, shuffle_xor(peak, 2));
    // What has been summed is brought to a new maximum where that is 2^8 times the old one: seldom.
    if (peak <= m + 8.f) peak = m;
    float base = peak == -INF ? 0.f : peak, factor = exp2(m - base);
    m = peak;
    UNROLL for (int j = 0; j < 2; j++) UNROLL for (int e = 0; e < 2; e++) x[j][e] = exp2(x[j][e] - base);
    all = fma(all, factor, (x[0][0] + x[0][1]) + (x[1][0] + x[1][1]));
    if (__nvvm_vote_ballot_sync(~0u, factor != 1.f)) {
      float f0 = from_lane(factor, 8 * t), f1 = from_lane(factor, 8 * t + 4);
      UNROLL for (int i = 0; i < STEPS; i++) O[i][0] *= f0, O[i][1] *= f1, O[i][2] *= f0, O[i][3] *= f1;
    }
    const u8 *rows[4];
    UNROLL for (int k = 0; k < 4; k++) rows[k] = values + (2 * t + k % 2 + k / 2 * 8) * valuePitch;
    if constexpr (V::minimum) {
      constant *= factor;
      UNROLL for (int k = 0; k < 4; k++) constant = fma(x[k / 2][k % 2], V::low(rows[k], 0), constant);
    }
    float by[4][D / valueBlock];
    UNROLL for (int k = 0; k < 4; k++) scales_of<V, D>(by[k], vs, values, 2 * t + k % 2 + k / 2 * 8, codes.valueScale);
    UNROLL for (int b = 0; b < D / valueBlock; b++) {
      u32 power[2], rest[2];
      UNROLL for (int k = 0; k < 2; k++) {
        float a = x[k][0] * by[2 * k][b], c = x[k][1] * by[2 * k + 1][b];
        power[k] = pack<MV>(a, c);
        rest[k] = pack<MV>(a - low<MV>(power[k]), c - high<MV>(power[k]));
        if (few && g >= 4) power[k] = rest[k];
      }
      UNROLL for (int i = b * valueBlock / 16; i < (b + 1) * valueBlock / 16; i++) {
        u32 a[4];
        V::values(a, rows, i, g);
        multiply<MV>(O[i], a[0], a[1], a[2], a[3], power[0], power[1]);
        if (!few) multiply<MV>(O[i], a[0], a[1], a[2], a[3], rest[0], rest[1]);
      }
    }
    sync_warp(); // all have read the tile
    fill(n + stages);
  }
  copy_wait<0>();

  all += shuffle_xor(all, 1), constant += shuffle_xor(constant, 1);
  all += shuffle_xor(all, 2), constant += shuffle_xor(constant, 2);
  if (t == 0) tops[warp()][g] = m, totals[warp()][g] = all, constants[warp()][g] = constant;
  sync();
  float *sums = (float *)dynamic;
  UNROLL for (int i = 0; i < STEPS; i++)
    UNROLL for (int j = 0; j < 4; j++) sums[(warp() * most + 2 * t + j % 2) * D + V::out(i, g, j / 2)] = O[i][j];
  sync();
  for (int at = thread(); at < item.group * D; at += threads()) {
    int i = at / D, e = at % D;
    float high = -INF, s = 0.f;
    UNROLL for (int w = 0; w < warps; w++) high = max(high, tops[w][i]);
    UNROLL for (int w = 0; w < warps; w++) {
      float f = tops[w][i] == -INF ? 0.f : exp2(tops[w][i] - high), y = sums[(w * most + i) * D + e] + constants[w][i];
      if (few) y += sums[(w * most + i + 4) * D + e];
      s = fma(y, f, s);
    }
    turned[i][e] = s;
  }
  sync();
  for (int i = 0; i < item.group; i++) turn(turned[i], D, codes.valueTurn, true);
  i64 slot = item.slot + (i64)item.split * item.group;
  for (int at = thread(); at < item.group * D; at += threads()) {
    int i = at / D, e = at % D;
    float high = -INF, weight = 0.f, s = turned[i][e];
    UNROLL for (int w = 0; w < warps; w++) high = max(high, tops[w][i]);
    UNROLL for (int w = 0; w < warps; w++)
      if (tops[w][i] != -INF) weight = fma(totals[w][i], exp2(tops[w][i] - high), weight);
    if (p.splits == 1) {
      if (sinks) s *= settle(high, weight, sinks[(item.query + i) % heads] * LOG2E);
      i64 to = (i64)item.query * D + at;
      if (half) from_float(((f16 *)out)[to], s / weight);
      else from_float(((bf16 *)out)[to], s / weight);
      continue;
    }
    partial[slot * D + at] = s;
    if (e == 0) state[2 * (slot + i)] = high, state[2 * (slot + i) + 1] = weight;
  }
}

// A block puts the results of a query head's shares together, a thread a channel.
KERNEL attend_codes_join(void *out, int half, const Part *parts, const int *steps, const float *partial, const float *state, int d, const float *sinks, int heads) {
  next();
  Part p = parts[block_x()];
  int splits = Shares(p.held + *steps + 1).parts, e = thread();
  wait();
  if (splits == 1) return; // the only share has written the result
  const int batch = 8;
  float m = -INF, all = 0.f, sum = 0.f;
  for (int first = 0; first < splits; first += batch) {
    float top[batch], total[batch], x[batch], high = m;
    UNROLL for (int j = 0; j < batch; j++) {
      i64 slot = p.slot + (i64)min(first + j, splits - 1) * p.stride;
      top[j] = first + j < splits ? state[2 * slot] : -INF, total[j] = state[2 * slot + 1], x[j] = partial[slot * d + e];
      high = max(high, top[j]);
    }
    if (high == -INF) continue;
    float f = exp2(m - high);
    m = high, all *= f, sum *= f;
    UNROLL for (int j = 0; j < batch; j++) {
      if (top[j] == -INF) continue;
      f = exp2(top[j] - m);
      all = fma(total[j], f, all), sum = fma(x[j], f, sum);
    }
  }
  if (sinks) sum *= settle(m, all, sinks[p.query % heads] * LOG2E);
  i64 to = (i64)p.query * d + e;
  if (half) from_float(((f16 *)out)[to], sum / all);
  else from_float(((bf16 *)out)[to], sum / all);
}

#define ONE(MK, MV, K, V, D, name, few) \
  KERNEL __launch_bounds__(256, K<D>::size == 2 * D ? 1 : 2) attend_codes_##name(void *out, const void *q, int half, const Codes *items, \
      const int *steps, float *partial, float *state, int window, float scale, float cap, const float *sinks, int heads) { \
    attend<MK, MV, K<D>, V<D>, D, few>(out, q, half, items, steps, partial, state, window, scale, cap, sinks, heads); \
  }
#define INSTANCE(MK, MV, K, V, name) \
  ONE(MK, MV, K, V, 64, name##_64_few, true) ONE(MK, MV, K, V, 128, name##_128_few, true) ONE(MK, MV, K, V, 64, name##_64, false) ONE(MK, MV, K, V, 128, name##_128, false)
INSTANCE(f16, f16, Halves, Halves, f16)
INSTANCE(bf16, bf16, Halves, Halves, bf16)
INSTANCE(bf16, bf16, FP8, FP8, fp8)
INSTANCE(bf16, bf16, FP8Token, FP8Token, fp8_token)
INSTANCE(bf16, bf16, Int8Token, Int8Token, int8_token)
INSTANCE(bf16, bf16, Q8, Q8, q8)
INSTANCE(bf16, bf16, Q4, Q4, q4)
INSTANCE(bf16, bf16, NV4, NV4, nv4)
INSTANCE(bf16, bf16, MX4, MX4, mx4)
INSTANCE(bf16, bf16, Int4Token, Int4Token, int4_token)
INSTANCE(bf16, bf16, FP8, TQ4, fp8_tq4)
INSTANCE(f16, bf16, TQKey4, TQ4, tq4_tq4)
INSTANCE(f16, bf16, TQKey3, TQ4, tq3_tq4)
INSTANCE(f16, bf16, TQKey3, TQ3, tq3_tq3)
