// matmul_few for compute capability 9.0 and 49 to 128 rows of x: the same product as
// matmul_few.cu's tensor-core version, bit for bit; w (rows, cols) and x (m, cols) through
// tensor maps, in boxes of 64 columns, swizzled by 128 bytes.
//
// wgmma with 64 rows of w, from registers, times all rows of x, from shared memory. On a
// card it gives mma's bits for the same 16 columns, in whatever order these are. The 16 of
// matmul_few.cu are words 0 and 1, or 2 and 3, of four pieces of 16 bytes: lanes of w have
// them as there, and of x three warps put them beside each other in shared memory.
//
// Two blocks are a cluster, whole or split as in matmul_rows_sm90a.cu.
//
// A block has two warpgroups that multiply: each has its own rows of w and all of x, or,
// with two sides, the same rows of w and half of x. Of the third warpgroup one warp loads
// and three order x. A share is the columns that one of matmul_few.cu's warps takes: 128 of
// every 1024.
#include "matmul.h"
#include "wgmma.h"

const int turn = 128; // columns of a share before the next share's begin
const int maxStages = 12;

alignas(1024) extern __shared__ u8 dynamic[];

// d (64×N) = a·bᵀ, or += where add; a is 64×16, in registers as mma has it.
template <typename T, int N> DEVICE void multiply(float (&d)[N / 2], u32 a0, u32 a1, u32 a2, u32 a3, u64 b, int add);
#define MULTIPLY(T, name, n, sums, p0, p1, p2, p3, p4, p5) \
  template <> DEVICE void multiply<T, n>(float (&d)[sums], u32 a0, u32 a1, u32 a2, u32 a3, u64 b, int add) { \
    asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, " p5 ", 0;\n\twgmma.mma_async.sync.aligned.m64n" #n "k16.f32." name "." name " " SUMS(sums) \
                 ", {" p0 "," p1 "," p2 "," p3 "}, " p4 ", p, 1, 1, 0;\n\t}" \
                 : OUTPUTS##sums : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(b), "r"(add)); \
  }
#define MULTIPLIES(T, name) \
  MULTIPLY(T, name, 32, 16, "%16", "%17", "%18", "%19", "%20", "%21") \
  MULTIPLY(T, name, 48, 24, "%24", "%25", "%26", "%27", "%28", "%29") \
  MULTIPLY(T, name, 64, 32, "%32", "%33", "%34", "%35", "%36", "%37") \
  MULTIPLY(T, name, 96, 48, "%48", "%49", "%50", "%51", "%52", "%53") \
  MULTIPLY(T, name, 128, 64, "%64", "%65", "%66", "%67", "%68", "%69")
MULTIPLIES(bf16, "bf16")
MULTIPLIES(f16, "f16")

DEVICE u32x4 load_shared(u32 from) {
  u32x4 v;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(from) : "memory");
  return v;
}
DEVICE void store_shared(u32 to, u32 a, u32 b, u32 c, u32 d) {
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
}

// How a launch is laid out: rows of w for each warpgroup, how many sides x has, whether
// columns are shared out, and boxes in the ring.
struct Plan { int group_rows, sides, split, stages; };

