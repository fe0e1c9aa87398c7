// matmul_few for compute capability 9.0 and 9 to 48 rows of x: the same product as
// matmul_few.cu's tensor-core version, bit for bit; w (rows, cols) and x (m, cols) through
// tensor maps, in boxes of 64 columns, swizzled by 128 bytes.
//
// What limits products of so many rows is not w but x, which each block reads again from the
// L2 cache: a block with R rows of w moves 1 + m/R times the bytes of w. So a block has many
// rows of w, up to 128, all its warps share one x in shared memory, and two blocks, a
// cluster, share what they can:
//
//   whole: the blocks have neighbouring tiles; each loads half of the rows of x for both.
//          There are as many clusters as the card has room for; they stay and share out the
//          tiles by their numbers.
//   split: where there are fewer tiles than clusters, both blocks have the same rows of w,
//          and each has half of the columns: the shares 0 to 3, or 4 to 7. Each writes its
//          sums for half of the rows of x to the other, which adds them to its own.
//
// A block has two warps for each 16 rows of w, which share out the rows of x, and one that
// loads. A share is the columns that one of matmul_few.cu's warps takes: 128 of every 1024.
#include "hopper.h"
#include "matmul.h"

const int turn = 128; // columns of a share before the next share's begin
const int maxStages = 12;
const u32 rows16 = 16 * 128; // bytes of 64 columns of 16 rows

alignas(1024) extern __shared__ u8 dynamic[];

