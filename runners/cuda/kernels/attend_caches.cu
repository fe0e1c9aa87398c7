// attend_caches: the attention of decoding. Each row's queries attend to everything
// that its caches hold, the token just appended included. A block takes one chunk of a
// head's keys (an Item) and the query heads that share the head; the head's last block to
// finish puts the chunks together, in their order. Chunks depend on the head's own length
// alone, so a row's bits do not depend on the other rows.
// out and q (rows, heads, d). partial (slots, d) and state (slots, 2: maximum of
// the logits in units of log2, sum) hold the chunks' results; arrived counts a
// head's finished chunks and is left at zero.
#include "batch.h"

DEVICE float load_fresh(const float *p) { // from L2: another block wrote it
  float v;
  asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(p) : "memory");
  return v;
}

// Eight elements of a row that has `left` more, converted to float when asked for.
template <typename T> struct Packed { // rows of a multiple of eight, aligned
  u32x4 w;
  DEVICE void clear() { w = u32x4{0, 0, 0, 0}; }
  DEVICE void load(const T *p, int left) { w = left > 0 ? *(const u32x4 *)p : u32x4{0, 0, 0, 0}; }
  DEVICE void get(float (&v)[8]) { unpack8<T>(v, w); }
};
template <typename T> struct Loose { // any
  float w[8];
  DEVICE void clear() { UNROLL for (int e = 0; e < 8; e++) w[e] = 0.f; }
  DEVICE void load(const T *p, int left) { load8_edge(w, p, left); }
  DEVICE void get(float (&v)[8]) { UNROLL for (int e = 0; e < 8; e++) v[e] = w[e]; }
};

const int warps = 8;

// Turns the logits of count queries (in units of log2) into powers; their maxima and sums.
template <int G> DEVICE void softmax(float (&weight)[G][chunk], float (&top)[G], float (&total)[G], int count) {
  for (int g = warp(); g < count; g += warps) {
    float x[chunk / 32], m = -INF, s = 0.f;
    UNROLL for (int i = 0; i < chunk / 32; i++) m = max(m, x[i] = weight[g][i * 32 + lane()]);
    m = max_warp(m);
    UNROLL for (int i = 0; i < chunk / 32; i++) {
      x[i] = m == -INF ? 0.f : exp2(x[i] - m);
      s += x[i];
      weight[g][i * 32 + lane()] = x[i];
    }
    s = sum_warp(s);
    if (lane() == 0) top[g] = m, total[g] = s;
  }
}

// The warps' sums for queries g0 … g0+count of the head: the result where the head is
// one chunk, else this chunk's part.
template <typename T, int G, int W>
DEVICE void leave(Way way, T *out, float *partial, float *state, const Item &item, const Place &p, int g0, int count, int d, const float (&sums)[warps][G][W],
                  const float (&top)[G], const float (&total)[G]) {
  i64 slot = item.slot + (i64)item.split * item.group + g0;
  for (int at = thread(); at < count * d; at += threads()) {
    int g = at / d, e = at % d;
    float s = sums[0][g][e];
    UNROLL for (int w = 1; w < warps; w++) s += sums[w][g][e];
    if (p.splits == 1) {
      float all = total[g];
      if constexpr (WAY != WAY_PLAIN) {
        float high = top[g];
        s *= settle(high, all, sink(way, (item.query + g0 + g) % way.heads));
      }
      from_float(out[(i64)(g0 + g) * d + e], s / all);
    } else partial[(slot + g) * d + e] = s;
  }
  if (p.splits > 1 && thread() < count) {
    state[(slot + thread()) * 2] = top[thread()];
    state[(slot + thread()) * 2 + 1] = total[thread()];
  }
}

