// column_sums for compute capability 9.0: what the queries at positions start … start+m
// pay to each key, dst[h][j] = (j < start ? dst[h][j] : 0) + Σ_i 2^(scale·q[i][h]·k[j] -
// lse[h][i]), scale in units of log2. 16-bit types, heads of 64, 96, 128 or 256. dst (heads, n);
// q (m, heads, d) and k (kvHeads, rows, d) through tensor maps, the keys' rows ending at
// start+m; lse (heads, pitch) from attention, pitch a multiple of four that leaves room
// for 128 behind m.
//
// One product, not attention's two, and no sum across threads until the end: a block has
// 128 keys of one head, which stay, as the rows of wgmma; queries pass by 128 at a time
// as its columns. So a key's sums stay in the registers of four threads. A block alone
// writes its keys' sums and takes queries in their order: no order of blocks changes a bit.
//
// Bounds, for d = 128: a multiprocessor multiplies 16 pairs of query and key a clock and
// takes 16 powers a clock; both are to be under way at once. Either alone takes half of
// what attention's two products take. Each block reads 32 KB of queries and 512 bytes of
// lse for 128 · 128 pairs, 1024 clocks: what attention reads of keys and values.
#include "wgmma.h"
#include "way.h"

const int tile = 128;        // keys of a block, queries of a step
const u32 half = tile * 128; // bytes of 64 columns of a tile
const u32 norms = tile * 4;  // bytes of a step's lse

// d (64×128) = a·bᵀ, or += where add: 64 keys by 128 queries.
template <typename T> DEVICE void multiply(float (&d)[64], u64 a, u64 b, int add);
#define MULTIPLY(T, name) \
  template <> DEVICE void multiply<T>(float (&d)[64], u64 a, u64 b, int add) { \
    asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %66, 0;\n\twgmma.mma_async.sync.aligned.m64n128k16.f32." name "." name " " SUMS(64) ", %64, %65, p, 1, 1, 0, 0;\n\t}" \
                 : OUTPUTS64 : "l"(a), "l"(b), "r"(add)); \
  }
MULTIPLY(bf16, "bf16")
MULTIPLY(f16, "f16")

extern __shared__ u8 dynamic[];

template <bool value_> struct Edge { static constexpr bool value = value_; }; // whether a step is masked

