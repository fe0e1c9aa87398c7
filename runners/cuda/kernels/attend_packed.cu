// attend_packed: the attention of decoding over caches in formats that attend_codes.cu does not have: KIVI, heads that are
// not of 64 or 128, and float32, which is for judging. All sums are of float32.
//
// A block has a share of a head's keys (Cached) and up to Q of its query heads. A warp takes every fourth
// tile of 32 keys: the codes come to shared memory by cp.async, the values' while keys are multiplied and the next keys' while values
// are; L neighbouring lanes have a vector, eight numbers each, and read four vectors at a time (pieces.h), so
// that a number is made of its code once for all query heads. What a residual has is read where it lies.
// A share depends on the head's own length alone, so a row's bits do not depend on the other rows.
#include "pieces.h"
#include "turn.h"
#include "way.h"

struct Cached { // a cache head, and query heads of it: in packedbatch.go
  u64 k, v, positions;
  int held, position, query, count, slot, zero; // slot: of its first partial result; share s of query q has slot + s·count + q
  float keyScale, valueScale;
  Spec spec;
};
struct Entry { int cached, split; };
struct Part { int slot, stride, query, held; }; // a query head of a row

#ifndef KIVI
#define KIVI 0
#endif
const bool kivi = KIVI;
const int warps = 4, unit = 128, each = 4; // keys of which shares are made; vectors a lane reads at a time

// How a head's keys are shared out, as in attend_packed.go.
struct Shares {
  int parts, size, more;
  DEVICE Shares(int length) {
    int units = (length + unit - 1) / unit;
    parts = min(units, max(16, (length + 255) / 256));
    size = units / parts;
    more = units - parts * size;
  }
  DEVICE int first(int split) const { return (split * size + min(split, more)) * unit; }
};

// Arrays of the device's type: 0 float32, 1 bfloat16, 2 float16.
DEVICE float get(const void *p, int kind, i64 i) {
  return kind == 0 ? ((const float *)p)[i] : kind == 1 ? to_float(((const bf16 *)p)[i]) : to_float(((const f16 *)p)[i]);
}
DEVICE void put(void *p, int kind, i64 i, float x) {
  if (kind == 0) ((float *)p)[i] = x;
  else if (kind == 1) from_float(((bf16 *)p)[i], x);
  else from_float(((f16 *)p)[i], x);
}

// A warp's copy of `bytes` from any address to where the address's place among 16 bytes is the same.
DEVICE void bring(u8 *to, u64 from, int bytes) {
  int before = (int)(from & 15);
  for (int i = 16 * lane(); i < before + bytes; i += 16 * 32)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to) + i), "l"(from - before + i), "r"(min(16, before + bytes - i)) : "memory");
}

// Sums s over L neighbouring lanes, of which each then has the N/L sums, or the one, from first·N/L on, first its number.
template <int N, int L> DEVICE void share_sums(float (&s)[N]) {
  int n = N;
  UNROLL for (int m = L / 2; m; m /= 2) {
    if (n == 1) {
      s[0] += shuffle_xor(s[0], m);
      continue;
    }
    n /= 2;
    bool up = lane() & m;
    UNROLL for (int i = 0; i < N / 2; i++) {
      if (i >= n) break;
      float a = s[i], b = s[i + n];
      s[i] = (up ? b : a) + shuffle_xor(up ? a : b, m);
    }
  }
}
template <int N, int L> DEVICE void put_sums(float *to, float (&s)[N]) {
  share_sums<N, L>(s);
  UNROLL for (int i = 0; i < (N > L ? N / L : 1); i++) to[lane() % L * N / L + i] = s[i];
}

// The powers of a key, zeros where it is not there.
template <int N> DEVICE void take(float (&p)[N], const float *from) {
  if constexpr (N == 4) {
    f32x4 w = *(const f32x4 *)from;
    UNROLL for (int i = 0; i < 4; i++) p[i] = w[i];
  } else {
    UNROLL for (int i = 0; i < N; i++) p[i] = from[i];
  }
}

// Number by number, of heads that are no multiple of eight.
DEVICE void decode_slowly(int format, float (&x)[each][8], const u8 *const (&rows)[each], int entry, int at, int d, float scale, const float *levels) {
  UNROLL for (int k = 0; k < each; k++)
    for (int i = 0; i < 8; i++) {
      float y = at + i < d ? decode(format, rows[k], at + i, d, scale, levels, entry + k) : 0.f;
      UNROLL for (int j = 0; j < 8; j++) x[k][j] = i == j ? y : x[k][j];
    }
}

// A number of which the compiler does not know that it stays the same: what each format makes of it would take registers.
DEVICE int hidden(int i) {
  asm volatile("" : "+r"(i));
  return i;
}

