// attend_caches for compute capability 9.0: the attention of decoding, as described in
// attend_caches.cu, for 16-bit types and head sizes that are multiples of eight, at most
// 128, and 256.
//
// What limits decoding is reading the caches once, so the copy engine must never rest.
// Each multiprocessor has two blocks (one where heads are of 256), which stay and take items until none is left: the
// first three by the block's number, the others from a counter. Each warp has a ring of its
// own in shared memory, with the keys and values of 16 rows per stage, which is filled
// ahead, across items. The rings begin to fill before the kernels before this one have
// finished: all rows but the newest were there before this step (no kernel after advance
// starts early).
//
// Warp u takes the 16 rows from 16u, from 16(u+4), … of an item, for eight query heads at
// a time (the host gives larger groups several items), on the tensor cores, with a running
// maximum; the warps' sums are added up at the item's end. Where a head has several items,
// their results go to partial and state, and a second kernel puts them together. (Blocks
// that wait for each other's results would hang where not all of them run at once, as with
// two streams on a card.)
#include "batch.h"
#include "hopper.h"

const int G = 8;      // queries of an item, at most
const int warps = 4;  // of a block
const int tile = 16;  // rows of a stage
const int stages = 2; // of a warp's ring

// One query head of a row.
struct Part {
  int slot, stride; // split s of its head left slot + s·stride
  int query, held;  // as Item's
};

// How a head's keys are shared out to its items, as in attend_caches_sm90a.go: in units of
// one stage for every warp, so that all warps have the same number of stages; the first
// `more` items get one unit more.
struct Shares {
  int parts, each, more;
  DEVICE Shares(int length) {
    const int unit = warps * tile;
    int units = (length + unit - 1) / unit;
    parts = length <= 2304 ? max(min((length + 191) / 192, 4), (length + 287) / 288) : min((length + 255) / 256, 65);
    each = units / parts;
    more = units - parts * each;
  }
  DEVICE int first(int split) const { return (split * each + min(split, more)) * warps * tile; }
};

// sums (warps, G, d) float; queries (2, G, d); rings (warps, stages, 2, tile, d)
alignas(128) extern __shared__ u8 dynamic[];