template <typename T, int D>
DEVICE void column_sums(u64 mapQ, u64 mapK, float *dst, const float *lse, int pitch, int m, int start, i64 n, int heads, int kvHeads,
                        int low, int tiles, int window, float scale, Way way) {
  const int halves = (D + 63) / 64, stages = D > 128 ? 2 : 4; // as many as there is room for
  const u32 bytes = halves * half; // of a tile
  alignas(8) __shared__ u64 barriers[1 + 2 * stages];
  u32 base = (shared_address(dynamic) + 1023) & ~1023u;
  u32 sk = base, sq = sk + bytes, sl = sq + stages * bytes;
  u32 fullK = shared_address(barriers), full = fullK + 8, empty = full + 8 * stages;

  // A head's blocks come one after the other, so that its queries stay in the L2
  // cache, those of the earliest keys, which most queries see, first.
  int head = (int)block_x() / tiles, key0 = (low + (int)block_x() % tiles) * tile, kv = head / (heads / kvHeads);
  int first = max(0, key0 - start) & ~3;                                     // row of the first query; of lse, 16 bytes
  int last = window > 0 ? min(m, key0 + tile - 1 + window - start) : m;      // and behind the last
  int number = (last - first + tile - 1) / tile;

  if (thread() == 0) {
    barrier_init(fullK, 1);
    UNROLL for (int i = 0; i < stages; i++) {
      barrier_init(full + 8 * i, 1);
      barrier_init(empty + 8 * i, 8); // warps
    }
    barriers_ready();
  }
  sync();
  next();
  wait();

  if (thread() < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
    if (thread() > 0) return;
    barrier_expect(fullK, bytes);
    UNROLL for (int h = 0; h < halves; h++) copy_box(sk + h * half, mapK, fullK, 64 * h, key0, kv);
    lse += (i64)head * pitch;
    for (int j = 0; j < number; j++) {
      int stage = j % stages, row = first + j * tile;
      u32 barrier = full + 8 * stage;
      barrier_wait(empty + 8 * stage, (j / stages & 1) ^ 1);
      barrier_expect(barrier, bytes + norms);
      UNROLL for (int h = 0; h < halves; h++) copy_box(sq + stage * bytes + h * half, mapQ, barrier, 64 * h, head, row);
      copy_bytes(sl + stage * norms, (u64)(lse + row), norms, barrier);
    }
    return;
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
  int group = thread() / 128 - 1, id = thread() % 128;
  int key = key0 + 64 * group + id / 32 * 16 + lane() / 4; // the thread's first key; the second is eight on
  int column = lane() % 4 * 2;
  // A query at position key+x sees the key where 0 ≤ x < reach.
  int end = start + m, reach0 = max(0, end - key), reach1 = max(0, end - key - 8);
  if (window > 0) reach0 = min(reach0, window), reach1 = min(reach1, window);
  Bend bend(scale, way);
  float S[64], P[64], sum0 = 0.f, sum1 = 0.f;
  u64 keys = operand(sk + group * (half / 2), 16);
  auto product = [&](float (&d)[64], int stage) INLINE {
    u64 query = operand(sq + stage * bytes, 16);
    multiply_fence();
    UNROLL for (int k = 0; k < D / 16; k++) {
      u32 at = (k / 4) * (half >> 4) + k % 4 * 2;
      multiply<T>(d, keys + at, query + at, k > 0);
    }
    multiply_commit();
  };
  // What the queries of step j pay to the two keys. Steps that every key is seen whole by
  // are not masked (Edge<false>).
  auto add = [&](auto edge_step, const float (&s)[64], int j) INLINE {
    u32 norm = sl + j % stages * norms + 4 * column;
    u32 from = (u32)(start + first + j * tile + column - key);
    float t0 = 0.f, t1 = 0.f;
    UNROLL for (int i = 0; i < 16; i++) {
      float l[2];
      asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(l[0]), "=f"(l[1]) : "r"(norm + 32 * i) : "memory");
      UNROLL for (int e = 0; e < 2; e++) {
        float p0 = exp2(fma(bend(s[4 * i + e]), scale, -l[e])), p1 = exp2(fma(bend(s[4 * i + 2 + e]), scale, -l[e]));
        if constexpr (edge_step.value) {
          u32 x = from + 8 * i + e;
          p0 = x < (u32)reach0 ? p0 : 0.f, p1 = x - 8 < (u32)reach1 ? p1 : 0.f;
        }
        t0 += p0, t1 += p1;
      }
    }
    sum0 += t0, sum1 += t1;
    return t0 + t1;
  };
  auto arrived = [&](int j) INLINE { barrier_wait(full + 8 * (j % stages), j / stages & 1); };
  auto leave = [&](int j, float sums) INLINE { // warp by warp: each has read lse for itself
    sync_warp();
    // Sums of powers are never negative; that the arrival looks at them keeps the assembler
    // from moving the powers behind the wait for a product under way.
    if (lane() == 0 && !(sums < 0.f)) barrier_arrive(empty + 8 * (j % stages));
  };

  // Steps near … whole are seen whole: they begin behind all keys, and end before m and
  // before the first key's window does. They go by in pairs, the second's product under
  // way while the first's powers are taken.
  // The warpgroups take turns to multiply, so that one has the tensor cores while the other
  // takes its powers.
  auto turn = [&]() INLINE { asm volatile("bar.sync %0, 256;" ::"r"(1 + group) : "memory"); };
  auto hand_over = [&]() INLINE { asm volatile("bar.arrive %0, 256;" ::"r"(2 - group) : "memory"); };
  if (group == 1) hand_over();
  int place = start + first;
  int near = min(number, (max(0, key0 + tile - 1 - place) + tile - 1) / tile);
  int whole = min(number, (m - first) / tile);
  if (window > 0) whole = min(whole, max(0, key0 + window - place) / tile);
  barrier_wait(fullK, 0);
  for (int j = 0; j < number;) {
    if (j >= near && j + 1 < whole) {
      arrived(j);
      arrived(j + 1);
      turn();
      product(S, j % stages);
      product(P, (j + 1) % stages);
      hand_over();
      multiply_wait<1>();
      leave(j, add(Edge<false>(), S, j));
      multiply_wait<0>();
      leave(j + 1, add(Edge<false>(), P, j + 1));
      j += 2;
      continue;
    }
    arrived(j);
    turn();
    product(S, j % stages);
    hand_over();
    multiply_wait<0>();
    leave(j, add(Edge<true>(), S, j));
    j++;
  }
  if (group == 0) turn(); // the last arrival

  sum0 += shuffle_xor(sum0, 1), sum1 += shuffle_xor(sum1, 1);
  sum0 += shuffle_xor(sum0, 2), sum1 += shuffle_xor(sum1, 2);
  if (lane() % 4 == 0) {
    dst += head * n + key;
    if (key < end) dst[0] = (key < start ? dst[0] : 0.f) + sum0;
    if (key + 8 < end) dst[8] = (key + 8 < start ? dst[8] : 0.f) + sum1;
  }
}

#define ONE(T, name, D) \
  KERNEL __launch_bounds__(384, 1) NAME(column_sums_##D##_##name)(Map mapQ, Map mapK, float *dst, const float *lse, int pitch, int m, int start, i64 n, int heads, \
      int kvHeads, int low, int tiles, int window, float scale WAY_PARAMETERS) { \
    column_sums<T, D>(MAP(TEXT(NAME(column_sums_##D##_##name)), 0), MAP(TEXT(NAME(column_sums_##D##_##name)), 1), dst, lse, pitch, m, start, n, heads, kvHeads, low, tiles, window, scale, WAY_ARGUMENTS); \
  }
#if WAY == WAY_PLAIN
ONE(bf16, bf16, 64)
ONE(bf16, bf16, 96)
ONE(bf16, bf16, 128)
ONE(f16, f16, 64)
ONE(f16, f16, 96)
ONE(f16, f16, 128)
ONE(bf16, bf16, 256)
ONE(f16, f16, 256)
#else // Gemma 2
ONE(bf16, bf16, 128)
ONE(f16, f16, 128)
ONE(bf16, bf16, 256)
ONE(f16, f16, 256)
#endif
