// attend_caches: decoding. Each row's queries over everything its caches hold,
// the token just appended included. A block has one head's chunk of keys (an
// Item) and the query heads that share the head; the last block of a head to
// finish puts the chunks together, in their order. Chunks depend on the head's
// own length alone, so a row's bits do not depend on the other rows.
// out and q (rows, heads, d). partial (slots, d) and state (slots, 2: maximum of
// the logits in units of log2, sum) hold the chunks' results; arrived counts a
// head's finished chunks and is left at zero.
#include "batch.h"

DEVICE float load_fresh(const float *p) { // from the second cache: another block wrote it
  float v;
  asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(p) : "memory");
  return v;
}

// Eight elements of a row of which left remain, as floats when asked for.
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

// LANES lanes hold a key, eight numbers each (d ≤ 8·LANES); G query heads at a
// time; ahead loads in flight.
template <typename T, typename Eight, int LANES, int G, int ahead>
DEVICE void attend_caches(T *out, const T *q, const Row *rows, const Head *caches, const Item *items, const int *steps,
                          float *partial, float *state, int *arrived, int heads, int d, int window, float scale) {
  const int warps = 4, keys = 32 / LANES, turns = chunk / (warps * keys);
  __shared__ float weight[G][chunk];
  __shared__ float sums[warps][G][8 * LANES];
  __shared__ float top[G], total[G];
  __shared__ int last;
  next();
  wait();
  Item item = items[block_x()];
  Head cache = caches[item.head];
  Row row = rows[cache.row];
  int length = cache.held + *steps + 1, begin = item.split * chunk;
  if (begin >= length) return;
  int end = min(begin + chunk, length), splits = (length + chunk - 1) / chunk;
  int group = heads / row.heads, first = (item.head - row.first) * group;
  int part = lane() % LANES, left = d - 8 * part;
  q += ((i64)cache.row * heads + first) * d;
  out += ((i64)cache.row * heads + first) * d;
  const T *k = (const T *)cache.k + 8 * part, *v = (const T *)cache.v + 8 * part;
  const int *positions = (const int *)cache.positions;
  int lowest = window > 0 ? row.position + *steps - window + 1 : 0; // the first position seen
  auto seen = [&](int i) INLINE {
    if (window <= 0) return true;
    int position = i >= cache.held ? row.position + i - cache.held : positions ? positions[i] : i;
    return position >= lowest;
  };

  for (int g0 = 0; g0 < group; g0 += G) {
    int count = min(G, group - g0);
    float query[G][8];
    UNROLL for (int g = 0; g < G; g++) {
      Eight x;
      if (g < count) x.load(q + (i64)(g0 + g) * d + 8 * part, left);
      else x.clear();
      x.get(query[g]);
      UNROLL for (int e = 0; e < 8; e++) query[g][e] *= scale * LOG2E;
    }
    for (int t0 = 0; t0 < turns; t0 += ahead) {
      Eight x[ahead];
      UNROLL for (int u = 0; u < ahead; u++) {
        int i = begin + ((t0 + u) * warps + warp()) * keys + lane() / LANES;
        if (i < end) x[u].load(k + (i64)i * d, left);
        else x[u].clear();
      }
      UNROLL for (int u = 0; u < ahead; u++) {
        int at = ((t0 + u) * warps + warp()) * keys + lane() / LANES, i = begin + at;
        bool valid = i < end && seen(i);
        float key[8];
        x[u].get(key);
        UNROLL for (int g = 0; g < G; g++) {
          float s = 0.f;
          UNROLL for (int e = 0; e < 8; e++) s = fma(query[g][e], key[e], s);
          UNROLL for (int m = LANES / 2; m; m >>= 1) s += shuffle_xor(s, m);
          if (part == 0) weight[g][at] = valid ? s : -INF;
        }
      }
    }
    sync();
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
    sync();
    float sum[G][8];
    UNROLL for (int g = 0; g < G; g++)
      UNROLL for (int e = 0; e < 8; e++) sum[g][e] = 0.f;
    for (int t0 = 0; t0 < turns; t0 += ahead) {
      Eight x[ahead];
      UNROLL for (int u = 0; u < ahead; u++) {
        int i = begin + ((t0 + u) * warps + warp()) * keys + lane() / LANES;
        if (i < end) x[u].load(v + (i64)i * d, left);
        else x[u].clear();
      }
      UNROLL for (int u = 0; u < ahead; u++) {
        int at = ((t0 + u) * warps + warp()) * keys + lane() / LANES;
        float value[8];
        x[u].get(value);
        UNROLL for (int g = 0; g < G; g++) {
          float p = weight[g][at];
          UNROLL for (int e = 0; e < 8; e++) sum[g][e] = fma(p, value[e], sum[g][e]);
        }
      }
    }
    UNROLL for (int g = 0; g < G; g++)
      UNROLL for (int e = 0; e < 8; e++) {
        UNROLL for (int m = LANES; m < 32; m <<= 1) sum[g][e] += shuffle_xor(sum[g][e], m);
        if (lane() < LANES) sums[warp()][g][8 * part + e] = sum[g][e];
      }
    sync();
    for (int at = thread(); at < count * d; at += threads()) {
      int g = at / d, e = at % d;
      float s = sums[0][g][e];
      UNROLL for (int w = 1; w < warps; w++) s += sums[w][g][e];
      if (splits == 1) from_float(out[(i64)(g0 + g) * d + e], s / total[g]);
      else partial[(item.slot + (i64)item.split * group + g0 + g) * d + e] = s;
    }
    if (splits > 1 && thread() < count) {
      float *to = state + (item.slot + (i64)item.split * group + g0 + thread()) * 2;
      to[0] = top[thread()];
      to[1] = total[thread()];
    }
    sync();
  }
  if (splits == 1) return;

  asm volatile("fence.acq_rel.gpu;" ::: "memory");
  sync();
  if (thread() == 0) {
    int before;
    asm volatile("atom.acq_rel.gpu.global.add.s32 %0, [%1], 1;" : "=r"(before) : "l"(arrived + item.head) : "memory");
    last = before == splits - 1;
    if (last) arrived[item.head] = 0;
  }
  sync();
  if (!last) return;
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
  for (int at = thread(); at < group * d; at += threads()) {
    int g = at / d, e = at % d;
    const float *from = partial + ((i64)item.slot + g) * d + e, *s = state + ((i64)item.slot + g) * 2;
    const int batch = 4; // loads in flight
    float m = -INF, sum = 0.f, all = 0.f;
    for (int i0 = 0; i0 < splits; i0 += batch)
      UNROLL for (int j = 0; j < batch; j++)
        if (i0 + j < splits) m = max(m, load_fresh(s + 2 * (i64)(i0 + j) * group));
    for (int i0 = 0; i0 < splits; i0 += batch) {
      float mi[batch], li[batch], x[batch];
      UNROLL for (int j = 0; j < batch; j++) {
        i64 i = min(i0 + j, splits - 1);
        mi[j] = load_fresh(s + 2 * i * group);
        li[j] = load_fresh(s + 2 * i * group + 1);
        x[j] = load_fresh(from + i * group * d);
      }
      UNROLL for (int j = 0; j < batch; j++) {
        if (i0 + j >= splits || mi[j] == -INF) continue;
        float f = exp2(mi[j] - m);
        all = fma(li[j], f, all);
        sum = fma(x[j], f, sum);
      }
    }
    from_float(out[(i64)g * d + e], sum / all);
  }
}

