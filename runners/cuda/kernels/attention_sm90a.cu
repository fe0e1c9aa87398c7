// attention for compute capability 9.0: causal, grouped queries, sliding window,
// queries at start … start+m of a longer prompt. 16-bit types, heads of 64, 96, 128 or
// 256. out (m, heads, d); q (m, heads, d), k and v (kvHeads, rows, d) through tensor
// maps whose rows end at start+m, so that rows past it read as zero.
//
// A block has 128 queries of one head. One warp brings keys and values, 128 at a time (64
// where heads are of 256, for then the sums take twice the registers and keys twice the
// room), with the bulk copy engine (swizzled by 128 bytes, two stages of each). Two warpgroups of
// 64 queries multiply with wgmma: Q·Kᵀ from shared memory, P·V with P in registers. The
// next Q·Kᵀ is under way while the softmax of the present one is computed. The keys are
// taken from the last block of them to the first; only those on the diagonal and at the
// window's edge are masked. Blocks run with the longest rows first, and for `section` heads
// at a time: as many as have keys and values that fit the L2 cache.
//
// lse, where there is one, and out, where there is one, as in attention.cu.
//
// As in attention.cu, blocks of keys start at multiples of their number and a block
// that a row does not see changes nothing: a row's bits do not depend on the others.
#include "wgmma.h"
#include "way.h"

const int tile = 128;            // queries of a block
const int stages = 2;
const u32 half = tile * 128;     // bytes of 64 columns of them

// d (64×K) = a·bᵀ, or += where add. d (64×N) += a·b with a in registers.
template <typename T> DEVICE void multiply_keys(float (&d)[64], u64 a, u64 b, int add);
template <typename T> DEVICE void multiply_keys(float (&d)[32], u64 a, u64 b, int add);
template <typename T> DEVICE void multiply_values(float (&d)[128], const u32 *a, u64 b);
template <typename T> DEVICE void multiply_values(float (&d)[64], const u32 *a, u64 b);
template <typename T> DEVICE void multiply_values(float (&d)[48], const u32 *a, u64 b);
template <typename T> DEVICE void multiply_values(float (&d)[32], const u32 *a, u64 b);
#define KEYS(T, name, sums, n, a0, b0, add0) \
  template <> DEVICE void multiply_keys<T>(float (&d)[sums], u64 a, u64 b, int add) { \
    asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, " add0 ", 0;\n\twgmma.mma_async.sync.aligned.m64n" n "k16.f32." name "." name " " SUMS(sums) ", " a0 ", " b0 ", p, 1, 1, 0, 0;\n\t}" \
                 : OUTPUTS##sums : "l"(a), "l"(b), "r"(add)); \
  }