// D is d for heads of 64, 128 and 256, 0 in the kernel for other sizes.
template <typename T, int D>
DEVICE void attend(T *out, const T *q, const Item *items, int count, const int *steps, float *partial, float *state,
                   int *counters, int anyD, int window, float scale, Way way) {
  const int d = D ? D : anyD, halves = D == 64 ? 1 : D == 256 ? 4 : 2, STEPS = 2 * halves, pairs = (halves + 1) / 2;
  alignas(8) __shared__ u64 barriers[warps][stages];
  __shared__ float top[warps][G], total[warps][G];
  __shared__ Item held[4]; // this block's nth item is held[n % 4], number order[n % 4] of all
  __shared__ int order[4];
  float *sums = (float *)dynamic;
  const u32 row = (u32)d * 2, bytes = tile * row;
  u8 *queries = dynamic + warps * G * d * 4, *ring = queries + 2 * G * row + warp() * stages * 2 * bytes;
  u32 barrier = shared_address(barriers[warp()]);
  const int blocks = (int)blocks_x(), now = *steps, g = lane() >> 2, t = lane() & 3;
  const int words = sizeof(Item) / 4;
  auto load = [&](int number) INLINE { return thread() < words && number < count ? ((const u32 *)&items[number])[thread()] : 0; };
  auto hold = [&](int n, int number, u32 word) INLINE {
    if (thread() < words) ((u32 *)&held[n % 4])[thread()] = word;
    if (thread() == 0) order[n % 4] = number;
  };
  UNROLL for (int n = 0; n < 3; n++) {
    int number = (int)block_x() + n * blocks;
    hold(n, number, load(number));
  }
  if (lane() == 0) {
    UNROLL for (int i = 0; i < stages; i++) barrier_init(barrier + 8 * i, 1);
    barriers_ready();
  }
  sync();
  next();

  // The copies run ahead: the next are those of rows key … end-1 of item n.
  struct { int n, key, end; } ahead = {0, 0, 0};
  int brought = 0, taken = 0, known = 3; // the first two count tiles; known counts the items that have been in held
  auto fill = [&](bool newest) INLINE {  // with the newest row or without it
    while (brought - taken < stages) {
      if (ahead.key >= ahead.end) { // this warp's first rows of the item
        if (ahead.n >= known || order[ahead.n % 4] >= count) return;
        const Item &item = held[ahead.n % 4];
        int length = item.held + now + 1;
        Shares shares(length);
        ahead.key = shares.first(item.split) + tile * warp(), ahead.end = min(shares.first(item.split + 1), length);
        if (ahead.key >= ahead.end) {
          ahead.n++;
          continue;
        }
      }
      const Item &item = held[ahead.n % 4];
      int rows = min(tile, ahead.end - ahead.key);
      if (!newest && ahead.key + rows > item.held + now) return;
      u32 stage = brought % stages, to = shared_address(ring) + stage * 2 * bytes, full = barrier + 8 * stage;
      if (lane() == 0) {
        barrier_expect(full, 2 * rows * row);
        copy_bytes(to, item.k + (u64)ahead.key * row, rows * row, full);
        copy_bytes(to + bytes, item.v + (u64)ahead.key * row, rows * row, full);
      }
      brought++;
      ahead.key += tile * warps;
      if (ahead.key >= ahead.end) ahead.n++;
    }
  };
  // The queries of item n, then zeros.
  auto ask = [&](int n) INLINE {
    const Item &item = held[n % 4];
    for (int i = thread(); i < G * d / 8; i += threads()) {
      u32x4 x = {0, 0, 0, 0};
      if (8 * i < item.group * d) x = *(const u32x4 *)(q + (i64)item.query * d + 8 * i);
      *(u32x4 *)(queries + n % 2 * G * row + 16 * i) = x;
    }
  };
  fill(false);
  wait();
  fill(true);
  ask(0);
  sync();

  int claimed = 0; // thread 0: which of the items from number 3·blocks on comes after the next two
  for (int n = 0; order[n % 4] < count; n++) {
    const Item &item = held[n % 4];
    const u8 *query = queries + n % 2 * G * row;
    int number = 3 * blocks + from_lane(claimed, 0); // of item n+2, in warp 0
    u32 word = n > 0 ? load(number) : 0;
    if (thread() == 0) asm volatile("atom.relaxed.gpu.global.add.s32 %0, [%1], 1;" : "=r"(claimed) : "l"(counters) : "memory");
    Place p;
    Shares shares(item.held + now + 1);
    bool there = p.find(item, now, window, shares.first(item.split), shares.first(item.split + 1), shares.parts);
    // For query g: the maximum (in units of log2), and the sum over this lane's keys. O[c][e]
    // holds, for queries 2t and 2t+1, the sums of column 128c+8g+e, then those of 128c+64+8g+e.
    float m = -INF, all = 0.f, O[pairs][8][4];
    UNROLL for (int c = 0; c < pairs; c++) UNROLL for (int e = 0; e < 8; e++) UNROLL for (int j = 0; j < 4; j++) O[c][e][j] = 0.f;

    for (int key = p.begin + tile * warp(); key < p.end; key += tile * warps) {
      u32 stage = taken % stages;
      u8 *keys = ring + stage * 2 * bytes, *values = keys + bytes;
      barrier_wait(barrier + 8 * stage, taken / stages & 1);
      if (key + tile > p.end) { // values past the end may be NaN
        for (u32 at = (p.end - key) * row + 16 * lane(); at < bytes; at += 16 * 32) *(u32x4 *)(values + at) = u32x4{0, 0, 0, 0};
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        sync_warp();
      }
      float x[2][4], y[2][4]; // two chains of sums, since one would be long
      UNROLL for (int j = 0; j < 2; j++) UNROLL for (int e = 0; e < 4; e++) x[j][e] = y[j][e] = 0.f;
      UNROLL for (int s = 0; s < STEPS; s++) {
        u32x4 a = {0, 0, 0, 0}, b[2] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
        if (D || 32 * s + 8 * t < d) {
          a = *(const u32x4 *)(query + g * row + 64 * s + 16 * t);
          UNROLL for (int j = 0; j < 2; j++) b[j] = *(const u32x4 *)(keys + (8 * j + g) * row + 64 * s + 16 * t);
        }
        UNROLL for (int j = 0; j < 2; j++) multiply<T>(x[j], a.x, 0, a.y, 0, b[j].x, b[j].y);
        UNROLL for (int j = 0; j < 2; j++) multiply<T>(STEPS > 2 ? y[j] : x[j], a.z, 0, a.w, 0, b[j].z, b[j].w);
      }
      float units = scale * LOG2E;
      Bend bend(units, way);
      UNROLL for (int j = 0; j < 2; j++) UNROLL for (int e = 0; e < 2; e++) x[j][e] = bend(x[j][e] + y[j][e]) * units;
      if (key + tile > p.end || p.lowest > 0) { // not every row is seen
        UNROLL for (int j = 0; j < 2; j++)
          UNROLL for (int e = 0; e < 2; e++)
            if (!p.sees(item, key + 8 * j + 2 * t + e)) x[j][e] = -INF;
      }
      float high = max(max(m, max(x[0][0], x[0][1])), max(x[1][0], x[1][1]));
      high = max(high, shuffle_xor(high, 1));
      high = max(high, shuffle_xor(high, 2));
      float base = high == -INF ? 0.f : high, factor = exp2(m - base);
      m = high;
      UNROLL for (int j = 0; j < 2; j++) UNROLL for (int e = 0; e < 2; e++) x[j][e] = exp2(x[j][e] - base);
      all = fma(all, factor, (x[0][0] + x[0][1]) + (x[1][0] + x[1][1]));
      u32 first = pack<T>(x[0][0], x[0][1]), second = pack<T>(x[1][0], x[1][1]); // powers of rows 2t and 2t+8 …
      float f0 = from_lane(factor, 8 * t), f1 = from_lane(factor, 8 * t + 4);
      UNROLL for (int half = 0; half < 2 * pairs; half++) { // columns 8g+4·part …, fewer registers
        const int c = half / 2, part = half % 2;
        u32x2 v[2][4];                             // of rows 2t, 2t+1, 2t+8, 2t+9, and of the columns 64 further on
        UNROLL for (int h = 0; h < 2; h++)
          UNROLL for (int r = 0; r < 4; r++) {
            int at = 2 * t + r % 2 + r / 2 * 8;
            v[h][r] = u32x2{0, 0};
            if (2 * c + h < halves && (D || 64 * h + 8 * g < d)) v[h][r] = *(const u32x2 *)(values + at * row + 256 * c + 128 * h + 16 * g + 8 * part);
          }
        UNROLL for (int i = 0; i < 4; i++) {
          u32 select = i % 2 ? 0x7632 : 0x5410; // the high or the low halves of two words
          auto two = [&](int h, int r) INLINE { return (u32)__nvvm_prmt(v[h][r][i / 2], v[h][r + 1][i / 2], select); };
          float (&o)[4] = O[c][4 * part + i];
          o[0] *= f0, o[1] *= f1, o[2] *= f0, o[3] *= f1;
          multiply<T>(o, two(0, 0), two(1, 0), two(0, 2), two(1, 2), first, second);
        }
      }
      taken++;
      sync_warp(); // all have read the stage
      fill(true);
    }

    all += shuffle_xor(all, 1);
    all += shuffle_xor(all, 2);
    if (t == 0) top[warp()][g] = m, total[warp()][g] = all;
    UNROLL for (int j = 0; j < 2; j++) {
      if (2 * t + j >= item.group) continue;
      UNROLL for (int h = 0; h < halves; h++) {
        float column[8];
        UNROLL for (int e = 0; e < 8; e++) column[e] = O[h / 2][e][2 * (h % 2) + j];
        if (D || 64 * h + 8 * g < d) store8(sums + (warp() * G + 2 * t + j) * d + 64 * h + 8 * g, column);
      }
    }
    if (n > 0) hold(n + 2, number, word);
    sync();
    known = n + 3;
    fill(true);
    if (order[(n + 1) % 4] < count) ask(n + 1);
    T *result = out + (i64)item.query * d;
    i64 slot = item.slot + (i64)item.split * item.group;
    for (int at = thread(); there && at < item.group * d; at += threads()) {
      int query = at / d, e = at % d;
      float high = -INF, s = 0.f, weight = 0.f;
      UNROLL for (int w = 0; w < warps; w++) high = max(high, top[w][query]);
      UNROLL for (int w = 0; w < warps; w++) {
        float f = top[w][query] == -INF ? 0.f : exp2(top[w][query] - high);
        s = fma(sums[w * G * d + at], f, s);
        weight = fma(total[w][query], f, weight);
      }
      if (p.splits == 1) {
        if constexpr (WAY != WAY_PLAIN) s *= settle(high, weight, sink(way, (item.query + query) % way.heads));
        from_float(result[at], s / weight);
        continue;
      }
      partial[slot * d + at] = s;
      if (e == 0) {
        state[2 * (slot + query)] = high;
        state[2 * (slot + query) + 1] = weight;
      }
    }
    sync(); // the sums may be overwritten, and the queries have arrived
  }
  if (thread() == 0) { // the last block resets the counters: no more items are claimed then
    int before, one = 1 + (claimed >> 31);
    asm volatile("atom.relaxed.gpu.global.add.s32 %0, [%1], %2;" : "=r"(before) : "l"(counters + 1), "r"(one) : "memory");
    if (before == blocks - 1) counters[0] = counters[1] = 0;
  }
}

