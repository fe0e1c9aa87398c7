// mixture_router: logits (experts) = x · wᵀ + bias, the router's product for one token: x (cols) and w (experts, cols) bf16, bias
// float or null. What matmul_few gives, in the same bits: eight warps share out the columns, 128 at a time, and add up by number.
// cols is a multiple of 32.
//
// A router is small, so that its time is that of waits one after the other: here all of w is on its way into shared memory before
// wait(), where the kernel for any product has the first turns in registers and asks for the others later, and x is asked for
// several turns at a time. A block has four rows, though sixteen are multiplied: so it finds room beside blocks of the kernel before it,
// and a multiprocessor has little to copy.
#include "matmul.h"

const int rows = 4; // of a block
alignas(128) extern __shared__ u8 dynamic[]; // of each turn, of each 32 of its columns, of each row four pieces of 16 bytes

KERNEL __launch_bounds__(256, 2) mixture_router(float *logits, const bf16 *x, const bf16 *w, const float *bias, int experts, int cols) {
  const int steps = 4, some = 3; // of 32 columns: a turn; turns of a warp whose x is asked for at once
  __shared__ float partial[warps][rows];
  int g = lane() >> 2, t = lane() & 3, turns = (cols + 127) / 128, row0 = (int)block_x() * rows;
  next();
  for (int turn = warp(); turn < turns; turn += warps)
    UNROLL for (int half = 0; half < 2; half++) { // 32 lanes have two steps' pieces
      int k = 128 * turn + 64 * half + 32 * (lane() / 16) + 8 * t;
      copy16(shared_address(dynamic) + 1024 * turn + 512 * half + 16 * lane(), w + (i64)min(row0 + g % rows, experts - 1) * cols + k, k < cols);
    }
  copy_commit();
  int row = row0 + thread(); // whose sum a thread makes
  const bool mine = thread() < rows && row < experts;
  const float before = mine && bias ? bias[row] : 0.f;
  wait();
  float sum[4] = {};
  for (int first = warp(); first < turns; first += some * warps) {
    u32x4 v[some][steps];
    UNROLL for (int i = 0; i < some; i++)
      UNROLL for (int s = 0; s < steps; s++) {
        int k = 128 * (first + i * warps) + 32 * s;
        v[i][s] = k < cols ? *(const u32x4 *)(x + k + 8 * t) : u32x4{0, 0, 0, 0}; // all columns of that operand are x
      }
    copy_wait<0>();
    sync_warp(); // other lanes' copies
    UNROLL for (int i = 0; i < some; i++) {
      int turn = first + i * warps;
      if (turn >= turns) continue;
      UNROLL for (int s = 0; s < steps; s++) { // rows come more than once, which is as good as zeros
        u32x4 a = *(const u32x4 *)(dynamic + 1024 * turn + 256 * s + 16 * (lane() % 16));
        mma<bf16>(sum, a.x, a.x, a.y, a.y, v[i][s].x, v[i][s].y);
        mma<bf16>(sum, a.z, a.z, a.w, a.w, v[i][s].z, v[i][s].w);
      }
    }
  }
  if (t == 0 && g < rows) partial[warp()][g] = sum[0];
  sync();
  if (mine) {
    float total = 0.f;
    UNROLL for (int half = 0; half < warps; half += warps / 2) {
      float s = 0.f;
      UNROLL for (int v = half; v < half + warps / 2; v++) s += partial[v][thread()];
      total += s;
    }
    logits[row] = bias ? total + before : total;
  }
}
