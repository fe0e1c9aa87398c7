// matmul_few for compute capability 9.0 and 9 to 32 rows of x: the same product as
// matmul_few.cu's tensor-core version, bit for bit; w through a tensor map (rows, cols)
// in boxes of 64 columns, swizzled by 128 bytes.
//
// Each multiprocessor has two blocks, which stay and share out the tiles of 32 rows of w
// by their numbers. Each warp has a ring of boxes of its own in shared memory, which is
// filled ahead, across tiles, so that w is on its way while the warp waits for x, which
// every tile reads again from the L2 cache. (For eight rows of x the other kernel is as
// fast alone, and faster beside attention, because it leaves more shared memory free. For
// more than 32 rows the other one is faster, too, and it is not known why: asking for x one
// box earlier, larger tiles and longer rings did not help.)
//
// The warps share out the columns, 128 at a time, and add up by number, W at a time.
#include "hopper.h"
#include "matmul.h"

const int turn = 128; // columns of a warp's turn: two boxes
const int S = 3;      // boxes of a ring
const int MT = 2;     // 16 rows of a tile
const u32 box = 16 * MT * 128;

alignas(1024) extern __shared__ u8 dynamic[];

template <typename T, typename D, int NT, int W>
DEVICE void matmul_few(u64 map, D *dst, const T *x, const float *bias, int m, int rows, int cols, int add, const int *used) {
  alignas(8) __shared__ u64 barriers[warps][S];
  __shared__ float partial[W][MT * NT][32][4];
  const int g = lane() >> 2, t = lane() & 3, start = turn * warp();
  const int tiles = (rows + 16 * MT - 1) / (16 * MT), blocks = (int)blocks_x();
  u8 *ring = dynamic + (1023 & -shared_address(dynamic)) + warp() * S * box;
  u32 barrier = shared_address(barriers[warp()]);
  if (lane() == 0) {
    UNROLL for (int i = 0; i < S; i++) barrier_init(barrier + 8 * i, 1);
    barriers_ready();
  }
  sync_warp();

  // The box at column k of a tile; a warp without columns has no boxes.
  struct Place { int tile, k; };
  auto step = [&](Place &p) INLINE {
    p.k += 64;
    if (p.k % turn == 0) p.k += turn * (warps - 1);
    if (p.k >= cols) p.k = start, p.tile += blocks;
  };
  Place ahead = {start < cols ? (int)block_x() : tiles, start};
  int free = S;
  u32 into = 0;
  auto fill = [&]() INLINE {
    for (; free > 0 && ahead.tile < tiles; free--) {
      if (lane() == 0) {
        barrier_expect(barrier + 8 * into, box);
        copy_box(shared_address(ring) + into * box, map, barrier + 8 * into, ahead.k, ahead.tile * 16 * MT, 0);
      }
      into = into + 1 == S ? 0 : into + 1;
      step(ahead);
    }
  };
  if (!used) fill();
  next();
  wait();
  if (used) {
    if (*used == 0) return;
    fill();
  }

  // Neighbouring rows in the lanes' order are four rows apart, so that eight lanes that
  // read 16 bytes each use all banks.
  const u32 row = g / 2 + g % 2 * 4;
  u32 from = 0, parity = 0;
  Place at = {(int)block_x(), start};
  for (int tile = (int)block_x(); tile < tiles; tile += blocks) {
    Before<MT, NT, D> before(dst, m, tile * 16 * MT, rows, add);
    float sum[MT][NT][4];
    UNROLL for (int i = 0; i < MT; i++)
      UNROLL for (int j = 0; j < NT; j++)
        UNROLL for (int e = 0; e < 4; e++) sum[i][j][e] = 0.f;
    while (start < cols && at.tile == tile) {
      u32x4 xv[2][NT]; // loaded before the wait for the box
      UNROLL for (int s = 0; s < 2; s++)
        UNROLL for (int j = 0; j < NT; j++) {
          int k = at.k + 32 * s + 8 * t;
          xv[s][j] = u32x4{0, 0, 0, 0};
          if (k < cols && 8 * j + g < m) xv[s][j] = *(const u32x4 *)(x + (u32)((8 * j + g) * cols + k)); // few rows: 32 bits do
        }
      barrier_wait(barrier + 8 * from, parity);
      const u8 *w = ring + from * box + row * 128;
      UNROLL for (int s = 0; s < 2; s++)
        UNROLL for (int i = 0; i < MT; i++) {
          u32x4 low = *(const u32x4 *)(w + 2048 * i + ((4 * s + t) ^ row) * 16);
          u32x4 high = *(const u32x4 *)(w + 2048 * i + 1024 + ((4 * s + t) ^ row) * 16);
          UNROLL for (int j = 0; j < NT; j++) {
            mma<T>(sum[i][j], low.x, high.x, low.y, high.y, xv[s][j].x, xv[s][j].y);
            mma<T>(sum[i][j], low.z, high.z, low.w, high.w, xv[s][j].z, xv[s][j].w);
          }
        }
      from = from + 1 == S ? 0 : from + 1;
      if (from == 0) parity ^= 1;
      step(at);
      free++;
      sync_warp(); // all have read the box
      fill();
    }
    leave<MT, NT, W, true>(sum, partial, dst, before, bias, m, tile * 16 * MT, rows, add);
  }
}

#define FEW(T, D, name, NT, W) \
  KERNEL __launch_bounds__(256, 2) matmul_ring_##NT##_##name(Map map, D *dst, const T *x, const float *bias, int m, int rows, int cols, int add, const int *used) { \
    matmul_few<T, D, NT, W>(MAP("matmul_ring_" #NT "_" #name, 0), dst, x, bias, m, rows, cols, add, used); \
  }
#define INSTANCE(T, D, name) FEW(T, D, name, 2, 4) FEW(T, D, name, 3, 4) FEW(T, D, name, 4, 2)
INSTANCE(f16, f16, f16)
INSTANCE(f16, float, f16_f32)
INSTANCE(bf16, bf16, bf16)
INSTANCE(bf16, float, bf16_f32)