// N rows of x for each warpgroup, of 64 columns. The dynamic memory has the ring, and room
// for the sums of shares 0 to 3, or, where split, for what comes from the other block.
template <typename T, typename D, int N>
DEVICE void matmul_wide(u64 mapW, u64 mapX, D *dst, const float *bias, int m, int rows, int cols, int add, const int *used, Plan plan) {
  alignas(8) __shared__ u64 barriers[3 * maxStages];
  const int rank = (int)cluster_rank(), split = plan.split, stages = plan.stages;
  const int tile_rows = plan.group_rows * (3 - plan.sides), tiles = (rows + tile_rows - 1) / tile_rows, height = N * plan.sides;
  const u32 bytes_w = tile_rows * 128, bytes_x = height * 128, stage_bytes = bytes_w + bytes_x;
  u8 *aligned = dynamic + (1023 & -shared_address(dynamic));
  const u32 base = shared_address(aligned), full = shared_address(barriers), ready = full + 8 * maxStages, empty = ready + 8 * maxStages;
  if (thread() == 0) {
    for (int i = 0; i < stages; i++) {
      barrier_init(full + 8 * i, 1);
      barrier_init(ready + 8 * i, 1);
      barrier_init(empty + 8 * i, split ? 8 : 16); // warps that multiply
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
  const int tile0 = (int)block_x() / (split ? 2 : 1), end = split ? tiles : (tiles + 1) / 2 * 2; // both blocks go through as many
  Place place = {turn * share0 < cols ? tile0 : end, share0, turn * share0};
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
  if (thread() < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 56;"); // of 168: the other two warpgroups get the rest
    if (thread() == 0) {
      auto load_w = [&]() INLINE {
        barrier_expect(full + 8 * at, stage_bytes);
        copy_box(base + at * stage_bytes, mapW, full + 8 * at, place.k, place.tile * tile_rows, 0);
      };
      // The first boxes of w are asked for before wait().
      const Place begin = place;
      int early = 0;
      for (; early < stages && place.tile < end; early++, at++, step()) load_w();
      place = begin, at = 0;
      wait();
      for (; place.tile < end; on(), step()) {
        if (early > 0) early--;
        else {
          barrier_wait(empty + 8 * at, parity ^ 1);
          load_w();
        }
        u32 to = base + at * stage_bytes + bytes_w;
        if (split) copy_box(to, mapX, full + 8 * at, place.k, 0, 0);
        else copy_box_to(3, to + rank * (bytes_x / 2), mapX, full + 8 * at, place.k, rank * (height / 2), 0);
      }
    } else if (warp() > 0) {
      for (int turns = 1; place.tile < end; on(), step()) { // each of the three has every third box
        barrier_wait(full + 8 * at, parity);
        if (turns++ % 3 != warp() % 3) continue;
        u32 half = base + at * stage_bytes + bytes_w + lane() / 2 * 128, first = lane() % 2 * 4, swizzle = lane() / 2 % 8;
        UNROLL for (int i = 0; i < N; i += 16, half += 16 * 128) {
          for (int side = 0; side < 2 * 128 * N; side += 128 * N) {
            if (side > 0 && plan.sides == 1) break;
            u32x4 v[4];
            UNROLL for (int c = 0; c < 4; c++) v[c] = load_shared(half + side + ((first + c) ^ swizzle) * 16);
            UNROLL for (int c = 0; c < 4; c++) store_shared(half + side + ((first + c) ^ swizzle) * 16, v[0][c], v[1][c], v[2][c], v[3][c]);
          }
        }
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        sync_warp();
        if (lane() == 0) barrier_arrive(ready + 8 * at);
      }
    }
    sync_warp();
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 216;");
    wait();
    const int id = thread() - 128, group = plan.sides == 1 ? id / 128 : 0, side = plan.sides == 1 ? 0 : id / 128;
    // Neighbouring rows in the lanes' order are four rows apart, so that eight lanes that
    // read 16 bytes each use all banks. Where a group has less than 64 rows, the last ones
    // here are something else, and are dropped.
    const u32 g = lane() >> 2, t = lane() & 3, row = g / 2 + g % 2 * 4;
    const int row0 = id / 32 % 4 * 16 + (int)row;
    const u32 ownW = base + (group * plan.group_rows + row0) * 128, ownX = base + bytes_w + side * N * 128;
    f32x4 *stash = (f32x4 *)(aligned + stages * stage_bytes) + id;
    float sum[N / 2], total[N / 2];
    UNROLL for (int i = 0; i < N / 2; i++) total[i] = 0.f;
    int last = -1; // the box that is being multiplied
    auto done = [&]() INLINE {
      if (last < 0) return;
      if (split) {
        if (lane() == 0) barrier_arrive(empty + 8 * last);
      } else if (lane() < 2) barrier_arrive_at(empty + 8 * last, lane());
    };
    auto box = [&](u32x4 (&low)[2], u32x4 (&high)[2], bool fresh) INLINE {
      barrier_wait(full + 8 * at, parity);
      UNROLL for (u32 s = 0; s < 2; s++) {
        u32 from = ownW + at * stage_bytes + ((4 * s + t) ^ row) * 16;
        low[s] = load_shared(from), high[s] = load_shared(from + 1024);
      }
      u64 x = operand(ownX + at * stage_bytes, 16);
      barrier_wait(ready + 8 * at, parity);
      multiply_fence();
      UNROLL for (int s = 0; s < 2; s++) {
        multiply<T, N>(sum, low[s].x, high[s].x, low[s].y, high[s].y, x + 4 * s, !fresh || s > 0);
        multiply<T, N>(sum, low[s].z, high[s].z, low[s].w, high[s].w, x + 4 * s + 2, 1);
      }
      multiply_commit();
      multiply_wait<0>();
      done();
      last = at;
      on();
    };
    // Writes the sums of columns 8j … of the group, added to other.
    auto leave = [&](int tile, int j, const float (&s)[4], f32x4 other) INLINE {
      UNROLL for (int e = 0; e < 4; e++) {
        int in_group = row0 + 8 * (e / 2), r = tile * tile_rows + group * plan.group_rows + in_group, c = side * N + 8 * j + 2 * (int)t + e % 2;
        if (in_group < plan.group_rows && r < rows && c < m) {
          i64 to = (i64)c * rows + r;
          finish(dst, to, s[e] + other[e], bias, r, add, add ? to_float(dst[to]) : 0.f);
        }
      }
    };
    for (int tile = tile0; tile < end; tile += pace) {
      for (int s = share0; s < share0 + shares; s++) {
        u32x4 low0[2], high0[2], low1[2], high1[2];
        for (int k = turn * s; k < cols; k += turn * warps) {
          box(low0, high0, k < turn * warps);
          if (k + 64 < cols) box(low1, high1, false);
        }
        multiply_wait<0>();
        done();
        last = -1;
        if (turn * s < cols) UNROLL for (int i = 0; i < N / 2; i++) total[i] += sum[i];
        if (!split && s == 3) {
          UNROLL for (int i = 0; i < N / 8; i++) {
            stash[256 * i] = f32x4{total[4 * i], total[4 * i + 1], total[4 * i + 2], total[4 * i + 3]};
            UNROLL for (int e = 0; e < 4; e++) total[4 * i + e] = 0.f;
          }
        }
      }
      if (split) {
        // Block 0 ends the first half of its group's columns, block 1 the second.
        u32 to = address_at(shared_address(stash), 1 - rank);
        float own[N / 16][4];
        UNROLL for (int i = 0; i < N / 16; i++) {
          float v[4];
          UNROLL for (int e = 0; e < 4; e++) {
            float a = total[4 * i + e], b = total[N / 4 + 4 * i + e];
            own[i][e] = rank == 0 ? a : b, v[e] = rank == 0 ? b : a;
          }
          store_at(to + 4096 * i, v);
        }
        cluster_sync();
        UNROLL for (int i = 0; i < N / 16; i++) leave(tile, rank * (N / 16) + i, own[i], stash[256 * i]);
      } else {
        UNROLL for (int i = 0; i < N / 8; i++) {
          const float v[4] = {total[4 * i], total[4 * i + 1], total[4 * i + 2], total[4 * i + 3]};
          leave(tile, i, v, stash[256 * i]);
          UNROLL for (int e = 0; e < 4; e++) total[4 * i + e] = 0.f;
        }
      }
    }
  }
  if (!split || thread() < 128) cluster_sync(); // the other block may still send here
}

#define WIDE(T, D, name, N) \
  KERNEL __launch_bounds__(384, 1) matmul_wide_##N##_##name(Map w, Map x, D *dst, const float *bias, int m, int rows, int cols, int add, const int *used, int group_rows, int sides, int split, int stages) { \
    matmul_wide<T, D, N>(MAP("matmul_wide_" #N "_" #name, 0), MAP("matmul_wide_" #N "_" #name, 1), dst, bias, m, rows, cols, add, used, {group_rows, sides, split, stages}); \
  }
#define INSTANCE(T, D, name) WIDE(T, D, name, 32) WIDE(T, D, name, 48) WIDE(T, D, name, 64) WIDE(T, D, name, 96) WIDE(T, D, name, 128)
INSTANCE(f16, f16, f16)
INSTANCE(f16, float, f16_f32)
INSTANCE(bf16, bf16, bf16)
INSTANCE(bf16, float, bf16_f32)
