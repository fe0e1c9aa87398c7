// attend_codes: the attention of decoding over caches in formats on the tensor cores, for 16-bit types
// and heads of 64 and 128. An item (Codes) is a share of a head's keys and the query heads of it, at most eight.
// Blocks stay and take items in turn. Each warp takes every fourth tile of 16 keys of an item and has a ring of tiles in shared
// memory, which cp.async fills ahead, across items, with the codes as they are; codes become operands in registers (codes.h).
//
// Keys are the rows of the first product and queries its columns, channels the rows of the second and powers its columns.
// Queries and powers are two numbers of the operands' type each, high and low: 16 bits of
// precision in bfloat16, 22 in float16, which formats of float16 and TurboQuant's levels have. For up to four query heads the
// low halves are columns of their own beside the high ones, which cost nothing; else products of their own.
// So sums are as of float32 queries and powers but for 2^-16.
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

const int warps = 4, tile = 16;

// How a head's keys are shared out, as in attend_codes.go.
struct Shares {
  int parts, each, more;
  DEVICE Shares(int length) {
    const int unit = warps * tile;
    int units = (length + unit - 1) / unit;
    parts = min((length + 127) / 128, max(16, (length + 511) / 512));
    each = units / parts;
    more = units - parts * each;
  }
  DEVICE int first(int split) const { return (split * each + min(split, more)) * warps * tile; }
};

