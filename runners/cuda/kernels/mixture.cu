// Sparse mixture of feed-forward layers (Mixtral, arXiv 2401.04088, section 2.1):
// everything but the experts' products.
#include "device.h"
#include "route.h"

// route: probabilities (m, experts), 0 where a token does not take the expert; used[e] = 1
// where some token takes expert e; the host has cleared used. One warp per token.
KERNEL route(float *probabilities, int *used, const float *logits, int m, int experts, int perToken, int all) {
  next();
  wait();
  i64 i = block_x() * (threads() / 32) + warp();
  if (i >= m) return;
  Chosen c = choose(logits + i * experts, experts, perToken, all);
  for (int s = 0, e = lane(); e < experts; s++, e += 32) {
    bool on = c.mine >> s & 1;
    probabilities[i * experts + e] = on ? c.share(logits[i * experts + e]) : 0.f;
    if (on) used[e] = 1;
  }
}

// Of the products that tokens have with their experts, those of one expert lie together, in
// the order of the tokens, behind those of the experts before: their rows.
//
// route_few, for at most 64 tokens, one block with a thread for each expert:
//   choices (count)          expert, first row, how many rows: at most eight; no rows at the end
//   tokens (m·perToken)      the token of each row
//   places, shares (m, perToken)   the rows of each token, its experts in their order
struct Choice { int expert, first, rows, unused; };

KERNEL route_few(Choice *choices, int *tokens, int *places, float *shares, int count, const float *logits, int m, int experts, int perToken, int all) {
  __shared__ u32 taken[64][32];
  __shared__ float highest[64], totals[64];
  __shared__ u64 takers[1024]; // of each expert, a bit for each token
  __shared__ int firsts[1024], sums[2][32];
  next();
  wait();
  int warps = threads() / 32;
  for (int i = warp(); i < m; i += warps) {
    Chosen c = choose(logits + (i64)i * experts, experts, perToken, all);
    taken[i][lane()] = c.mine;
    if (lane() == 0) highest[i] = c.highest, totals[i] = c.sum;
  }
  sync();
  int e = thread();
  u64 bits = 0;
  if (e < experts)
    for (int i = 0; i < m; i++) bits |= (u64)(taken[i][e % 32] >> e / 32 & 1) << i;
  int rows = __builtin_popcountll(bits), parts = (rows + 7) / 8;
  int first = rows, part = parts; // sums over the experts up to this one
  UNROLL for (int d = 1; d < 32; d <<= 1) {
    int a = __nvvm_shfl_sync_up_i32(~0u, first, d, 0), b = __nvvm_shfl_sync_up_i32(~0u, part, d, 0);
    if (lane() >= d) first += a, part += b;
  }
  if (lane() == 31) sums[0][warp()] = first, sums[1][warp()] = part;
  sync();
  for (int w = 0; w < warp(); w++) first += sums[0][w], part += sums[1][w];
  int total = 0;
  for (int w = 0; w < warps; w++) total += sums[1][w];
  first -= rows;
  part -= parts;
  if (e < experts) {
    takers[e] = bits;
    firsts[e] = first;
    for (int p = 0; p < parts; p++) choices[part + p] = Choice{e, first + 8 * p, min(8, rows - 8 * p), 0};
    for (int i = 0, row = first; i < m; i++)
      if (bits >> i & 1) tokens[row++] = i;
  }
  for (int p = total + thread(); p < count; p += threads()) choices[p] = Choice{0, 0, 0, 0};
  sync();
  for (int i = warp(); i < m; i += warps) {
    const float *l = logits + (i64)i * experts;
    Chosen c = {taken[i][lane()], 0, 0.f, highest[i], totals[i]};
    chosen_of(c.mine, experts, [&](int s, int e) INLINE {
      places[i * perToken + s] = firsts[e] + __builtin_popcountll(takers[e] & ((1ull << i) - 1));
      shares[i * perToken + s] = c.share(l[e]);
    });
  }
}

// mixture_add: sum[r] += probabilities[r][e] · y[i] for the rows i of one expert's
// output, r = rows[i], or i where rows is null. y (count, width) and sum (m, width)
// float; blockIdx.y is i.
KERNEL mixture_add(float *sum, const float *y, const int *rows, const float *probabilities, int expert, int experts, i64 width) {
  next();
  wait();
  i64 i = block_y(), r = rows ? rows[i] : i;
  float p = probabilities[r * experts + expert];
  i64 j = block_x() * threads() + thread();
  if (p == 0.f || j >= width) return;
  sum[r * width + j] = fma(p, y[i * width + j], sum[r * width + j]);
}

