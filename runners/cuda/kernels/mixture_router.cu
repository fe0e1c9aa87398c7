// mixture_router: logits (experts) = x · wᵀ + bias, the router's product for one token: x (cols) and w (experts, cols) bf16, bias
// float or null. What matmul_few gives, in the same bits: eight warps share out the columns, 128 at a time, and add up by number.
// cols is a multiple of 32.
//
// A router is a few blocks of 16 rows, so that its time is that of waits one after the other: here all of w is on its way into
// shared memory before wait(), where the kernel for any product has the first turns in registers and asks for the others later,
// and x is asked for several turns at a time.
#include "matmul.h"

alignas(128) extern __shared__ u8 dynamic[]; // of each turn its 16 rows: 256 pieces of 16 bytes, each where the lane reads it that copied it

KERNEL __launch_bounds__(256, 1) mixture_router(float *logits, const bf16 *x, const bf16 *w, const float *bias, int experts, int cols) {
  const int steps = 4, some = 3; // of 32 columns: a turn; turns of a warp whose x is asked for at once
  __shared__ float partial[warps][1][32][4];
  int g = lane() >> 2, t = lane() & 3, turns = (cols + 127) / 128;
  i64 row0 = block_x() * 16;
  const bf16 *rows[2] = {w + min(row0 + g, (i64)experts - 1) * cols + 8 * t, w + min(row0 + 8 + g, (i64)experts - 1) * cols + 8 * t};
  next();
  for (int turn = warp(); turn < turns; turn += warps)
    UNROLL for (int s = 0; s < steps; s++)
      UNROLL for (int h = 0; h < 2; h++) {
        int k = 128 * turn + 32 * s;
        copy16(shared_address(dynamic) + 4096 * turn + 1024 * s + 512 * h + 16 * lane(), rows[h] + k, k < cols);
      }
  copy_commit();
  wait();
  Before<1, 1, float> before(logits, 1, row0, experts, experts, 0);
  float sum[1][1][4] = {};
  for (int first = warp(); first < turns; first += some * warps) {
    u32x4 v[some][steps];
    UNROLL for (int i = 0; i < some; i++)
      UNROLL for (int s = 0; s < steps; s++) {
        int k = 128 * (first + i * warps) + 32 * s;
        v[i][s] = k < cols ? *(const u32x4 *)(x + k + 8 * t) : u32x4{0, 0, 0, 0}; // all columns of that operand are x
      }
    copy_wait<0>();
    UNROLL for (int i = 0; i < some; i++) {
      int turn = first + i * warps;
      if (turn >= turns) continue;
      UNROLL for (int s = 0; s < steps; s++) {
        const u8 *at = dynamic + 4096 * turn + 1024 * s + 16 * lane();
        u32x4 a = *(const u32x4 *)at, b = *(const u32x4 *)(at + 512);
        mma<bf16>(sum[0][0], a.x, b.x, a.y, b.y, v[i][s].x, v[i][s].y);
        mma<bf16>(sum[0][0], a.z, b.z, a.w, b.w, v[i][s].z, v[i][s].w);
      }
    }
  }
  leave<1, 1, warps>(sum, partial, logits, before, bias, 1, row0, experts, experts, 0);
}