// The first n ≤ 16 bytes, and zeros behind them.
DEVICE void copy_part(u32 to, u64 from, int n) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(n) : "memory");
}
DEVICE void copy_all(u32 to, u64 from) { asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory"); }
// A warp's copies of a tile's first `rows` rows of F::size bytes each. `from` is the lane's first byte.
template <typename F> DEVICE void bring(u32 to, u64 from, int rows) {
  const int each = F::pad ? F::size / 16 : 32, pieces = F::size, step = 512 + 32 / each * F::pad; // of 16 rows, 16 bytes each
  to += 16 * lane() + lane() / each * F::pad;
  if (rows == tile) {
    UNROLL for (int n = 0; n < (pieces + 31) / 32; n++)
      if (32 * n + 31 < pieces || lane() < pieces - 32 * n) copy_all(to + n * step, from + 512 * n);
  } else {
    UNROLL for (int n = 0; n < (pieces + 31) / 32; n++) {
      int i = lane() + 32 * n, there = max(0, min(rows * F::size - 16 * i, 16));
      if (i < pieces) copy_part(to + n * step, from + 512 * n, there);
    }
  }
}

// The scales of a tile's rows as floats, (tile, D/block), each converted by one lane.
template <typename F, int D> DEVICE void spread(float *to, const u8 *rows, float calibrated) {
  const int each = D / F::block, count = tile * each / 32;
  float by[count];
  UNROLL for (int n = 0; n < count; n++) {
    int i = lane() + 32 * n;
    by[n] = F::scale(rows + i / each * (F::size + F::pad), i % each, calibrated);
  }
  UNROLL for (int n = 0; n < count; n++) to[lane() + 32 * n] = by[n];
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

// An 8×8 matrix of 16-bit numbers, of whose row g a lane has columns 2t and 2t+1, turned on its side.
DEVICE u32 turned(u32 w) {
  u32 r;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(r) : "r"(w));
  return r;
}
DEVICE float sum_rows(float v) { // over g
  v += shuffle_xor(v, 4), v += shuffle_xor(v, 8);
  return v + shuffle_xor(v, 16);
}
DEVICE float inverse_root(float x) { float y; asm("rsqrt.approx.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; } // 2 ulp
DEVICE float power2(int e) { return bits_float((u32)(127 + e) << 23); }

// sums (warps, Q, D+8) float; rings
alignas(128) extern __shared__ u8 dynamic[];

// few: at most four query heads.
template <typename MK, typename MV, typename K, typename V, int D, bool few>
DEVICE void attend(void *out, const void *q, int half, const Codes *items, int count, const int *steps, float *partial, float *state,
                   int window, float scale, float cap, const float *sinks, int heads) {
  const int STEPS = D / 16, Q = few ? 4 : 8, R = few ? 1 : 2, stages = K::size + V::size < 3 * D / 2 ? 3 : 2; // R: queries of a lane
  const int keyPitch = K::size + K::pad, valuePitch = V::size + V::pad, stage = tile * (keyPitch + valuePitch), sumPitch = D + 8;
  const int keyBlock = K::block ? K::block : D, valueBlock = V::block ? V::block : D, KB = D / keyBlock, VB = D / valueBlock;
  const int keyScales = K::block ? KB : 0, valueScales = V::block ? VB : 0;
  const bool shifted = V::zero || V::zeros || V::minimum;
  const int queryLift = K::exponent ? lift : 0, powerLift = V::exponent ? lift : 0;
  alignas(16) __shared__ float scales[warps][tile * (keyScales + valueScales) + 4];
  __shared__ float x0[Q][D], stepSums[STEPS][Q], tops[warps][Q], totals[warps][Q];
  __shared__ int exponents[Q];
  __shared__ Codes held[4]; // this block's nth item is held[n % 4]
  next();
  const int blocks = (int)blocks_x(), now = *steps, g = lane_g(), t = lane_t(), words = sizeof(Codes) / 4;
  auto number = [&](int n) INLINE { return (int)block_x() + n * blocks; };
  auto load = [&](int n) INLINE { return thread() < words && number(n) < count ? ((const u32 *)&items[number(n)])[thread()] : 0; };
  UNROLL for (int n = 0; n < 3; n++) {
    u32 word = load(n);
    if (thread() < words) ((u32 *)&held[n])[thread()] = word;
  }
  sync();

  // The copies run ahead: the next are those of rows key … end-1 of item n.
  float *sums = (float *)dynamic;
  auto &operands = *(u32 (*)[STEPS][R][32][2])dynamic; // in place of sums, which come when all warps have read them
  const u8 *ring = dynamic + warps * Q * sumPitch * 4 + warp() * stages * stage;
  struct {
    int n, key, end;
    u64 k, v;
  } ahead = {0, 0, 0, 0, 0};
  int under = 0, filled = 0, used = 0, known = 3; // tiles under way; the next stage to fill, and to use; items that have been in held
  auto turn_on = [&](int &stage) INLINE { stage = stage == stages - 1 ? 0 : stage + 1; };
  auto fill = [&](bool newest) INLINE { // with the newest row or without it
    while (under < stages) {
      const Codes &codes = held[ahead.n % 4];
      if (ahead.key >= ahead.end) { // this warp's first rows of the item
        if (ahead.n >= known || number(ahead.n) >= count) return;
        int length = codes.item.held + now + 1;
        Shares shares(length);
        ahead.key = shares.first(codes.item.split) + tile * warp(), ahead.end = min(shares.first(codes.item.split + 1), length);
        if (ahead.key >= ahead.end) {
          ahead.n++;
          continue;
        }
        ahead.k = codes.item.k + (u64)ahead.key * K::size + 16 * lane(), ahead.v = codes.item.v + (u64)ahead.key * V::size + 16 * lane();
      }
      int rows = min(tile, ahead.end - ahead.key);
      if (!newest && ahead.key + rows > codes.item.held + now) return;
      u32 to = shared_address(ring) + filled * stage;
      bring<K>(to, ahead.k, rows);
      bring<V>(to + tile * keyPitch, ahead.v, rows);
      copy_commit();
      under++, turn_on(filled);
      ahead.key += tile * warps, ahead.k += tile * warps * K::size, ahead.v += tile * warps * V::size;
      if (ahead.key >= ahead.end) ahead.n++;
    }
  };
  // The queries of item n on their way, two numbers a word; and in shared memory.
  const int asks = Q * D / 2 / (32 * warps);
  auto ask = [&](u32 (&asked)[asks], int n) INLINE {
    const Item &item = held[n % 4].item;
    UNROLL for (int i = 0; i < asks; i++) {
      int at = 2 * (thread() + 32 * warps * i);
      const u16 *from = (const u16 *)q + (i64)item.query * D + at;
      asked[i] = number(n) < count && at < item.group * D ? from[0] | (u32)from[1] << 16 : 0;
    }
  };
  auto hold = [&](const u32 (&asked)[asks]) INLINE {
    UNROLL for (int i = 0; i < asks; i++) {
      int at = 2 * (thread() + 32 * warps * i);
      float *to = x0[at / D] + at % D;
      to[0] = half ? low<f16>(asked[i]) : low<bf16>(asked[i]), to[1] = half ? high<f16>(asked[i]) : high<bf16>(asked[i]);
    }
  };
  fill(false);
  wait();
  fill(true);
  u32 asked[asks];
  ask(asked, 0);
  hold(asked);
  sync();

  for (int n = 0; number(n) < count; n++) {
    const Codes &codes = held[n % 4];
    const Item &item = codes.item;
    // The queries as operands: each warp makes some steps'.
    for (int i = 0; i < item.group; i++) turn(x0[i], D, codes.keyTurn, false);
    if constexpr (__is_same(MK, f16)) { // a power of two keeps float16 in its range
      for (int i = warp(); i < Q; i += warps) {
        float high = 0.f;
        for (int e = lane(); e < D; e += 32) high = max(high, magnitude(x0[i][e]));
        high = max_warp(high);
        if (lane() == 0) exponents[i] = 134 - max((int)(float_bits(high) >> 23), 10);
      }
      sync();
    }
    UNROLL for (int s0 = 0; s0 < STEPS; s0 += warps) {
      int s = s0 + warp(), own = few ? g / 2 : g;
      float unit = power2(__is_same(MK, f16) ? exponents[own] : queryLift), sum = 0.f;
      UNROLL for (int j = 0; j < 2; j++) {
        float by = K::raised(s, j) ? unit / 16 : unit, a = x0[own][K::channel(s, t, 2 * j)] * by, b = x0[own][K::channel(s, t, 2 * j + 1)] * by;
        u32 w = pack<MK>(a, b), rest = pack<MK>(a - low<MK>(w), b - high<MK>(w));
        float all = (low<MK>(w) + low<MK>(rest)) + (high<MK>(w) + high<MK>(rest));
        sum += K::raised(s, j) ? 16 * all : all;
        operands[s][0][lane()][j] = few && g % 2 ? rest : w;
        if (!few) operands[s][R - 1][lane()][j] = rest;
      }
      sum += shuffle_xor(sum, 1), sum += shuffle_xor(sum, 2);
      if (t == 0) stepSums[s][own] = sum;
    }
    sync();
    u32 query[STEPS][R][2];
    UNROLL for (int s = 0; s < STEPS; s++)
      UNROLL for (int r = 0; r < R; r++) {
        u32x2 w = *(const u32x2 *)operands[s][r][lane()];
        query[s][r][0] = w.x, query[s][r][1] = w.y;
      }
    // For a lane's query r, which is t or 2t+r: what a code of one in every channel would have, by block; the unit of products.
    float ones[KB][R], units[R];
    UNROLL for (int r = 0; r < R; r++) {
      int own = few ? t : 2 * t + r;
      UNROLL for (int b = 0; b < KB; b++) {
        ones[b][r] = 0.f;
        UNROLL for (int s = b * keyBlock / 16; s < (b + 1) * keyBlock / 16; s++) ones[b][r] += stepSums[s][own];
        ones[b][r] *= power2(-min(K::exponent, 126)) * power2(min(126 - K::exponent, 0));
      }
      units[r] = scale * power2(__is_same(MK, f16) ? -exponents[own] : K::exponent - queryLift);
      units[r] *= cap > 0.f ? 1.f / cap : LOG2E;
    }
    const K format(codes.levels);
    u32 word = load(n + 3);
    Place p;
    Shares shares(item.held + now + 1);
    bool there = p.find(item, now, window, shares.first(item.split), shares.first(item.split + 1), shares.parts);

    // The maximum (in units of log2), what is subtracted before 2^x, the sum over this lane's keys, and what values'
    // zeros and minima add. O[i] has channels out(i, g, 0) in its first two, out(i, g, 1) in its last; columns 2t and 2t+1.
    float m[R], base[R], all[R], constant[VB][R], O[STEPS][4];
    UNROLL for (int r = 0; r < R; r++) {
      m[r] = -INF, base[r] = all[r] = 0.f;
      UNROLL for (int b = 0; b < VB; b++) constant[b][r] = 0.f;
    }
    UNROLL for (int i = 0; i < STEPS; i++) UNROLL for (int j = 0; j < 4; j++) O[i][j] = 0.f;
    for (int key = p.begin + tile * warp(); key < p.end; key += tile * warps) {
      const u8 *keys = ring + used * stage, *values = keys + tile * keyPitch;
      if (under == stages) copy_wait<stages - 1>();
      else copy_wait<0>();
      sync_warp();
      float *ks = scales[warp()], *vs = ks + tile * keyScales;
      if constexpr (K::block) spread<K, D>(ks, keys, codes.keyScale);
      if constexpr (V::block) spread<V, D>(vs, values, codes.valueScale);
      if constexpr (K::block || V::block) sync_warp();
      int row[2] = {V::order(g), V::order(g + 8)};
      float x[2][R], by[2][KB], c[KB][2][4], squares[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}}; // c: two chains of sums, since one would be long
      UNROLL for (int h = 0; h < 2; h++) scales_of<K, D>(by[h], ks, keys, row[h], codes.keyScale);
      UNROLL for (int b = 0; b < KB; b++) UNROLL for (int i = 0; i < 2; i++) UNROLL for (int j = 0; j < 4; j++) c[b][i][j] = 0.f;
      UNROLL for (int s = 0; s < STEPS; s += 2) {
        u32 a[2][4];
        format.keys(a, keys, s);
        UNROLL for (int e = 0; e < 2; e++) {
          float (&to)[4] = c[(s + e) * 16 / keyBlock][K::block ? 0 : e];
          if constexpr (K::unit) {
            UNROLL for (int h = 0; h < 2; h++) multiply<MK>(squares[h], a[e][0], a[e][1], a[e][2], a[e][3], a[e][h], a[e][2 + h]);
          }
          UNROLL for (int r = 0; r < R; r++) multiply<MK>(to, a[e][0], a[e][1], a[e][2], a[e][3], query[s + e][r][0], query[s + e][r][1]);
        }
      }
      UNROLL for (int h = 0; h < 2; h++) {
        if constexpr (K::unit) { // the square of a key is the product of the key with itself, which one lane has
          float own = g % 2 ? squares[h][2 * h + 1] : squares[h][2 * h];
          by[h][0] *= inverse_root(from_lane(own, 4 * g + g / 2) + 1e-16f);
        }
        float zero = K::zeros ? K::zero_of(keys + row[h] * keyPitch) : K::zero;
        UNROLL for (int r = 0; r < R; r++) {
          x[h][r] = 0.f;
          UNROLL for (int b = 0; b < KB; b++) {
            float (&s)[2][4] = c[b], y = few ? s[0][2 * h] + s[0][2 * h + 1] : s[0][2 * h + r];
            if (!K::block) y += few ? s[1][2 * h] + s[1][2 * h + 1] : s[1][2 * h + r];
            if (K::zero || K::zeros) y = fma(zero, ones[b][r], y);
            x[h][r] = fma(by[h][b], y, x[h][r]);
          }
          x[h][r] *= units[r];
        }
      }
      if (cap > 0.f) {
        UNROLL for (int h = 0; h < 2; h++) UNROLL for (int r = 0; r < R; r++) x[h][r] = cap * LOG2E * tanh(x[h][r]);
      }
      if (key + tile > p.end || p.lowest > 0) { // not every row is seen
        UNROLL for (int h = 0; h < 2; h++)
          if (!p.sees(item, key + row[h])) {
            UNROLL for (int r = 0; r < R; r++) x[h][r] = -INF;
          }
      }
      // What has been summed is brought to a new maximum where that is 2^8 times the old one: seldom.
      bool higher = false;
      UNROLL for (int r = 0; r < R; r++) higher = higher || max(x[0][r], x[1][r]) > m[r] + 8.f;
      if (__nvvm_vote_any_sync(~0u, higher)) {
        float factor[2];
        UNROLL for (int r = 0; r < R; r++) {
          float peak = max(x[0][r], x[1][r]);
          UNROLL for (int other = 4; other <= 16; other *= 2) peak = max(peak, shuffle_xor(peak, other));
          bool now = peak > m[r] + 8.f;
          factor[r] = now ? exp2(m[r] - peak) : 1.f;
          if (now) m[r] = peak, base[r] = peak - powerLift;
          all[r] *= factor[r];
          UNROLL for (int b = 0; b < VB; b++) constant[b][r] *= factor[r];
        }
        if (few) factor[1] = factor[0];
        UNROLL for (int i = 0; i < STEPS; i++) UNROLL for (int j = 0; j < 4; j++) O[i][j] *= factor[j % 2];
      }
      UNROLL for (int r = 0; r < R; r++) {
        UNROLL for (int h = 0; h < 2; h++) x[h][r] = exp2(x[h][r] - base[r]);
        all[r] += x[0][r] + x[1][r];
      }
      float times[2][VB];
      UNROLL for (int h = 0; h < 2; h++) scales_of<V, D>(times[h], vs, values, row[h], codes.valueScale);
      u32 power[VB][R][2];
      UNROLL for (int b = 0; b < VB; b++)
        UNROLL for (int h = 0; h < 2; h++) {
          float y[R];
          UNROLL for (int r = 0; r < R; r++) {
            y[r] = x[h][r] * times[h][b];
            // Cut off to the bits that two bfloat16 have, so that zeros meet what is multiplied.
            if (V::zero || V::zeros) y[r] = bits_float(float_bits(y[r]) & 0xffffff00u);
            if (V::zero) constant[b][r] = fma(y[r], V::zero, constant[b][r]);
            if (V::zeros) constant[b][r] = fma(y[r], V::zero_of(values + row[h] * valuePitch), constant[b][r]);
            if (V::minimum) constant[b][r] = fma(x[h][r], V::low(values + row[h] * valuePitch), constant[b][r]);
          }
          if (few) {
            float high = bits_float(float_bits(y[0]) & (__is_same(MV, f16) ? 0xffffe000u : 0xffff0000u));
            power[b][0][h] = turned(pack<MV>(high, y[0] - high));
          } else {
            u32 w = pack<MV>(y[0], y[R - 1]);
            power[b][0][h] = turned(w), power[b][R - 1][h] = turned(pack<MV>(y[0] - low<MV>(w), y[R - 1] - high<MV>(w)));
          }
        }
      UNROLL for (int i = 0; i < STEPS; i += 2) {
        u32 a[2][4];
        V::values(a, values, i);
        UNROLL for (int e = 0; e < 2; e++)
          UNROLL for (int r = 0; r < R; r++) {
            u32 (&w)[2] = power[(i + e) * 16 / valueBlock][r];
            multiply<MV>(O[i + e], a[e][0], a[e][1], a[e][2], a[e][3], w[0], w[1]);
          }
      }
      under--, turn_on(used);
      sync_warp(); // all have read the tile
      fill(true);
    }

    ask(asked, n + 1);
    UNROLL for (int r = 0; r < R; r++) {
      all[r] = sum_rows(all[r]);
      if (shifted) UNROLL for (int b = 0; b < VB; b++) constant[b][r] = sum_rows(constant[b][r]);
      if (g == 0) tops[warp()][few ? t : 2 * t + r] = m[r];
    }
    if (thread() < words) ((u32 *)&held[(n + 3) % 4])[thread()] = word;
    sync();
    known = n + 4;
    fill(true);
    hold(asked);
    UNROLL for (int r = 0; r < R; r++) {
      int own = few ? t : 2 * t + r;
      float high = -INF;
      UNROLL for (int w = 0; w < warps; w++) high = max(high, tops[w][own]);
      float factor = m[r] == -INF ? 0.f : exp2(m[r] - high);
      if (g == 0) totals[warp()][own] = all[r] * factor * power2(-powerLift);
      float *to = sums + (warp() * Q + own) * sumPitch;
      UNROLL for (int i = 0; i < STEPS; i++)
        UNROLL for (int h = 0; h < 2; h++) {
          float y = few ? O[i][2 * h] + O[i][2 * h + 1] : O[i][2 * h + r];
          y *= power2(V::exponent - powerLift - (h && V::raised_out ? 4 : 0));
          if (shifted) y = fma(constant[i * 16 / valueBlock][r], power2(-powerLift), y);
          to[V::out(i, g, h)] = y * factor;
        }
    }
    sync();
    auto sum_of = [&](int at) INLINE { // channels at … at+3 of all queries
      const float *from = sums + at / D * sumPitch + at % D;
      f32x4 s = *(const f32x4 *)from;
      UNROLL for (int w = 1; w < warps; w++) s += *(const f32x4 *)(from + w * Q * sumPitch);
      return s;
    };
    if (codes.valueTurn != 0) {
      for (int at = 4 * thread(); at < item.group * D; at += 4 * threads()) *(f32x4 *)(sums + at / D * sumPitch + at % D) = sum_of(at);
      sync();
      for (int i = 0; i < item.group; i++) turn(sums + i * sumPitch, D, codes.valueTurn, true);
    }
    i64 slot = item.slot + (i64)item.split * item.group;
    for (int at = 4 * thread(); there && at < item.group * D; at += 4 * threads()) {
      int i = at / D;
      float high = -INF, weight = 0.f;
      UNROLL for (int w = 0; w < warps; w++) high = max(high, tops[w][i]), weight += totals[w][i];
      f32x4 s = codes.valueTurn != 0 ? *(const f32x4 *)(sums + i * sumPitch + at % D) : sum_of(at);
      if (p.splits == 1) {
        float by = 1.f / weight;
        if (sinks) {
          float f = settle(high, weight, sinks[(item.query + i) % heads] * LOG2E);
          by = f / weight;
        }
        i64 to = (i64)item.query * D + at;
        UNROLL for (int e = 0; e < 4; e++) {
          if (half) from_float(((f16 *)out)[to + e], s[e] * by);
          else from_float(((bf16 *)out)[to + e], s[e] * by);
        }
        continue;
      }
      *(f32x4 *)(partial + slot * D + at) = s;
      if (at % D == 0) state[2 * (slot + i)] = high, state[2 * (slot + i) + 1] = weight;
    }
    sync(); // the queries of the next item are in shared memory, and tops may be overwritten
  }
  copy_wait<0>();
}

// A block puts the results of a query head's shares together, its warps every fourth of them, in their order.
template <int D>
DEVICE void join(void *out, int half, const Part *parts, const int *steps, const float *partial, const float *state, const float *sinks, int heads) {
  const int batch = 9, N = D / 32; // shares under way; a lane's channels
  __shared__ float tops[warps], totals[warps], sums[warps][D];
  next();
  Part p = parts[block_x()];
  int splits = Shares(p.held + *steps + 1).parts;
  wait();
  if (splits == 1) return; // the only share has written the result
  float m = -INF, all = 0.f, sum[N];
  UNROLL for (int e = 0; e < N; e++) sum[e] = 0.f;
  for (int first = warp(); first < splits; first += batch * warps) {
    float top[batch], total[batch], x[batch][N], high = m;
    UNROLL for (int j = 0; j < batch; j++) {
      int i = first + j * warps;
      i64 slot = p.slot + (i64)min(i, splits - 1) * p.stride;
      f32x2 both = *(const f32x2 *)(state + 2 * slot);
      take(x[j], partial + slot * D + N * lane());
      top[j] = i < splits ? both.x : -INF, total[j] = both.y, high = max(high, top[j]);
    }
    if (high == -INF) continue;
    float f = exp2(m - high);
    m = high, all *= f;
    UNROLL for (int e = 0; e < N; e++) sum[e] *= f;
    UNROLL for (int j = 0; j < batch; j++) {
      f = exp2(top[j] - m); // 0 where there is no share
      if (top[j] == -INF) continue;
      all = fma(total[j], f, all);
      UNROLL for (int e = 0; e < N; e++) sum[e] = fma(x[j][e], f, sum[e]);
    }
  }
  if (lane() == 0) tops[warp()] = m, totals[warp()] = all;
  UNROLL for (int e = 0; e < N; e++) sums[warp()][N * lane() + e] = sum[e];
  sync();
  if (thread() >= D) return;
  float high = -INF, s = 0.f, weight = 0.f;
  UNROLL for (int w = 0; w < warps; w++) high = max(high, tops[w]);
  UNROLL for (int w = 0; w < warps; w++) {
    float f = tops[w] == -INF ? 0.f : exp2(tops[w] - high);
    s = fma(sums[w][thread()], f, s), weight = fma(totals[w], f, weight);
  }
  if (sinks) s *= settle(high, weight, sinks[p.query % heads] * LOG2E);
  i64 to = (i64)p.query * D + thread();
  if (half) from_float(((f16 *)out)[to], s / weight);
  else from_float(((bf16 *)out)[to], s / weight);
}
#define JOIN(D) \
  KERNEL __launch_bounds__(128) attend_codes_join_##D(void *out, int half, const Part *parts, const int *steps, const float *partial, const float *state, \
      const float *sinks, int heads) { join<D>(out, half, parts, steps, partial, state, sinks, heads); }
JOIN(64)
JOIN(128)

#define ONE(MK, MV, K, V, D, name, few) \
  KERNEL __launch_bounds__(128, K<D>::size == 2 * D ? 2 : few && !K<D>::unit ? 4 : 3) attend_codes_##name(void *out, const void *q, int half, const Codes *items, int count, \
      const int *steps, float *partial, float *state, int window, float scale, float cap, const float *sinks, int heads) { \
    attend<MK, MV, K<D>, V<D>, D, few>(out, q, half, items, count, steps, partial, state, window, scale, cap, sinks, heads); \
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