alignas(128) extern __shared__ u8 dynamic[]; // each warp's keys and values; at last sums (warps, Q, 8L)

// pieces: heads are multiples of eight.
template <int Q, int L, bool pieces>
DEVICE void attend(void *out, const void *q, int kind, const Cached *heads, const Entry *items, const int *steps, float *partial, float *state,
                   int d, int window, float scale, float cap, const float *sinks, int sunk) {
  const int pitch = 8 * L, batch = 32 / L * each;
  alignas(16) __shared__ float turned[Q * pitch], scores[warps][32 * Q], squares[warps][32];
  __shared__ float tops[warps][Q], totals[warps][Q], levels[16];
  next();
  wait();
  Entry entry = items[block_x()];
  const Cached &head = heads[entry.cached];
  const Spec &spec = head.spec;
  int now = *steps, length = head.held + now + 1, residual = kivi ? spec.residual : 0;
  Shares shares(length);
  int begin = shares.first(entry.split), end = min(shares.first(entry.split + 1), length), count = head.count;
  if (begin >= length) return;
  int lowest = window > 0 ? head.position + now - window + 1 : 0;
  int codedKeys = residual ? settled_keys(spec, length - 1) : length, codedValues = residual ? settled_values(spec, length - 1) : length; // as the last step left them
  const int keyFormat = spec.keyFormat, valueFormat = spec.valueFormat, keyBytes = spec.keyBytes, valueBytes = spec.valueBytes;
  const bool channels = kivi, tq = !kivi && tq_key(keyFormat);
  int tile = channels || 32 * (keyBytes + valueBytes) <= 17408 ? 32 : 16; // as in attend_packed.go
  int room = ((channels ? keyBytes : tile * keyBytes) + 63) / 16 * 16, both = room + (tile * valueBytes + 63) / 16 * 16;
  u8 *keys = dynamic + warp() * both, *values = keys + room;
  u64 k = head.k + (u64)residual * 2 * d, v = head.v + (u64)(residual ? residual + 1 : 0) * 2 * d; // codes

  auto place = [&](int n) INLINE { return begin + (n * warps + warp()) * tile; };
  auto key_address = [&](int j) INLINE { return k + (u64)(channels ? j / group : j) * keyBytes; };
  auto value_address = [&](int j) INLINE { return v + (u64)j * valueBytes; };
  auto bring_keys = [&](int n) INLINE {
    int j = place(n);
    if (j < end && j < codedKeys) bring(keys, key_address(j), channels ? keyBytes : min(tile, end - j) * keyBytes);
    copy_commit();
  };
  auto bring_values = [&](int n) INLINE {
    int j = place(n), rows = min(tile, min(end, codedValues) - j);
    if (rows > 0) bring(values, value_address(j), rows * valueBytes);
    copy_commit();
  };
  bring_keys(0);
  bring_values(0);

  for (int at = thread(); at < Q * pitch; at += threads()) {
    int i = at / pitch, e = at % pitch;
    turned[at] = i < count && e < d ? get(q, kind, (i64)(head.query + i) * d + e) : 0.f;
  }
  if (tq && thread() < 16) levels[thread()] = thread() < (keyFormat == formatTQKey4 ? 16 : 8) ? level(spec.levels, thread(), keyFormat == formatTQKey4 ? 4 : 3) : 0.f;
  sync();
  for (int i = 0; i < count; i++) turn(turned + i * pitch, d, spec.keyTurn, false);

  int own = lane() % L * 8, start = pieces ? min(own, d - 8) : own; // lanes behind the vector read its end, and have zeros of the query
  Reading keyReading{d, head.keyScale, 1.f / head.keyScale, levels}, valueReading{d, head.valueScale, 1.f / head.valueScale, levels};
  auto read_halves = [&](float (&x)[each][8], const u8 *const (&rows)[each], int at) INLINE { // of a residual
    if (pieces) {
      UNROLL for (int k = 0; k < each; k++) load8(x[k], (const f16 *)rows[k] + at);
    } else decode_slowly(formatF16, x, rows, 0, own, d, 1.f, spec.levels);
  };

  float units = cap > 0.f ? scale : scale * LOG2E;
  float top[Q], total[Q], sum[Q][8]; // total of this lane's keys
  UNROLL for (int i = 0; i < Q; i++) {
    top[i] = -INF, total[i] = 0.f;
    UNROLL for (int e = 0; e < 8; e++) sum[i][e] = 0.f;
  }
  float *score = scores[warp()];
  for (int n = 0; place(n) < end; n++) {
    int j = place(n), rows = min(tile, end - j), mine = lane() / L * each;
    bool seen = lane() < rows;
    if (seen && lowest > 0) {
      int key = j + lane();
      seen = (key >= head.held ? head.position + key - head.held : head.positions ? ((const int *)head.positions)[key] : key) >= lowest;
    }
    bool any = __nvvm_vote_ballot_sync(~0u, seen) != 0;
    copy_wait<1>();
    sync_warp();
    const u8 *tileKeys = keys + (key_address(j) & 15), *tileValues = values + (value_address(j) & 15);
    for (int first = 0; any && first < rows; first += batch) {
      float x[each][8];
      const u8 *at4[each];
      int at = hidden(start);
      if (kivi && j >= codedKeys) {
        UNROLL for (int i = 0; i < each; i++) at4[i] = (const u8 *)head.k + (u64)((j + min(first + mine + i, rows - 1)) % residual) * 2 * d;
        read_halves(x, at4, at);
      } else if (channels) {
        if (pieces) decode_channels(keyFormat, x, tileKeys, first + mine, at, d);
        else {
          UNROLL for (int i = 0; i < each; i++) at4[i] = tileKeys;
          decode_slowly(keyFormat, x, at4, first + mine, own, d, 1.f, spec.levels);
        }
      } else {
        UNROLL for (int i = 0; i < each; i++) at4[i] = tileKeys + min(first + mine + i, rows - 1) * keyBytes;
        if constexpr (pieces) decode<keysSide>(keyFormat, x, at4, at, keyReading);
        else decode_slowly(keyFormat, x, at4, 0, own, d, head.keyScale, spec.levels);
      }
      float s[each * Q];
      UNROLL for (int i = 0; i < Q; i++) {
        float y[8];
        load8(y, turned + i * pitch + own);
        UNROLL for (int h = 0; h < each; h++) {
          float part = 0.f;
          UNROLL for (int e = 0; e < 8; e++) part = fma(y[e], x[h][e], part);
          s[h * Q + i] = part;
        }
      }
      put_sums<each * Q, L>(score + (first + mine) * Q, s);
      if (tq) {
        float square[each];
        UNROLL for (int h = 0; h < each; h++) {
          square[h] = 0.f;
          UNROLL for (int e = 0; e < 8; e++) square[h] = own + e < d ? fma(x[h][e], x[h][e], square[h]) : square[h];
        }
        put_sums<each, L>(squares[warp()] + first + mine, square);
      }
    }
    sync_warp();
    float by = units;
    if (tq && any) by *= tq_length(keyFormat, tileKeys + min(lane(), rows - 1) * keyBytes, d, squares[warp()][lane()]);
    sync_warp();
    bring_keys(n + 1);
    if (any) {
      float s[Q];
      bool higher = false;
      UNROLL for (int i = 0; i < Q; i++) {
        s[i] = score[lane() * Q + i] * by;
        if (cap > 0.f) s[i] = cap * LOG2E * tanh(s[i] / cap);
        if (!seen) s[i] = -INF;
        higher = higher || s[i] > top[i] + 8.f;
      }
      if (__nvvm_vote_ballot_sync(~0u, higher)) { // seldom: what was summed is brought to a maximum that is 2^8 times the old one
        UNROLL for (int i = 0; i < Q; i++) {
          float peak = max(top[i], max_warp(s[i]));
          if (peak <= top[i] + 8.f) peak = top[i];
          float factor = peak == -INF ? 0.f : exp2(top[i] - peak);
          top[i] = peak, total[i] *= factor;
          UNROLL for (int e = 0; e < 8; e++) sum[i][e] *= factor;
        }
      }
      UNROLL for (int i = 0; i < Q; i++) {
        float p = exp2(s[i] - (top[i] == -INF ? 0.f : top[i]));
        total[i] += p;
        score[lane() * Q + i] = p;
      }
    }
    copy_wait<1>();
    sync_warp();
    int coded = max(0, min(rows, codedValues - j));
    auto add = [&](const float (&x)[each][8], int from, bool all, int lo, int hi) INLINE { // the values' of keys from lo up to hi, or of all
      float p[each][Q];
      UNROLL for (int h = 0; h < each; h++) take(p[h], score + (from + h) * Q);
      if (!all) {
        UNROLL for (int h = 0; h < each; h++)
          UNROLL for (int i = 0; i < Q; i++)
            if (from + h < lo || from + h >= hi) p[h][i] = 0.f;
      }
      UNROLL for (int h = 0; h < each; h++)
        UNROLL for (int i = 0; i < Q; i++)
          UNROLL for (int e = 0; e < 8; e++) sum[i][e] = fma(p[h][i], x[h][e], sum[i][e]);
    };
    for (int first = 0; any && first < rows; first += batch) {
      float x[each][8];
      const u8 *at4[each];
      int at = hidden(start);
      int from = first + mine;
      if (!kivi || first < coded) {
        UNROLL for (int i = 0; i < each; i++) at4[i] = tileValues + min(from + i, coded - 1) * valueBytes;
        if constexpr (pieces) decode<kivi ? kiviSide : valuesSide>(valueFormat, x, at4, at, valueReading);
        else decode_slowly(valueFormat, x, at4, 0, own, d, head.valueScale, spec.levels);
        add(x, from, !kivi || first + batch <= coded || coded == rows, 0, coded);
      }
      if (kivi && first + batch > coded && coded < rows) {
        UNROLL for (int i = 0; i < each; i++) at4[i] = (const u8 *)head.v + (u64)((j + max(coded, min(from + i, rows - 1))) % (residual + 1)) * 2 * d;
        read_halves(x, at4, at);
        add(x, from, first >= coded, coded, rows);
      }
    }
    sync_warp(); // all have read the tile
    bring_values(n + 1);
  }
  copy_wait<0>();

  UNROLL for (int i = 0; i < Q; i++) {
    UNROLL for (int e = 0; e < 8; e++)
      UNROLL for (int m = L; m < 32; m *= 2) sum[i][e] += shuffle_xor(sum[i][e], m);
    total[i] = sum_warp(total[i]);
    if (lane() == 0) tops[warp()][i] = top[i], totals[warp()][i] = total[i];
  }
  sync();
  float *sums = (float *)dynamic;
  if (lane() < L) {
    UNROLL for (int i = 0; i < Q; i++) store8(sums + (warp() * Q + i) * pitch + own, sum[i]);
  }
  sync();
  for (int to = thread(); to < count * d; to += threads()) {
    int i = to / d, e = to % d;
    float high = -INF, s = 0.f;
    UNROLL for (int w = 0; w < warps; w++) high = max(high, tops[w][i]);
    UNROLL for (int w = 0; w < warps; w++) s = fma(sums[(w * Q + i) * pitch + e], tops[w][i] == -INF ? 0.f : exp2(tops[w][i] - high), s);
    turned[i * pitch + e] = s;
  }
  sync();
  for (int i = 0; i < count; i++) turn(turned + i * pitch, d, spec.valueTurn, true);
  i64 slot = head.slot + (i64)entry.split * count;
  for (int to = thread(); to < count * d; to += threads()) {
    int i = to / d, e = to % d;
    float high = -INF, weight = 0.f, s = turned[i * pitch + e];
    UNROLL for (int w = 0; w < warps; w++) high = max(high, tops[w][i]);
    UNROLL for (int w = 0; w < warps; w++)
      if (tops[w][i] != -INF) weight = fma(totals[w][i], exp2(tops[w][i] - high), weight);
    if (shares.parts == 1) {
      if (sinks) s *= settle(high, weight, sinks[(head.query + i) % sunk] * LOG2E);
      put(out, kind, (i64)head.query * d + to, s / weight);
      continue;
    }
    partial[slot * d + to] = s;
    if (e == 0) state[2 * (slot + i)] = high, state[2 * (slot + i) + 1] = weight;
  }
}