// attend_join: a block puts the results of a query head's items together, in their order.
// The warps share them out. d is at most 128·C.
template <typename T, int C>
DEVICE void join(T *out, const Part *parts, const int *steps, const float *partial, const float *state, int d, Way way) {
  __shared__ float tops[warps], totals[warps], sums[warps][128 * C];
  next();
  Part p = parts[block_x()];
  int splits = Shares(p.held + *steps + 1).parts;
  wait();
  if (splits == 1) return; // the head's only item has written the result
  const int batch = 8;     // parts in flight
  bool on[C];
  UNROLL for (int c = 0; c < C; c++) on[c] = 128 * c + 4 * lane() < d;
  float m = -INF, all = 0.f, sum[C][4];
  UNROLL for (int c = 0; c < C; c++) UNROLL for (int e = 0; e < 4; e++) sum[c][e] = 0.f;
  for (int i0 = warp(); i0 < splits; i0 += batch * warps) {
    float top[batch], total[batch], high = m;
    f32x4 x[batch][C];
    UNROLL for (int j = 0; j < batch; j++) {
      i64 slot = p.slot + (i64)(i0 + j * warps) * p.stride;
      top[j] = -INF, total[j] = 0.f;
      UNROLL for (int c = 0; c < C; c++) x[j][c] = f32x4{0, 0, 0, 0};
      if (i0 + j * warps >= splits) continue;
      top[j] = state[2 * slot], total[j] = state[2 * slot + 1];
      UNROLL for (int c = 0; c < C; c++)
        if (on[c]) x[j][c] = *(const f32x4 *)(partial + slot * d + 128 * c + 4 * lane());
    }
    UNROLL for (int j = 0; j < batch; j++) high = max(high, top[j]);
    if (high == -INF) continue;
    float f = exp2(m - high);
    m = high;
    all *= f;
    UNROLL for (int c = 0; c < C; c++) UNROLL for (int e = 0; e < 4; e++) sum[c][e] *= f;
    UNROLL for (int j = 0; j < batch; j++) {
      if (top[j] == -INF) continue;
      f = exp2(top[j] - m);
      all = fma(total[j], f, all);
      UNROLL for (int c = 0; c < C; c++) UNROLL for (int e = 0; e < 4; e++) sum[c][e] = fma(x[j][c][e], f, sum[c][e]);
    }
  }
  if (lane() == 0) tops[warp()] = m, totals[warp()] = all;
  UNROLL for (int c = 0; c < C; c++) *(f32x4 *)&sums[warp()][128 * c + 4 * lane()] = f32x4{sum[c][0], sum[c][1], sum[c][2], sum[c][3]};
  sync();
  out += (i64)p.query * d;
  for (int e = thread(); e < d; e += threads()) {
    float high = -INF, s = 0.f, weight = 0.f;
    UNROLL for (int w = 0; w < warps; w++) high = max(high, tops[w]);
    UNROLL for (int w = 0; w < warps; w++) {
      float f = tops[w] == -INF ? 0.f : exp2(tops[w] - high);
      s = fma(sums[w][e], f, s);
      weight = fma(totals[w], f, weight);
    }
    if constexpr (WAY != WAY_PLAIN) s *= settle(high, weight, sink(way, p.query % way.heads));
    from_float(out[e], s / weight);
  }
}

#define ONE(T, name, D, blocks) \
  KERNEL __launch_bounds__(128, blocks) NAME(attend_##name)(T *out, const T *q, const Item *items, int count, const int *steps, float *partial, \
      float *state, int *counters, int d, int window, float scale WAY_PARAMETERS) { \
    attend<T, D>(out, q, items, count, steps, partial, state, counters, d, window, scale, WAY_ARGUMENTS); \
  }
#define JOIN(T, name, C) \
  KERNEL __launch_bounds__(128) NAME(attend_join_##name)(T *out, const Part *parts, const int *steps, const float *partial, const float *state, int d WAY_PARAMETERS) { \
    join<T, C>(out, parts, steps, partial, state, d, WAY_ARGUMENTS); \
  }
#define INSTANCE(T, name) ONE(T, 64_##name, 64, 4) ONE(T, 128_##name, 128, 4) ONE(T, 256_##name, 256, 1) ONE(T, any_##name, 0, 4) JOIN(T, name, 1) JOIN(T, 256_##name, 2)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
