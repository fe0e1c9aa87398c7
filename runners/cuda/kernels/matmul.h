// matmul.h: how products end. A block of eight warps has 16·MT rows of w and 8·NT rows of
// x; each of its warps has the sums over its own share of the columns.
#pragma once
#include "device.h"

const int warps = 8;

// Of a packed weight's turns of 128 columns, the first of share s of eight: a warp's where rows of x are few.
DEVICE int share_begin(i64 cols, int s) { return (int)((cols + 127) / 128) * s / 8; }

// Writes a sum to dst[at], the product with row `row` of w; before is what was there.
template <typename D> DEVICE void finish(D *dst, i64 at, float sum, const float *bias, i64 row, int add, float before) {
  if (bias) sum += bias[row];
  if (add) sum += before;
  from_float(dst[at], sum);
}

// Results of a thread.
template <int MT, int NT> constexpr int outputs() { return MT * NT > 1 ? MT * NT * 128 / (32 * warps) : 1; }

// What the results from row0 on are added to. Where registers are left, it is loaded when
// the sums begin, so that nothing waits for it when they end.
template <int MT, int NT, typename D> struct Before {
  static const bool early = NT <= 3;
  float v[outputs<MT, NT>()];
  DEVICE Before(const D *dst, int m, i64 row0, i64 rows, i64 across, int add) {
    UNROLL for (int o = 0; o < outputs<MT, NT>(); o++) {
      int n = thread() + o * 32 * warps, c = n / (16 * MT);
      i64 row = row0 + n % (16 * MT);
      v[o] = early && add && c < m && row < rows ? to_float(dst[c * across + row]) : 0.f;
    }
  }
  DEVICE float of(int o, const D *dst, i64 at, int add) const { return early ? v[o] : add ? to_float(dst[at]) : 0.f; }
};

// Adds up the warps' sums, of the first half of the warps and of the second in the order of
// their numbers and then both, W (4 or 8) warps at a time, and writes the results from row0
// on; dst has `across` numbers a row. partial may be used again at once.
template <int MT, int NT, int W, typename D>
DEVICE void leave(const float (&sum)[MT][NT][4], float (&partial)[W][MT * NT][32][4], D *dst, const Before<MT, NT, D> &before,
                  const float *bias, int m, i64 row0, i64 rows, i64 across, int add) {
  const int outputs = ::outputs<MT, NT>();
  int self = thread();
  asm volatile("" : "+r"(self)); // keeps the compiler from computing addresses early, which would take registers
  float total[outputs];
  UNROLL for (int o = 0; o < outputs; o++) total[o] = 0.f;
  for (int first = 0; first < warps; first += W) {
    if (warp() / W == first / W)
      UNROLL for (int i = 0; i < MT; i++)
        UNROLL for (int j = 0; j < NT; j++)
          *(f32x4 *)partial[warp() % W][i * NT + j][lane()] = f32x4{sum[i][j][0], sum[i][j][1], sum[i][j][2], sum[i][j][3]};
    sync();
    // Element e of lane l of tile (i, j): of each eight rows of w the (l/4)th, the second
    // eight where e ≥ 2; of x row 8j + 2(l%4) + e%2.
    UNROLL for (int o = 0; o < outputs; o++) {
      int n = self + o * 32 * warps, r = n % (16 * MT), c = n / (16 * MT);
      if (c >= m) continue;
      int i = r / 16, j = c / 8, l = r % 8 * 4 + c % 8 / 2, e = r % 16 / 8 * 2 + c % 2;
      UNROLL for (int half = 0; half < W; half += warps / 2) {
        float s = 0.f;
        UNROLL for (int v = half; v < half + warps / 2; v++) s += partial[v][i * NT + j][l][e];
        total[o] += s;
      }
    }
    sync();
  }
  UNROLL for (int o = 0; o < outputs; o++) {
    int n = self + o * 32 * warps, c = n / (16 * MT);
    i64 row = row0 + n % (16 * MT);
    if (c < m && row < rows) finish(dst, c * across + row, total[o], bias, row, add, before.of(o, dst, c * across + row, add));
  }
}