#define VALUES(T, name, sums, n, a0, a1, a2, a3, at) \
  template <> DEVICE void multiply_values<T>(float (&d)[sums], const u32 *a, u64 b) { \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" n "k16.f32." name "." name " " SUMS(sums) ", {" a0 "," a1 "," a2 "," a3 "}, " at ", 1, 1, 1, 1;" \
                 : OUTPUTS##sums : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b)); \
  }
#define PRODUCTS(T, name) \
  KEYS(T, name, 64, "128", "%64", "%65", "%66") \
  KEYS(T, name, 32, "64", "%32", "%33", "%34") \
  VALUES(T, name, 128, "256", "%128", "%129", "%130", "%131", "%132") \
  VALUES(T, name, 64, "128", "%64", "%65", "%66", "%67", "%68") \
  VALUES(T, name, 48, "96", "%48", "%49", "%50", "%51", "%52") \
  VALUES(T, name, 32, "64", "%32", "%33", "%34", "%35", "%36")
PRODUCTS(bf16, "bf16")
PRODUCTS(f16, "f16")

extern __shared__ u8 dynamic[];

template <bool value_> struct Edge { static constexpr bool value = value_; }; // whether a block is masked

template <typename T, int D>
DEVICE void attention(u64 mapQ, u64 mapK, u64 mapV, T *out, float *lse, int lsePitch, int m, int start, int heads, int kvHeads, int section, int window, float scale, Way way) {
  const int halves = (D + 63) / 64, K = D > 128 ? 64 : 128; // keys of a step
  const u32 halfK = K * 128, bytesQ = halves * half, bytes = halves * halfK;
  alignas(8) __shared__ u64 barriers[1 + 4 * stages];
  u32 base = (shared_address(dynamic) + 1023) & ~1023u;
  u32 sq = base, sk = sq + bytesQ, sv = sk + stages * bytes;
  u32 fullQ = shared_address(barriers), fullK = fullQ + 8, emptyK = fullK + 8 * stages, fullV = emptyK + 8 * stages, emptyV = fullV + 8 * stages;

  int tiles = (m + tile - 1) / tile, per = tiles * section;
  int s = (int)block_x() / per, r = (int)block_x() % per;
  int head = s * section + r % section, first = (tiles - 1 - r / section) * tile, kv = head / (heads / kvHeads);
  int high = (start + min(first + tile, m) + K - 1) / K;                            // blocks of keys below this are needed
  int low = window > 0 ? max(0, start + first - window + 1) / K : 0;                // and from this on
  int number = high - low;

  if (thread() == 0) {
    barrier_init(fullQ, 1);
    UNROLL for (int i = 0; i < stages; i++) {
      barrier_init(fullK + 8 * i, 1);
      barrier_init(emptyK + 8 * i, 2);
      barrier_init(fullV + 8 * i, 1);
      barrier_init(emptyV + 8 * i, 2);
    }
    barriers_ready();
  }
  sync();
  next();
  wait();

  if (thread() < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
    if (thread() > 0) return;
    auto bring = [&](u32 to, u64 map, u32 barrier, int key) INLINE {
      barrier_expect(barrier, bytes);
      UNROLL for (int h = 0; h < halves; h++) copy_box(to + h * halfK, map, barrier, 64 * h, key, kv);
    };
    barrier_expect(fullQ, bytesQ);
    UNROLL for (int h = 0; h < halves; h++) copy_box(sq + h * half, mapQ, fullQ, 64 * h, head, first);
    for (int j = 0; j < number; j++) {
      int stage = j % stages, key = (high - 1 - j) * K;
      u32 parity = (j / stages & 1) ^ 1;
      barrier_wait(emptyK + 8 * stage, parity);
      bring(sk + stage * bytes, mapK, fullK + 8 * stage, key);
      barrier_wait(emptyV + 8 * stage, parity);
      bring(sv + stage * bytes, mapV, fullV + 8 * stage, key);
    }
    return;
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
  int group = thread() / 128 - 1, id = thread() % 128;
  int row = first + 64 * group + id / 32 * 16 + lane() / 4;  // the thread's first query; its second is eight further on
  int column = lane() % 4 * 2;
  int nearest = start + first + 64 * group, furthest = nearest + 63; // positions of the warpgroup's queries
  float S[K / 2], O[D / 2], top0 = -INF, top1 = -INF, total0 = 0.f, total1 = 0.f, factor0, factor1;
  u32 P[K / 4];
  UNROLL for (int i = 0; i < D / 2; i++) O[i] = 0.f;
  u64 query = operand(sq + group * (half / 2), 16);
  Bend bend(scale, way);
  auto keys = [&](int stage) INLINE {
    u64 key = operand(sk + stage * bytes, 16);
    multiply_fence();
    UNROLL for (int k = 0; k < D / 16; k++) {
      u32 at = k % 4 * 2;
      multiply_keys<T>(S, query + (k / 4) * (half >> 4) + at, key + (k / 4) * (halfK >> 4) + at, k > 0);
    }
    multiply_commit();
  };
  auto values = [&](int stage) INLINE {
    u64 value = operand(sv + stage * bytes, halfK);
    multiply_fence();
    UNROLL for (int k = 0; k < K / 16; k++) multiply_values<T>(O, P + 4 * k, value + k * (2048 >> 4));
    multiply_commit();
  };
  // The softmax of one block of keys: S becomes probabilities; the factors scale what came
  // before. Blocks that every query sees whole are not masked, which is decided at compile
  // time (Edge<false>): a branch would stall the multiplication under way.
  auto softmax = [&](auto edge_block, int key) INLINE {
    UNROLL for (int i = 0; i < K / 2; i++) S[i] = bend(S[i]);
    if constexpr (edge_block.value) {
      int from = key + column - start - row, edge = window > 0 ? -window : -0x40000000; // a key at from+x sees (edge, 0]
      UNROLL for (int j = 0; j < K / 8; j++)
        UNROLL for (int e = 0; e < 2; e++) {
          int x = from + 8 * j + e;
          if (x > 0 || x <= edge) S[4 * j + e] = -INF;
          if (x - 8 > 0 || x - 8 <= edge) S[4 * j + 2 + e] = -INF;
        }
    }
    float a = top0, b = top1;
    UNROLL for (int j = 0; j < K / 8; j++) {
      a = max(a, max(S[4 * j], S[4 * j + 1]));
      b = max(b, max(S[4 * j + 2], S[4 * j + 3]));
    }
    a = max(a, shuffle_xor(a, 1)), b = max(b, shuffle_xor(b, 1));
    a = max(a, shuffle_xor(a, 2)), b = max(b, shuffle_xor(b, 2));
    float base0 = a * scale, base1 = b * scale;
    if constexpr (edge_block.value) base0 = a == -INF ? 0.f : base0, base1 = b == -INF ? 0.f : base1; // nothing seen yet
    factor0 = exp2((top0 - a) * scale), factor1 = exp2((top1 - b) * scale); // exactly one where nothing changed
    if constexpr (edge_block.value) factor0 = a == -INF ? 1.f : factor0, factor1 = b == -INF ? 1.f : factor1;
    top0 = a, top1 = b;
    float t0 = 0.f, t1 = 0.f;
    UNROLL for (int j = 0; j < K / 8; j++) {
      S[4 * j] = exp2(fma(S[4 * j], scale, -base0)), S[4 * j + 1] = exp2(fma(S[4 * j + 1], scale, -base0));
      S[4 * j + 2] = exp2(fma(S[4 * j + 2], scale, -base1)), S[4 * j + 3] = exp2(fma(S[4 * j + 3], scale, -base1));
      t0 += S[4 * j] + S[4 * j + 1];
      t1 += S[4 * j + 2] + S[4 * j + 3];
    }
    total0 = total0 * factor0 + t0;
    total1 = total1 * factor1 + t1;
  };
  auto to_operand = [&]() INLINE {
    UNROLL for (int k = 0; k < K / 8; k++) {
      P[2 * k] = pack<T>(S[4 * k], S[4 * k + 1]);
      P[2 * k + 1] = pack<T>(S[4 * k + 2], S[4 * k + 3]);
    }
  };

  // The warpgroups take turns: one computes its softmax while the other multiplies on the
  // tensor cores.
  if (group == 1) asm volatile("bar.arrive 1, 256;" ::: "memory");
  barrier_wait(fullQ, 0);
  barrier_wait(fullK, 0);
  keys(0);
  multiply_wait<0>();
  if (id == 0) barrier_arrive(emptyK);
  softmax(Edge<true>(), (high - 1) * K);
  to_operand();
  int j = 1;
  auto blocks_until = [&](auto edge_block, int until) INLINE {
    for (; j < until; j++) {
      int stage = j % stages, before = (j - 1) % stages;
      barrier_wait(fullK + 8 * stage, j / stages & 1);
      asm volatile("bar.sync %0, 256;" ::"r"(1 + group) : "memory");
      keys(stage);
      barrier_wait(fullV + 8 * before, (j - 1) / stages & 1);
      values(before);
      asm volatile("bar.arrive %0, 256;" ::"r"(2 - group) : "memory");
      multiply_wait<1>();
      if (id == 0) barrier_arrive(emptyK + 8 * stage);
      softmax(edge_block, (high - 1 - j) * K);
      multiply_wait<0>();
      if (id == 0) barrier_arrive(emptyV + 8 * before);
      UNROLL for (int i = 0; i < D / 8; i++) {
        O[4 * i] *= factor0, O[4 * i + 1] *= factor0;
        O[4 * i + 2] *= factor1, O[4 * i + 3] *= factor1;
      }
      to_operand();
    }
  };
  // Block j starts at key (high-1-j)·K. Every query sees it whole if it ends no later
  // than the nearest query and starts inside the furthest query's window.
  int diagonal = min(number, max(1, high - (nearest + 1) / K));
  int whole = window > 0 ? min(number, max(diagonal, high - 1 - (furthest - window + K) / K + 1)) : number;
  blocks_until(Edge<true>(), diagonal);
  blocks_until(Edge<false>(), whole);
  blocks_until(Edge<true>(), number);
  if (group == 0) asm volatile("bar.sync 1, 256;" ::: "memory"); // the last arrival
  int last = (number - 1) % stages;
  barrier_wait(fullV + 8 * last, (number - 1) / stages & 1);
  values(last);
  multiply_wait<0>();

  total0 += shuffle_xor(total0, 1), total1 += shuffle_xor(total1, 1);
  total0 += shuffle_xor(total0, 2), total1 += shuffle_xor(total1, 2);
  float base0 = top0 * scale, base1 = top1 * scale, r0 = 1.f, r1 = 1.f;
  if constexpr (WAY != WAY_PLAIN) {
    float own = sink(way, head);
    r0 = settle(base0, total0, own), r1 = settle(base1, total1, own);
  }
  if (lse && lane() % 4 == 0) {
    lse += (i64)head * lsePitch + row;
    if (row < m) lse[0] = WAY == WAY_PLAIN ? fma(top0, scale, log2(total0)) : base0 + log2(total0);
    if (row + 8 < m) lse[8] = WAY == WAY_PLAIN ? fma(top1, scale, log2(total1)) : base1 + log2(total1);
  }
  if (!out) return;
  r0 /= total0, r1 /= total1;
  T *to = out + ((i64)row * heads + head) * D + column;
  UNROLL for (int j = 0; j < D / 8; j++) {
    if (row < m) *(u32 *)(to + 8 * j) = pack<T>(O[4 * j] * r0, O[4 * j + 1] * r0);
    if (row + 8 < m) *(u32 *)(to + 8 * (i64)heads * D + 8 * j) = pack<T>(O[4 * j + 2] * r1, O[4 * j + 3] * r1);
  }
}

#define ONE(T, name, D) \
  KERNEL __launch_bounds__(384, 1) NAME(attention_##D##_##name)(Map mapQ, Map mapK, Map mapV, T *out, float *lse, int lsePitch, int m, int start, int heads, int kvHeads, int section, int window, float scale WAY_PARAMETERS) { \
    attention<T, D>(MAP(TEXT(NAME(attention_##D##_##name)), 0), MAP(TEXT(NAME(attention_##D##_##name)), 1), MAP(TEXT(NAME(attention_##D##_##name)), 2), out, lse, lsePitch, m, start, heads, kvHeads, section, window, scale, WAY_ARGUMENTS); \
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
#elif WAY == WAY_SINKS // gpt-oss
ONE(bf16, bf16, 64)
ONE(f16, f16, 64)
#else // Gemma 2
ONE(bf16, bf16, 128)
ONE(f16, f16, 128)
ONE(bf16, bf16, 256)
ONE(f16, f16, 256)
#endif
