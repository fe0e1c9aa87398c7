// select: the count highest of each row's m scores as ascending positions, then
// the tail positions m … m+tail-1. The first head positions come before all others. Ties
// to the earliest, NaN below everything, −0 equal to 0. One block of 1024 threads a row, rows of any number of selections.
//
// Scores become unsigned keys of the same order. Three histograms (11, 11, 10
// bits) find the count-th highest key and how many of its equals are needed; then
// one pass writes positions in order.
#include "device.h"

struct Selection {
  u64 scores, dst; // float (rows, m), int (rows, count+tail)
  int m, count, head, tail;
  int first; // block of its first row
  int unused;
};

const int width = 1024, batch = 8, bins = 2048;

DEVICE u32 key_of(float x) {
  if (x != x) return 0;
  u32 b = __builtin_bit_cast(u32, x + 0.f);
  return b >> 31 ? ~b : b | 0x80000000u;
}
DEVICE int sum_before(int v) { // exclusive, over the warp
  int s = v;
  UNROLL for (int d = 1; d < 32; d <<= 1) {
    int o = __nvvm_shfl_sync_up_i32(~0u, s, d, 0);
    if (lane() >= d) s += o;
  }
  return s - v;
}
DEVICE u32 ballot(bool p) { return __nvvm_vote_ballot_sync(~0u, p); }

KERNEL __launch_bounds__(1024) select_highest(const Selection *selections, int number) {
  __shared__ int histogram[bins];
  __shared__ int sums[32];
  __shared__ u32 found;
  __shared__ int need;
  __shared__ int greater[batch * 32], equal[batch * 32], carry[2];
  next();
  wait();
  int s = 0; // the last that begins at this block or before
  for (int end = number; s + 1 < end;) {
    int middle = (s + end) / 2;
    if (selections[middle].first <= (int)block_x()) s = middle;
    else end = middle;
  }
  Selection sel = selections[s];
  i64 row = block_x() - sel.first, m = sel.m;
  const float *scores = (const float *)sel.scores + row * m;
  int *dst = (int *)sel.dst + row * (sel.count + sel.tail);
  for (int i = thread(); i < sel.tail; i += width) dst[sel.count + i] = sel.m + i;
  if (sel.count == 0) return;
  if (sel.count == sel.m) {
    for (int i = thread(); i < sel.m; i += width) dst[i] = i;
    return;
  }

  u32 prefix = 0;
  int remaining = sel.count;
  UNROLL for (int pass = 0; pass < 3; pass++) {
    const int shift = pass == 0 ? 21 : pass == 1 ? 10 : 0, bits = pass == 2 ? 10 : 11;
    for (int i = thread(); i < bins; i += width) histogram[i] = 0;
    sync();
    for (i64 i0 = thread(); i0 < m; i0 += width * batch) {
      float x[batch];
      UNROLL for (int u = 0; u < batch; u++) x[u] = i0 + u * width < m ? scores[i0 + u * width] : 0.f;
      UNROLL for (int u = 0; u < batch; u++) {
        u32 key = i0 + u * width < sel.head ? ~0u : key_of(x[u]);
        bool in = i0 + u * width < m && (pass == 0 || (u64)key >> (shift + bits) == prefix);
        if (in) asm volatile("red.shared.add.u32 [%0], 1;" ::"r"(shared_address(histogram + (key >> shift & ((1 << bits) - 1)))) : "memory");
      }
    }
    sync();
    // Two bins a thread, the highest first.
    int b = bins - 2 - 2 * thread(), high = histogram[b + 1], low = histogram[b], both = high + low;
    int before = sum_before(both);
    if (lane() == 31) sums[warp()] = before + both;
    sync();
    if (warp() == 0) {
      int v = sums[lane()];
      v = sum_before(v);
      sums[lane()] = v;
    }
    sync();
    before += sums[warp()];
    if (before < remaining && remaining <= before + both) {
      bool upper = remaining <= before + high;
      found = prefix << bits | (u32)(upper ? b + 1 : b);
      need = remaining - before - (upper ? 0 : high);
    }
    sync();
    prefix = found;
    remaining = need;
    sync();
  }

  // prefix is the lowest key kept; of the keys equal to it, `remaining` are kept.
  if (thread() < 2) carry[thread()] = 0;
  sync();
  for (i64 i0 = thread(); i0 - thread() < m; i0 += width * batch) {
    float x[batch];
    UNROLL for (int u = 0; u < batch; u++) x[u] = i0 + u * width < m ? scores[i0 + u * width] : 0.f;
    u32 isGreater[batch], isEqual[batch];
    UNROLL for (int u = 0; u < batch; u++) {
      u32 key = i0 + u * width < sel.head ? ~0u : key_of(x[u]);
      bool in = i0 + u * width < m;
      isGreater[u] = ballot(in && key > prefix);
      isEqual[u] = ballot(in && key == prefix);
      if (lane() == 0) {
        greater[u * 32 + warp()] = __builtin_popcount(isGreater[u]);
        equal[u * 32 + warp()] = __builtin_popcount(isEqual[u]);
      }
    }
    sync();
    if (warp() < 2) { // one warp sums the greater, one the equal, eight counts a lane
      int *counts = warp() == 0 ? greater : equal, mine[batch], all = 0;
      UNROLL for (int u = 0; u < batch; u++) {
        mine[u] = all;
        all += counts[lane() * batch + u];
      }
      int before = sum_before(all) + carry[warp()];
      sync_warp();
      UNROLL for (int u = 0; u < batch; u++) counts[lane() * batch + u] = before + mine[u];
      if (lane() == 31) carry[warp()] = before + all;
    }
    sync();
    u32 below = (1u << lane()) - 1;
    UNROLL for (int u = 0; u < batch; u++) {
      int g = greater[u * 32 + warp()] + __builtin_popcount(isGreater[u] & below);
      int e = equal[u * 32 + warp()] + __builtin_popcount(isEqual[u] & below);
      bool take = isGreater[u] >> lane() & 1 || (isEqual[u] >> lane() & 1 && e < remaining);
      if (take) dst[g + min(e, remaining)] = (int)(i0 + u * width);
    }
    sync();
  }
}