#if !KIVI
// A block puts the results of a query head's shares together, a thread a channel.
KERNEL attend_packed_join(void *out, int kind, const Part *parts, const int *steps, const float *partial, const float *state, int d, const float *sinks, int heads) {
  next();
  wait();
  Part p = parts[block_x()];
  int splits = Shares(p.held + *steps + 1).parts, e = thread();
  if (splits == 1 || e >= d) return; // the only share has written the result
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
  put(out, kind, (i64)p.query * d + e, sum / all);
}
#endif

#if KIVI
#define PACKED(name) attend_packed_kivi_##name
#else
#define PACKED(name) attend_packed_##name
#endif
#define INSTANCE(Q, L, pieces, name) \
  KERNEL __launch_bounds__(128, Q == 1 ? 4 : 3) PACKED(name)(void *out, const void *q, int kind, const Cached *heads, const Entry *items, const int *steps, \
      float *partial, float *state, int d, int window, float scale, float cap, const float *sinks, int sunk) { \
    attend<Q, L, pieces>(out, q, kind, heads, items, steps, partial, state, d, window, scale, cap, sinks, sunk); \
  }
#define INSTANCES(L) INSTANCE(1, L, true, 1_##L) INSTANCE(2, L, true, 2_##L) INSTANCE(4, L, true, 4_##L)
INSTANCES(8)
INSTANCES(16)
INSTANCES(32)
INSTANCE(4, 32, false, slow)