// NT groups of eight rows of x for each warp: 16·NT rows. The dynamic memory has `stages`
// boxes of w and x, and, where split, 16 bytes for each lane, group and 16 rows of w.
template <typename T, typename D, int NT>
DEVICE void matmul_rows(u64 mapW, u64 mapX, D *dst, const float *bias, int m, int rows, int cols, int add, const int *used, int split, int stages) {
  alignas(8) __shared__ u64 barriers[2 * maxStages];
  const int groups = (threads() - 32) / 64; // of 16 rows of w
  const int g = lane() >> 2, t = lane() & 3;
  const int rank = (int)cluster_rank(), tile_rows = 16 * groups, tiles = (rows + tile_rows - 1) / tile_rows;
  const u32 bytes_w = groups * rows16, bytes_x = NT * rows16, stage_bytes = bytes_w + bytes_x;
  u8 *aligned = dynamic + (1023 & -shared_address(dynamic));
  const u32 base = shared_address(aligned), full = shared_address(barriers), empty = full + 8 * maxStages;
  if (thread() == 0) {
    for (int i = 0; i < stages; i++) {
      barrier_init(full + 8 * i, 1);
      barrier_init(empty + 8 * i, split ? 2 * groups : 4 * groups);
    }
    barriers_ready();
  }
  cluster_sync();
  next();
  if (used) {
    wait();
    if (*used == 0) return;
  }

  // The block's boxes of 64 columns: of each tile, share after share.
  struct Place { int tile, share, k; };
  const int share0 = split ? 4 * rank : 0, shares = split ? 4 : 8, pace = (int)blocks_x() / (split ? 2 : 1);
  const int tiles_here = split ? tiles : (tiles + 1) / 2 * 2; // both blocks go through as many
  Place place = {turn * share0 < cols ? split ? (int)block_x() / 2 : (int)block_x() : tiles_here, share0, turn * share0};
  auto step = [&]() INLINE {
    place.k += 64;
    if (place.k % turn == 0) place.k += turn * (warps - 1);
    if (place.k < cols) return;
    if (++place.share == share0 + shares || turn * place.share >= cols) place.share = share0, place.tile += pace;
    place.k = turn * place.share;
  };
  int at = 0;
  u32 parity = 0;
  auto on = [&]() INLINE {
    if (++at == stages) at = 0, parity ^= 1;
  };
  if (warp() == 2 * groups) {
    if (lane() == 0) {
      auto load_w = [&]() INLINE {
        barrier_expect(full + 8 * at, stage_bytes);
        copy_box(base + at * stage_bytes, mapW, full + 8 * at, place.k, place.tile * tile_rows, 0);
      };
      // The first boxes of w are asked for before wait().
      const Place begin = place;
      int early = 0;
      for (; early < stages && place.tile < tiles_here; early++, at++, step()) load_w();
      place = begin, at = 0;
      wait();
      for (; place.tile < tiles_here; on(), step()) {
        if (early > 0) early--;
        else {
          barrier_wait(empty + 8 * at, parity ^ 1);
          load_w();
        }
        u32 to = base + at * stage_bytes + bytes_w;
        if (split) copy_box(to, mapX, full + 8 * at, place.k, 0, 0);
        else copy_box_to(3, to + rank * (bytes_x / 2), mapX, full + 8 * at, place.k, rank * 8 * NT, 0);
      }
    }
    sync_warp();
  } else {
    wait();
    // Neighbouring rows in the lanes' order are four rows apart, so that eight lanes that
    // read 16 bytes each use all banks: of w the lane has rows `row` and row+8, of x row
    // `row` of each group, and of the sums the rows t and t+4 of x.
    const u32 row = g / 2 + g % 2 * 4;
    const int group = warp() >> 1, side = warp() & 1;
    const u32 own = base + group * rows16 + row * 128, ownX = base + bytes_w + side * NT * 1024 + row * 128;
    float sum[NT][4], total[NT][4], first[NT][4];
    auto clear = [&](float (&v)[NT][4]) INLINE {
      UNROLL for (int j = 0; j < NT; j++)
        UNROLL for (int e = 0; e < 4; e++) v[j][e] = 0.f;
    };
    clear(sum), clear(total), clear(first);
    auto multiply = [&]() INLINE {
      barrier_wait(full + 8 * at, parity);
      UNROLL for (int s = 0; s < 2; s++) {
        u32 place = at * stage_bytes + ((4 * s + t) ^ row) * 16;
        u32x4 low, high, x[NT];
        low = shared16(own + place);
        high = shared16(own + place + 1024);
        UNROLL for (int j = 0; j < NT; j++) x[j] = shared16(ownX + place + j * 1024);
        UNROLL for (int j = 0; j < NT; j++) {
          mma<T>(sum[j], low.x, high.x, low.y, high.y, x[j].x, x[j].y);
          mma<T>(sum[j], low.z, high.z, low.w, high.w, x[j].z, x[j].w);
        }
      }
      sync_warp();
      if (split) {
        if (lane() == 0) barrier_arrive(empty + 8 * at);
      } else if (lane() < 2) barrier_arrive_at(empty + 8 * at, lane());
      on();
    };
    for (int tile = split ? (int)block_x() / 2 : (int)block_x(); tile < tiles_here; tile += pace) {
      for (int s = share0; s < share0 + shares; s++) {
        for (int k = turn * s; k < cols; k += turn * warps) {
          multiply();
          if (k + 64 < cols) multiply();
        }
        UNROLL for (int j = 0; j < NT; j++)
          UNROLL for (int e = 0; e < 4; e++) {
            total[j][e] += sum[j][e], sum[j][e] = 0.f;
            if (s == 3) first[j][e] = total[j][e], total[j][e] = 0.f;
          }
      }
      if (split) {
        // Block 0 ends with its sums in first, block 1 in total.
        const u32 mine = base + stages * stage_bytes + group * NT * 512 + lane() * 16;
        if (side != rank) {
          u32 to = address_at(mine, side);
          UNROLL for (int j = 0; j < NT; j++) store_at(to + j * 512, rank == 0 ? first[j] : total[j]);
        }
        cluster_sync();
        if (side != rank) break;
        UNROLL for (int j = 0; j < NT; j++) {
          f32x4 v;
          asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "r"(mine + j * 512) : "memory");
          UNROLL for (int e = 0; e < 4; e++) (rank == 0 ? total : first)[j][e] = v[e];
        }
      }
      UNROLL for (int j = 0; j < NT; j++)
        UNROLL for (int e = 0; e < 4; e++) {
          i64 r = tile * tile_rows + 16 * group + row + 8 * (e / 2);
          int c = side * 8 * NT + 8 * j + t + 4 * (e % 2);
          if (r < rows && c < m) {
            i64 to = (i64)c * rows + r;
            finish(dst, to, first[j][e] + total[j][e], bias, r, add, add ? to_float(dst[to]) : 0.f);
          }
        }
      clear(total);
    }
  }
  if (!split || warp() == 2 * groups) cluster_sync(); // the other block may still send here
}

#define ROWS(T, D, name, NT) \
  KERNEL __launch_bounds__(544, 1) matmul_rows_##NT##_##name(Map w, Map x, D *dst, const float *bias, int m, int rows, int cols, int add, const int *used, int split, int stages) { \
    matmul_rows<T, D, NT>(MAP("matmul_rows_" #NT "_" #name, 0), MAP("matmul_rows_" #NT "_" #name, 1), dst, bias, m, rows, cols, add, used, split, stages); \
  }
#define INSTANCE(T, D, name) ROWS(T, D, name, 1) ROWS(T, D, name, 2) ROWS(T, D, name, 3)
INSTANCE(f16, f16, f16)
INSTANCE(f16, float, f16_f32)
INSTANCE(bf16, bf16, bf16)
INSTANCE(bf16, float, bf16_f32)
