// select: the count highest of each row's m scores as ascending positions, then
// the tail positions m … m+tail-1. The first head positions come before all others. Ties
// to the earliest, NaN below everything, −0 equal to 0. One block of 1024 threads a row, rows of any number of selections.
// One pass behind the border's search (highest.h) writes positions in order.
#include "highest.h"

struct Selection {
  u64 scores, dst; // float (rows, m), int (rows, count+tail)
  int m, count, head, tail;
  int first; // block of its first row
  int unused;
};

DEVICE u32 ballot(bool p) { return __nvvm_vote_ballot_sync(~0u, p); }

KERNEL __launch_bounds__(1024) select_highest(const Selection *selections, int number) {
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

  Border found = border(scores, m, sel.count, sel.head);
  u32 prefix = found.key;
  int remaining = found.equals;
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