// The head's last block to come here puts the chunks together. The warps share out the
// query heads and, where there are fewer heads than warps, the chunks as well: warp u takes
// chunks part, part+parts, … of head u/parts, and the parts are added up in order.
// room has 8·d floats.
template <typename T>
DEVICE void join(Way way, T *out, const float *partial, const float *state, int *arrived, const Item &item, const Place &p, int d, float *room) {
  __shared__ int last;
  __shared__ float tops[warps], totals[warps];
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
  sync();
  if (thread() == 0) {
    int before;
    asm volatile("atom.acq_rel.gpu.global.add.s32 %0, [%1], 1;" : "=r"(before) : "l"(arrived + item.head) : "memory");
    last = before == p.splits - 1;
    if (last) arrived[item.head] = 0;
  }
  sync();
  if (!last) return;
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
  const int batch = 4, most = 8; // chunks in flight; elements of a row that a lane has
  int parts = max(1, warps / item.group);
  for (int u = warp(); u < item.group * parts; u += warps) {
    int g = u / parts, part = u % parts;
    float m = -INF, all = 0.f, sum[most];
    UNROLL for (int e = 0; e < most; e++) sum[e] = 0.f;
    for (int i0 = part; i0 < p.splits; i0 += batch * parts) {
      float mi[batch], li[batch], x[batch][most], high = m;
      UNROLL for (int j = 0; j < batch; j++) {
        int i = i0 + j * parts;
        i64 slot = item.slot + (i64)min(i, p.splits - 1) * item.group + g;
        mi[j] = load_fresh(state + 2 * slot);
        li[j] = load_fresh(state + 2 * slot + 1);
        UNROLL for (int e = 0; e < most; e++)
          if (32 * e < d) x[j][e] = lane() + 32 * e < d ? load_fresh(partial + slot * d + lane() + 32 * e) : 0.f;
        if (i >= p.splits) mi[j] = -INF;
      }
      UNROLL for (int j = 0; j < batch; j++) high = max(high, mi[j]);
      if (high == -INF) continue;
      float f = exp2(m - high);
      m = high;
      all *= f;
      UNROLL for (int e = 0; e < most; e++) sum[e] *= f;
      UNROLL for (int j = 0; j < batch; j++) {
        if (mi[j] == -INF) continue;
        f = exp2(mi[j] - m);
        all = fma(li[j], f, all);
        UNROLL for (int e = 0; e < most; e++)
          if (32 * e < d) sum[e] = fma(x[j][e], f, sum[e]);
      }
    }
    if (parts == 1) {
      float f = 1.f;
      if constexpr (WAY != WAY_PLAIN) f = settle(m, all, sink(way, (item.query + g) % way.heads));
      UNROLL for (int e = 0; e < most; e++)
        if (lane() + 32 * e < d) from_float(out[(i64)g * d + lane() + 32 * e], sum[e] * f / all);
      continue;
    }
    if (lane() == 0) tops[u] = m, totals[u] = all;
    UNROLL for (int e = 0; e < most; e++)
      if (lane() + 32 * e < d) room[u * d + lane() + 32 * e] = sum[e];
  }
  if (parts == 1) return;
  sync();
  for (int at = thread(); at < item.group * d; at += threads()) {
    int g = at / d, e = at % d;
    float m = -INF, sum = 0.f, all = 0.f;
    for (int u = g * parts; u < (g + 1) * parts; u++) m = max(m, tops[u]);
    for (int u = g * parts; u < (g + 1) * parts; u++) {
      if (tops[u] == -INF) continue;
      float f = exp2(tops[u] - m);
      all = fma(totals[u], f, all);
      sum = fma(room[u * d + e], f, sum);
    }
    if constexpr (WAY != WAY_PLAIN) sum *= settle(m, all, sink(way, (item.query + g) % way.heads));
    from_float(out[at], sum / all);
  }
}

// Items here have chunk keys each.
DEVICE bool find(Place &p, const Item &item, int now, int window) {
  int first = item.split * chunk;
  return p.find(item, now, window, first, first + chunk, (item.held + now + chunk) / chunk);
}