// With many tokens, each expert multiplies only the rows of its own tokens. These lie one
// expert after the other, as matmul_sm90a.cu wants them.
//
// mixture_rank: counts[e], how many tokens take expert e, and rank (m, experts), how many
// of those come before the token. One block per expert.
KERNEL mixture_rank(int *counts, int *rank, const float *probabilities, int m, int experts) {
  __shared__ int taken[32];
  next();
  wait();
  int e = (int)block_x(), before = 0;
  for (int base = 0; base < m; base += threads()) {
    int i = base + thread();
    bool on = i < m && probabilities[(i64)i * experts + e] != 0.f;
    u32 of_warp = __nvvm_vote_ballot_sync(~0u, on);
    if (lane() == 0) taken[warp()] = __builtin_popcount(of_warp);
    sync();
    int place = before + __builtin_popcount(of_warp & ((1u << lane()) - 1));
    for (int w = 0; w < threads() / 32; w++) {
      if (w < warp()) place += taken[w];
      before += taken[w];
    }
    if (on) rank[(i64)i * experts + e] = place;
    sync();
  }
  if (thread() == 0) counts[e] = before;
}

// mixture_place: places and shares (m, perToken) as in route_few. One warp per token.
KERNEL mixture_place(int *places, float *shares, const int *counts, const int *rank, const float *probabilities, int m, int experts, int perToken) {
  next();
  wait();
  i64 i = block_x() * (threads() / 32) + warp();
  if (i >= m) return;
  for (int base = 0, first = 0, s = 0; base < experts; base += 32) {
    int e = base + lane(), mine = e < experts ? counts[e] : 0, sum = mine;
    UNROLL for (int d = 1; d < 32; d <<= 1) {
      int a = __nvvm_shfl_sync_up_i32(~0u, sum, d, 0);
      if (lane() >= d) sum += a;
    }
    float p = e < experts ? probabilities[i * experts + e] : 0.f;
    u32 all = __nvvm_vote_ballot_sync(~0u, p != 0.f);
    if (p != 0.f) {
      int at = s + __builtin_popcount(all & ((1u << lane()) - 1));
      places[i * perToken + at] = first + sum - mine + rank[i * experts + e];
      shares[i * perToken + at] = p;
    }
    s += __builtin_popcount(all);
    first += from_lane(sum, 31);
    if (base + 32 >= experts)
      for (int at = s + lane(); at < perToken; at += 32) places[i * perToken + at] = -1; // shares too small for float
  }
}

// mixture_gather: to[row] = x[i] for the rows of token i. One block per token.
template <typename T> DEVICE void gather(T *to, const T *x, const int *places, int perToken, i64 width) {
  next();
  wait();
  i64 i = block_x();
  for (int s = 0; s < perToken; s++) {
    i64 row = places[i * perToken + s];
    if (row < 0) continue;
    for (i64 j = 8 * thread(); j < width; j += 8 * threads()) *(u32x4 *)(to + row * width + j) = *(const u32x4 *)(x + i * width + j);
  }
}
#define MANY(T, name) \
  KERNEL mixture_gather_##name(T *to, const T *x, const int *places, int perToken, i64 width) { gather(to, x, places, perToken, width); }
MANY(f16, f16)
MANY(bf16, bf16)

// mixture_sum: dst[i] += Σ share · y[row] over the rows of token i, its experts in their
// order, rounded once. y (rows, width) float, dst (m, width); blockIdx.x is i.
template <typename T> DEVICE void sum(T *dst, const float *y, const int *places, const float *shares, int perToken, i64 width) {
  next();
  wait();
  i64 i = block_x(), j = block_y() * threads() + thread();
  if (j >= width) return;
  float s = 0.f;
  for (int n = 0; n < perToken; n++) {
    i64 row = places[i * perToken + n];
    if (row >= 0) s = fma(shares[i * perToken + n], y[row * width + j], s);
  }
  from_float(dst[i * width + j], to_float(dst[i * width + j]) + s);
}
#define SUM(T, name) \
  KERNEL mixture_sum_##name(T *dst, const float *y, const int *places, const float *shares, int perToken, i64 width) { \
    sum(dst, y, places, shares, perToken, width); \
  }
SUM(float, f32)
SUM(f16, f16)
SUM(bf16, bf16)