#define ONE(T, name, Eight, LANES, G, ahead) \
  KERNEL __launch_bounds__(128) attend_caches_##name(T *out, const T *q, const Row *rows, const Head *caches, \
      const Item *items, const int *steps, float *partial, float *state, int *arrived, int heads, int d, int window, \
      float scale) { \
    attend_caches<T, Eight<T>, LANES, G, ahead>(out, q, rows, caches, items, steps, partial, state, arrived, heads, d, window, scale); \
  }
#define FAST(T, name) \
  ONE(T, 8x1_##name, Packed, 8, 1, 8) ONE(T, 8x4_##name, Packed, 8, 4, 4) ONE(T, 8x8_##name, Packed, 8, 8, 2) \
  ONE(T, 16x1_##name, Packed, 16, 1, 8) ONE(T, 16x4_##name, Packed, 16, 4, 4) ONE(T, 16x8_##name, Packed, 16, 8, 2) \
  ONE(T, 32x1_##name, Packed, 32, 1, 8) ONE(T, 32x4_##name, Packed, 32, 4, 4) ONE(T, 32x8_##name, Packed, 32, 8, 2)
FAST(f16, f16)
FAST(bf16, bf16)
ONE(float, plain_f32, Loose, 32, 1, 2)
ONE(f16, plain_f16, Loose, 32, 1, 2)
ONE(bf16, plain_bf16, Loose, 32, 1, 2)

// advance: *steps += 1.
KERNEL advance(int *steps) {
  next();
  wait();
  *steps += 1;
}