// One query head at a time: LANES lanes hold a key, eight elements each (d ≤ 8·LANES);
// `ahead` loads are in flight, and the first values are loaded during the softmax. For
// query heads with a cache of their own, for heads larger than attend_group takes, and for
// any type. (Bringing all keys and values through shared memory by cp.async at once was
// tried: it is a sixth slower.)
template <typename T, typename Eight, int LANES, int ahead>
DEVICE void attend_single(T *out, const T *q, const Item *items, const int *steps, float *partial, float *state, int *arrived,
                          int d, int window, float scale, Way way) {
  const int keys = 32 / LANES, turns = chunk / (warps * keys);
  __shared__ float weight[1][chunk];
  __shared__ float sums[warps][1][8 * LANES];
  __shared__ float top[1], total[1];
  next();
  wait();
  Item item = items[block_x()];
  Place p;
  if (!find(p, item, *steps, window)) return;
  float units = scale * LOG2E;
  Bend bend(units, way);
  int part = lane() % LANES, left = d - 8 * part;
  q += (i64)item.query * d;
  out += (i64)item.query * d;
  const T *k = (const T *)item.k + 8 * part, *v = (const T *)item.v + 8 * part;
  auto place = [&](int turn) INLINE { return (turn * warps + warp()) * keys + lane() / LANES; };
  auto load = [&](Eight (&x)[ahead], const T *from, int turn) INLINE {
    UNROLL for (int u = 0; u < ahead; u++) {
      int i = p.begin + place(turn + u);
      if (i < p.end) x[u].load(from + (i64)i * d, left);
      else x[u].clear();
    }
  };

  for (int g = 0; g < item.group; g++) {
    Eight x[ahead];
    load(x, k, 0);
    float query[8];
    Eight own;
    own.load(q + (i64)g * d + 8 * part, left);
    own.get(query);
    UNROLL for (int e = 0; e < 8; e++) query[e] *= units;
    for (int turn = 0; turn < turns; turn += ahead) {
      if (turn > 0) load(x, k, turn);
      UNROLL for (int u = 0; u < ahead; u++) {
        int at = place(turn + u);
        float key[8], s = 0.f;
        x[u].get(key);
        UNROLL for (int e = 0; e < 8; e++) s = fma(query[e], key[e], s);
        UNROLL for (int m = LANES / 2; m; m >>= 1) s += shuffle_xor(s, m);
        if (part == 0) weight[0][at] = p.sees(item, p.begin + at) ? bend(s) : -INF;
      }
    }
    load(x, v, 0);
    sync();
    softmax(weight, top, total, 1);
    sync();
    float sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int turn = 0; turn < turns; turn += ahead) {
      if (turn > 0) load(x, v, turn);
      UNROLL for (int u = 0; u < ahead; u++) {
        float value[8], w = weight[0][place(turn + u)];
        x[u].get(value);
        UNROLL for (int e = 0; e < 8; e++) sum[e] = fma(w, value[e], sum[e]);
      }
    }
    UNROLL for (int e = 0; e < 8; e++) {
      UNROLL for (int m = LANES; m < 32; m <<= 1) sum[e] += shuffle_xor(sum[e], m);
      if (lane() < LANES) sums[warp()][0][8 * part + e] = sum[e];
    }
    sync();
    leave(way, out, partial, state, item, p, g, 1, d, sums, top, total);
    sync();
  }
  if (p.splits > 1) join(way, out, partial, state, arrived, item, p, d, &sums[0][0][0]);
}

