// mixture_down: dst += Σ share · (joined · wᵀ + bias) over a token's experts, for one token, with their w (rows, cols)
// in MXFP4 or E4M3 (packed.h): what matmul_packed and mixture_sum of matmul_packed.cu and mixture.cu give, in the same
// bits, by one kernel. choices and shares (perToken) are those of one token, joined (perToken, cols) bf16,
// dst (rows) bf16. cols is a multiple of 32, perToken at most 16.
//
// A block has 16 rows of all the experts, so that a layer is one wave of blocks that all have the same to do. Of an
// expert's columns share s of eight has turns s, s+8, … of 128, as there; here the shares that have any, of all
// experts, are jobs that the warps share out. A warp goes from one job to the next without a pause: it keeps D turns
// in registers, of which it loads one while it multiplies by the others. Shares' sums are added up in the order of
// their numbers, experts in theirs.
#include "matmul.h"
#include "experts.h"
#include "packed.h"

template <typename W, int D>
DEVICE void mixture_down(bf16 *dst, const bf16 *joined, const Choice *choices, const Expert *experts, const float *shares, int perToken, i64 rows, i64 cols) {
  __shared__ const u8 *weights[mostExperts];
  __shared__ const float *biases[mostExperts];
  __shared__ float partial[mostExperts * warps][16], results[mostExperts][16];
  int g = lane() >> 2, t = lane() & 3, turns = (int)((cols + 127) / 128), many = min(turns, warps), jobs = perToken * many;
  i64 row0 = block_x() * 16;
  // Rows past the end read the last row; their sums are dropped.
  i64 row[2] = {min(row0 + g, rows - 1), min(row0 + 8 + g, rows - 1)};
  next();
  wait();
  read_experts(weights, biases, choices, experts, perToken);
  Turn<W> ring[D];
  int ahead = warp(), from = ahead % many; // the job and the turn that are loaded next
  auto load = [&](Turn<W> &into) INLINE {
    if (ahead >= jobs) return;
    const u8 *w = weights[ahead / many];
    into.load(w, W::scales(w, rows, cols), row, 128 * from + 32 * t, cols);
    if ((from += warps) >= turns) ahead += warps, from = ahead % many;
  };
  UNROLL for (int d = 0; d < D; d++) load(ring[d]);
  int job = warp(), turn = job % many;
  float sum[4] = {0, 0, 0, 0};
  while (job < jobs) {
    UNROLL for (int d = 0; d < D; d++) {
      if (job >= jobs) continue;
      i64 k = 128 * turn + 32 * t;
      u32x4 x[4];
      UNROLL for (int q = 0; q < 4; q++) x[q] = k < cols && g == 0 ? *(const u32x4 *)(joined + job / many * cols + k + 8 * q) : u32x4{0, 0, 0, 0};
      ring[d].add(sum, x);
      load(ring[d]);
      if ((turn += warps) < turns) continue;
      if (t == 0) partial[job][g] = sum[0], partial[job][8 + g] = sum[2]; // of the one row of x
      UNROLL for (int e = 0; e < 4; e++) sum[e] = 0.f;
      job += warps;
      turn = job % many;
    }
  }
  sync();
  for (int n = thread(); n < 16 * perToken; n += threads()) {
    int e = n / 16, r = n % 16;
    float total = 0.f;
    for (int half = 0; half < warps; half += warps / 2) {
      float s = 0.f;
      for (int v = half; v < half + warps / 2; v++) s += v < many ? partial[e * many + v][r] : 0.f;
      total += s;
    }
    if (biases[e] && row0 + r < rows) total += biases[e][row0 + r];
    results[e][r] = total;
  }
  sync();
  if (thread() < 16 && row0 + thread() < rows) {
    float s = 0.f;
    for (int e = 0; e < perToken; e++) s = fma(shares[e], results[e][thread()], s);
    bf16 *to = dst + row0 + thread();
    from_float(*to, to_float(*to) + s);
  }
}

#define INSTANCE(W, name, D) \
  KERNEL __launch_bounds__(256, 2) mixture_down_##name(bf16 *dst, const bf16 *joined, const Choice *choices, const Expert *experts, const float *shares, int perToken, i64 rows, i64 cols) { \
    mixture_down<W, D>(dst, joined, choices, experts, shares, perToken, rows, cols); \
  }
INSTANCE(MXFP4, mxfp4, 4)
INSTANCE(E4M3, e4m3, 3)
