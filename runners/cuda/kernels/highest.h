// highest.h: the border of a row's highest scores, found by a block of 1024 threads.
//
// Scores become unsigned keys of the same order: NaN below everything, −0 equal to 0. Three
// histograms (11, 11, 10 bits) find the count-th highest key and how many of its equals are
// needed.
#pragma once
#include "device.h"

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
DEVICE float score_of(u32 key) { return __builtin_bit_cast(float, key >> 31 ? key & 0x7fffffffu : ~key); } // of a number

// The lowest key of the count highest, and how many of those that equal it are among them;
// the first head scores come before all others. 0 < count ≤ m.
struct Border {
  u32 key;
  int equals;
};

DEVICE Border border(const float *scores, i64 m, int count, int head) {
  __shared__ int histogram[bins];
  __shared__ int sums[32];
  __shared__ u32 found;
  __shared__ int need;
  u32 prefix = 0;
  int remaining = count;
  UNROLL for (int pass = 0; pass < 3; pass++) {
    const int shift = pass == 0 ? 21 : pass == 1 ? 10 : 0, bits = pass == 2 ? 10 : 11;
    for (int i = thread(); i < bins; i += width) histogram[i] = 0;
    sync();
    for (i64 i0 = thread(); i0 < m; i0 += width * batch) {
      float x[batch];
      UNROLL for (int u = 0; u < batch; u++) x[u] = i0 + u * width < m ? scores[i0 + u * width] : 0.f;
      UNROLL for (int u = 0; u < batch; u++) {
        u32 key = i0 + u * width < head ? ~0u : key_of(x[u]);
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
  return {prefix, remaining};
}