// Eight query heads at a time on the tensor cores, for groups (a single head would be a
// quarter slower this way): d is a multiple of eight, at most 32·STEPS. A warp has two
// tiles of 16 keys. Keys and values go from memory straight to registers, 16 bytes a lane,
// and the order of the columns is chosen to suit that: lane g·4+t has, of K, columns
// 8t … 8t+7 of each 32 of keys g and g+8, and of V columns 8g … 8g+7 of each 64 of keys
// 2t, 2t+1, 2t+8, 2t+9.
template <typename T, int STEPS>
DEVICE void attend_group(T *out, const T *q, const Item *items, const int *steps, float *partial, float *state, int *arrived,
                         int d, int window, float scale, Way way) {
  const int G = 8, halves = STEPS / 2, tiles = chunk / (16 * warps);
  __shared__ float weight[G][chunk];
  __shared__ float sums[warps][G][32 * STEPS];
  __shared__ float top[G], total[G];
  next();
  wait();
  Item item = items[block_x()];
  Place p;
  if (!find(p, item, *steps, window)) return;
  float units = scale * LOG2E;
  Bend bend(units, way);
  int g = lane() >> 2, t = lane() & 3;
  q += (i64)item.query * d;
  out += (i64)item.query * d;
  const T *k = (const T *)item.k, *v = (const T *)item.v;
  auto load = [&](const T *from, int key, int column) INLINE {
    u32x4 x = {0, 0, 0, 0};
    if (key < p.end && column < d) x = *(const u32x4 *)(from + (i64)key * d + column);
    return x;
  };
  auto place = [&](int tile) INLINE { return (tile * warps + warp()) * 16; };
  auto load_values = [&](u32x4 (&x)[tiles][4], int half) INLINE {
    UNROLL for (int j = 0; j < tiles; j++) {
      int key = p.begin + place(j) + 2 * t, column = 64 * half + 8 * g;
      x[j][0] = load(v, key, column), x[j][1] = load(v, key + 1, column);
      x[j][2] = load(v, key + 8, column), x[j][3] = load(v, key + 9, column);
    }
  };

  for (int g0 = 0; g0 < item.group; g0 += G) {
    int count = min(G, item.group - g0);
    {
      u32x4 x[tiles][2][STEPS], query[STEPS];
      UNROLL for (int j = 0; j < tiles; j++)
        UNROLL for (int s = 0; s < STEPS; s++)
          UNROLL for (int h = 0; h < 2; h++) x[j][h][s] = load(k, p.begin + place(j) + g + 8 * h, 32 * s + 8 * t);
      UNROLL for (int s = 0; s < STEPS; s++) {
        query[s] = u32x4{0, 0, 0, 0};
        if (g < count && 32 * s + 8 * t < d) query[s] = *(const u32x4 *)(q + (i64)(g0 + g) * d + 32 * s + 8 * t);
      }
      UNROLL for (int j = 0; j < tiles; j++) {
        float c[4] = {0, 0, 0, 0};
        UNROLL for (int s = 0; s < STEPS; s++) {
          mma<T>(c, x[j][0][s].x, x[j][1][s].x, x[j][0][s].y, x[j][1][s].y, query[s].x, query[s].y);
          mma<T>(c, x[j][0][s].z, x[j][1][s].z, x[j][0][s].w, x[j][1][s].w, query[s].z, query[s].w);
        }
        UNROLL for (int h = 0; h < 2; h++) {
          int at = place(j) + g + 8 * h;
          bool seen = p.sees(item, p.begin + at);
          UNROLL for (int e = 0; e < 2; e++) weight[2 * t + e][at] = seen ? bend(c[2 * h + e]) * units : -INF;
        }
      }
    }
    u32x4 x[tiles][4], ahead[tiles][4];
    load_values(x, 0);
    sync();
    softmax(weight, top, total, count);
    sync();
    u32 power[tiles][2];
    UNROLL for (int j = 0; j < tiles; j++) {
      const float *w = &weight[g][place(j) + 2 * t];
      power[j][0] = g < count ? pack<T>(w[0], w[1]) : 0;
      power[j][1] = g < count ? pack<T>(w[8], w[9]) : 0;
    }
    UNROLL for (int h = 0; h < halves; h++) {
      if (h + 1 < halves) load_values(ahead, h + 1);
      UNROLL for (int e = 0; e < 8; e++) {
        float c[4] = {0, 0, 0, 0};
        UNROLL for (int j = 0; j < tiles; j++) {
          u32 select = e % 2 ? 0x7632 : 0x5410; // the high or the low halves of two words
          u32 b0 = __nvvm_prmt(x[j][0][e / 2], x[j][1][e / 2], select), b1 = __nvvm_prmt(x[j][2][e / 2], x[j][3][e / 2], select);
          mma<T>(c, power[j][0], 0, power[j][1], 0, b0, b1);
        }
        sums[warp()][g][64 * h + 16 * t + e] = c[0];
        sums[warp()][g][64 * h + 16 * t + 8 + e] = c[1];
      }
      UNROLL for (int j = 0; j < tiles; j++) UNROLL for (int i = 0; i < 4; i++) x[j][i] = ahead[j][i];
    }
    sync();
    leave(way, out, partial, state, item, p, g0, count, d, sums, top, total);
    sync();
  }
  if (p.splits > 1) join(way, out, partial, state, arrived, item, p, d, &sums[0][0][0]);
}

#define ARGUMENTS(T) T *out, const T *q, const Item *items, const int *steps, float *partial, float *state, int *arrived, \
    int d, int window, float scale WAY_PARAMETERS
#define SINGLE(T, name, Eight, LANES, ahead) \
  KERNEL __launch_bounds__(256, 2) NAME(attend_single_##name)(ARGUMENTS(T)) { \
    attend_single<T, Eight<T>, LANES, ahead>(out, q, items, steps, partial, state, arrived, d, window, scale, WAY_ARGUMENTS); \
  }
#define GROUP(T, name, STEPS) \
  KERNEL __launch_bounds__(256, 2) NAME(attend_group_##name)(ARGUMENTS(T)) { \
    attend_group<T, STEPS>(out, q, items, steps, partial, state, arrived, d, window, scale, WAY_ARGUMENTS); \
  }
#define INSTANCE(T, name) \
  SINGLE(T, 64_##name, Packed, 8, 8) SINGLE(T, 128_##name, Packed, 16, 8) SINGLE(T, 256_##name, Packed, 32, 8) \
  SINGLE(T, plain_##name, Loose, 32, 2) GROUP(T, 64_##name, 2) GROUP(T, 128_##name, 4)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
SINGLE(float, plain_f32, Loose, 32, 2)

#if WAY == WAY_PLAIN
// advance: *steps += 1. The kernel after it may not start early, so *steps and what the
// caches held before the step are safe to read before wait().
KERNEL advance(int *steps) {
  wait();
  *steps += 1;
}
#endif
