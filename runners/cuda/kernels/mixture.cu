// Sparse mixture of feed-forward layers (Mixtral, arXiv 2401.04088, section 2.1):
// everything but the experts' products.
#include "device.h"

// A token's probabilities from the router's logits: the softmax over the perToken highest
// (ties: lowest index), 0 for the other experts. At most 64 experts; returns a bit for each
// that the token takes.
DEVICE u64 choose(float *probabilities, const float *logits, i64 i, int experts, int perToken) {
  logits += i * experts;
  probabilities += i * experts;
  u64 chosen = 0;
  float highest = 0.f, sum = 0.f;
  for (int k = 0; k < perToken; k++) {
    int best = -1;
    for (int e = 0; e < experts; e++)
      if (!(chosen >> e & 1) && (best < 0 || logits[e] > logits[best])) best = e;
    if (k == 0) highest = logits[best];
    chosen |= 1ull << best;
    sum += exp(logits[best] - highest);
  }
  for (int e = 0; e < experts; e++) {
    bool on = chosen >> e & 1;
    probabilities[e] = on ? exp(logits[e] - highest) / sum : 0.f;
  }
  return chosen;
}

// route: probabilities (m, experts); used[e] = 1 where some token takes expert e; the host
// has cleared used. One thread per token.
KERNEL route(float *probabilities, int *used, const float *logits, int m, int experts, int perToken) {
  next();
  wait();
  i64 i = block_x() * threads() + thread();
  if (i >= m) return;
  u64 chosen = choose(probabilities, logits, i, experts, perToken);
  for (int e = 0; e < experts; e++)
    if (chosen >> e & 1) used[e] = 1;
}

// route_few: probabilities (m, experts); list (count) gets the numbers of the experts that
// any token takes, ascending, then −1. One warp, one thread per token.
KERNEL route_few(float *probabilities, int *list, int count, const float *logits, int m, int experts, int perToken) {
  next();
  wait();
  u64 chosen = thread() < m ? choose(probabilities, logits, thread(), experts, perToken) : 0;
  u32 low = (u32)chosen, high = (u32)(chosen >> 32);
  UNROLL for (int mask = 16; mask; mask >>= 1) {
    low |= (u32)__nvvm_shfl_sync_bfly_i32(~0u, (int)low, mask, 31);
    high |= (u32)__nvvm_shfl_sync_bfly_i32(~0u, (int)high, mask, 31);
  }
  if (thread() > 0) return;
  int n = 0;
  for (int e = 0; e < experts; e++)
    if (((e < 32 ? low : high) >> (e & 31)) & 1) list[n++] = e;
  for (; n < count; n++) list[n] = -1;
}

// mixture_join: dst[r] += Σ probabilities[r][e] · y[s][r] over the experts e = list[s], in
// their order, rounded once. y (count, m, width) float, dst (m, width); blockIdx.y is r.
template <typename T>
DEVICE void join(T *dst, const float *y, const int *list, int count, const float *probabilities, int experts, int m, i64 width) {
  next();
  wait();
  i64 r = block_y(), j = block_x() * threads() + thread();
  if (j >= width) return;
  float sum = 0.f;
  for (int s = 0; s < count; s++) {
    int e = list[s];
    float p = e < 0 ? 0.f : probabilities[r * experts + e];
    if (p != 0.f) sum = fma(p, y[(s * m + r) * width + j], sum);
  }
  from_float(dst[r * width + j], to_float(dst[r * width + j]) + sum);
}
#define JOIN(T, name) \
  KERNEL mixture_join_##name(T *dst, const float *y, const int *list, int count, const float *probabilities, int experts, int m, i64 width) { \
    join(dst, y, list, count, probabilities, experts, m, width); \
  }
JOIN(float, f32)
JOIN(f16, f16)
JOIN(bf16, bf16)

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

// Calls each(row, probability) for the rows that are token i's, its experts in their order.
template <typename F> DEVICE void rows_of(i64 i, const int *counts, const int *rank, const float *probabilities, int experts, F each) {
  for (int e = 0, first = 0; e < experts; first += counts[e++]) {
    float p = probabilities[i * experts + e];
    if (p != 0.f) each((i64)first + rank[i * experts + e], p);
  }
}

// mixture_gather: to[row] = x[i] for the rows of token i. One block per token.
template <typename T> DEVICE void gather(T *to, const T *x, const int *counts, const int *rank, const float *probabilities, int experts, i64 width) {
  next();
  wait();
  i64 i = block_x();
  rows_of(i, counts, rank, probabilities, experts, [&](i64 row, float) INLINE {
    for (i64 j = 8 * thread(); j < width; j += 8 * threads()) *(u32x4 *)(to + row * width + j) = *(const u32x4 *)(x + i * width + j);
  });
}

// mixture_sum: dst[i] += Σ probability · y[row] over the rows of token i, rounded once. y
// (rows, width) float, dst (m, width); blockIdx.x is i.
template <typename T> DEVICE void sum(T *dst, const float *y, const int *counts, const int *rank, const float *probabilities, int experts, i64 width) {
  next();
  wait();
  i64 i = block_x(), j = block_y() * threads() + thread();
  if (j >= width) return;
  float s = 0.f;
  rows_of(i, counts, rank, probabilities, experts, [&](i64 row, float p) INLINE { s = fma(p, y[row * width + j], s); });
  from_float(dst[i * width + j], to_float(dst[i * width + j]) + s);
}
#define MANY(T, name) \
  KERNEL mixture_gather_##name(T *to, const T *x, const int *counts, const int *rank, const float *probabilities, int experts, i64 width) { \
    gather(to, x, counts, rank, probabilities, experts, width); \
  } \
  KERNEL mixture_sum_##name(T *dst, const float *y, const int *counts, const int *rank, const float *probabilities, int experts, i64 width) { \
    sum(dst, y, counts, rank, probabilities, experts, width); \
  }
MANY(f16, f16)
MANY(bf16, bf16)
