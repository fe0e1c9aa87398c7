// matmul_few for compute capability 9.0 and 49 to 256 rows of x: the same product as
// matmul_few.cu's tensor-core version, bit for bit; w (rows, cols) and x (m, cols) through
// tensor maps, in boxes of 64 columns, swizzled by 128 bytes.
//
// wgmma with 64 rows of w, from registers, times all rows of x, from shared memory. On a
// card it gives mma's bits for the same 16 columns, in whatever order these are. The 16 of
// matmul_few.cu are words 0 and 1, or 2 and 3, of four pieces of 16 bytes: lanes of w have
// them as there, and matmul_order puts those of x beside each other before.
//
// Two blocks, a cluster, have neighbouring tiles; each loads half of the rows of x for both.
// A share is the columns that one of matmul_few.cu's warps takes: 128 of every 1024. The
// shares are divided among `parts` clusters:
//
//   1: a block has all columns of its tile, and writes the result. There are as many
//      clusters as the card has room for; they stay and share out the tiles by their numbers.
//   2: shares 0 to 3, or 4 to 7. A block leaves their sum in memory, and the one that comes
//      last adds the other's to its own. This is for products with fewer tiles of many rows
//      than clusters: tiles of few rows read x too often.
//
// A block has two warpgroups that multiply: each has its own rows of w and
// all of x, up to 128 rows, or, with two sides, the same rows of w and half of x. A warp of the third loads.
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

// How a launch is laid out: rows of w for each warpgroup, how many sides x has, how many
// parts the columns, and boxes in the ring.
struct Plan { int group_rows, sides, parts, stages; };

DEVICE void sync_group() { asm volatile("bar.sync %0, 128;" ::"r"(1 + thread() / 128) : "memory"); }

// A warpgroup's 64 rows of sums leave by way of shared memory, 16 columns at a time, so that
// whole lines are written: column c from c0 on, if it is below m, becomes row c of dst, which
// has elements below `below`. A line there is a column, with some room that keeps banks apart.
const int lineFloats = 68, lines_bytes = 16 * lineFloats * 4;
template <int N, typename D>
DEVICE void leave(float *lines, const float (&sum)[N / 2], int c0, int m, D *dst, i64 pitch, int below, const float *bias, int add) {
  const int self = thread() % 128, g = lane() >> 2, t = lane() & 3, row = self / 32 * 16 + g / 2 + g % 2 * 4, e = self % 8 * 8;
  int c = c0 + self / 8;
  asm volatile("" : "+r"(c)); // keeps the compiler from computing addresses early, which would take registers
  UNROLL for (int j = 0; j < N / 8; j += 2, c += 16) {
    if (c0 + 8 * j >= m) break;
    sync_group();
    UNROLL for (int i = 0; i < 8; i++) lines[(i / 4 * 8 + 2 * t + i % 2) * lineFloats + row + i / 2 % 2 * 8] = sum[4 * j + i];
    sync_group();
    if (c >= m) continue;
    float v[8], before[8];
    load8(v, lines + self / 8 * lineFloats + e);
    D *to = dst + c * pitch + e;
    if (e + 8 <= below && (u64)to % 16 == 0) {
      if (add) load8(before, to);
      UNROLL for (int i = 0; i < 8; i++) {
        if (bias) v[i] += bias[e + i];
        if (add) v[i] += before[i];
      }
      store8(to, v);
    } else {
      UNROLL for (int i = 0; i < 8; i++)
        if (e + i < below) finish(to, i, v[i], bias, e + i, add, add ? to_float(to[i]) : 0.f);
    }
  }
}

// Whether a warpgroup is the second of two to come here; then what the first wrote before it
// came is there. counter is zero, and is so again afterwards.
DEVICE bool last_of_two(int *counter, int *scratch) {
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
  sync_group();
  if (thread() % 128 == 0) {
    int before;
    asm volatile("atom.add.global.s32 %0, [%1], 1;" : "=r"(before) : "l"(counter) : "memory");
    if (before == 1) *counter = 0;
    *scratch = before;
  }
  sync_group();
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
  return *(volatile int *)scratch == 1;
}

// N rows of x for each warpgroup, of 64 columns. The dynamic memory has the ring and a line
// for each of 16 columns of each warpgroup.
template <typename T, typename D, int N>
DEVICE void matmul_wide(u64 mapW, u64 mapX, D *dst, float *partial, int *arrived, const float *bias, int m, int rows, int cols, int add, const int *used, Plan plan) {
  alignas(8) __shared__ u64 barriers[2 * maxStages];
  const int rank = (int)cluster_rank(), parts = plan.parts, stages = plan.stages;
  const int tile_rows = plan.group_rows * (3 - plan.sides), height = N * plan.sides;
  const u32 bytes_w = tile_rows * 128, bytes_x = height * 128, stage_bytes = bytes_w + bytes_x;
  u8 *aligned = dynamic + (1023 & -shared_address(dynamic));
  const u32 base = shared_address(aligned), full = shared_address(barriers), empty = full + 8 * maxStages;
  if (thread() == 0) {
    for (int i = 0; i < stages; i++) {
      barrier_init(full + 8 * i, 1);
      barrier_init(empty + 8 * i, 16); // warps that multiply, of two blocks
    }
    barriers_ready();
  }
  cluster_sync();
  next();
  if (used) {
    wait();
    if (*used == 0) return;
  }

  // The block's boxes of 64 columns, in pairs: of each tile, share after share. Both blocks
  // go through as many.
  const int cluster = (int)block_x() / 2, part = cluster % parts, shares = warps / parts, share0 = part * shares;
  const int tile0 = cluster / parts * 2 + rank, pace = (int)blocks_x() / parts, end = (rows + 2 * tile_rows - 1) / (2 * tile_rows) * 2;
  int at = 0;
  u32 parity = 0;
  auto on = [&]() INLINE {
    if (++at == stages) at = 0, parity ^= 1;
  };
  if (thread() < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 24;"); // of 168: the other two warpgroups get the rest
    if (thread() == 0) {
      struct Place { int tile, share, k; } place = {turn * share0 < cols ? tile0 : end, share0, turn * share0};
      auto step = [&]() INLINE {
        place.k += 64;
        if (place.k % turn != 0) return;
        place.k += turn * (warps - 1);
        if (place.k < cols) return;
        if (++place.share == share0 + shares || turn * place.share >= cols) place.share = share0, place.tile += pace;
        place.k = turn * place.share;
      };
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
        copy_box_to(3, base + at * stage_bytes + bytes_w + rank * (bytes_x / 2), mapX, full + 8 * at, place.k, rank * (height / 2), 0);
      }
    }
    sync_warp();
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
    wait();
    const int id = thread() - 128, group = plan.sides == 1 ? id / 128 : 0, side = plan.sides == 1 ? 0 : id / 128;
    // Neighbouring rows in the lanes' order are four rows apart, so that eight lanes that
    // read 16 bytes each use all banks. Where a group has less than 64 rows, the last ones
    // here are something else, and are dropped.
    const u32 g = lane() >> 2, t = lane() & 3, row = g / 2 + g % 2 * 4;
    const int row0 = id / 32 % 4 * 16 + (int)row;
    const u32 ownW = base + (group * plan.group_rows + row0) * 128, ownX = base + bytes_w + side * N * 128;
    float *lines = (float *)(aligned + stages * stage_bytes + id / 128 * lines_bytes);
    float sum[N / 2], total[N / 2], first[N / 2]; // first: of shares 0 to 3, where there is one part
    // Where registers are left, w of the next boxes comes while these are multiplied.
    const bool ahead = N <= 64;
    const int boxes = N < 128 ? 2 : 1;
    struct Words {
      u32x4 low[2 * boxes], high[2 * boxes];
      int at[boxes];
    } words;
    auto load = [&](Words &w) INLINE {
      UNROLL for (u32 s = 0; s < 2 * boxes; s++) {
        if (s % 2 == 0) {
          barrier_wait(full + 8 * at, parity);
          w.at[s / 2] = at;
          on();
        }
        u32 from = ownW + w.at[s / 2] * stage_bytes + ((4 * (s % 2) + t) ^ row) * 16;
        w.low[s] = shared16(from), w.high[s] = shared16(from + 1024);
      }
    };
    // Multiplies what is loaded. more: there are other boxes of the tile behind it.
    auto multiply = [&](bool fresh, bool more) INLINE {
      if (!ahead) load(words);
      multiply_fence();
      UNROLL for (int s = 0; s < 2 * boxes; s++) {
        u64 x = operand(ownX + words.at[s / 2] * stage_bytes, 16) + 4 * (s % 2);
        const u32x4 low = words.low[s], high = words.high[s];
        ::multiply<T, N>(sum, low.x, high.x, low.y, high.y, x, s > 0 || !fresh);
        ::multiply<T, N>(sum, low.z, high.z, low.w, high.w, x + 2, 1);
      }
      multiply_commit();
      Words next;
      if (ahead && more) load(next);
      multiply_wait<0>();
      UNROLL for (int i = 0; i < boxes; i++)
        if (lane() < 2) barrier_arrive_at(empty + 8 * words.at[i], lane());
      if (ahead && more) words = next;
    };
    for (int tile = tile0; tile < end; tile += pace) {
      const int last = min(share0 + shares, (cols + turn - 1) / turn); // the first share that has no columns
      if (ahead && share0 < last) load(words);
      auto four = [&](int from) INLINE {
        UNROLL for (int i = 0; i < N / 2; i++) total[i] = 0.f;
        for (int s = from; s < min(from + 4, last); s++) {
          for (int k = turn * s; k < cols; k += turn * warps) {
            const bool fresh = k < turn * warps;
            multiply(fresh, k + turn * warps < cols || s + 1 < last);
            if (boxes == 1) multiply(false, false);
          }
          UNROLL for (int i = 0; i < N / 2; i++) total[i] += sum[i];
        }
      };
      four(share0);
      if (parts == 1) {
        UNROLL for (int i = 0; i < N / 2; i++) first[i] = total[i];
        four(4);
        UNROLL for (int i = 0; i < N / 2; i++) total[i] = first[i] + total[i];
      }
      const int r = tile * tile_rows + group * plan.group_rows, below = min(plan.group_rows, rows - r);
      if (parts == 2) {
        const int place = tile * 2 + id / 128;
        f32x4 *sums = (f32x4 *)partial + (i64)place * (N / 4 * 128) + id % 128;
        UNROLL for (int i = 0; i < N / 8; i++)
          sums[(part * (N / 8) + i) * 128] = f32x4{total[4 * i], total[4 * i + 1], total[4 * i + 2], total[4 * i + 3]};
        if (!last_of_two(arrived + place, (int *)lines)) continue;
        UNROLL for (int i = 0; i < N / 8; i++) {
          const f32x4 other = sums[((1 - part) * (N / 8) + i) * 128];
          UNROLL for (int e = 0; e < 4; e++) total[4 * i + e] += other[e];
        }
      }
      leave<N>(lines, total, side * N, m, dst + r, rows, below, bias ? bias + r : nullptr, add);
    }
  }
  cluster_sync(); // the other block may still load here
}

// x (m, cols) of 16-bit numbers in the order that matmul_wide wants, groups·32 columns: of
// each 32, the first words of four pieces of 16 bytes, then the second, the third, the
// fourth. A thread has 32 columns.
KERNEL matmul_order(u32x4 *dst, const u32x4 *x, int m, int cols, int groups) {
  next();
  wait();
  const i64 id = block_x() * threads() + thread();
  if (id >= (i64)m * groups) return;
  const int row = (int)(id / groups), group = (int)(id % groups);
  u32x4 v[4];
  UNROLL for (int p = 0; p < 4; p++)
    v[p] = 32 * group + 8 * p < cols ? x[(i64)row * (cols / 8) + 4 * group + p] : u32x4{0, 0, 0, 0};
  UNROLL for (int w = 0; w < 4; w++) dst[4 * id + w] = u32x4{v[0][w], v[1][w], v[2][w], v[3][w]};
}

#define WIDE(T, D, name, N) \
  KERNEL __launch_bounds__(384, 1) matmul_wide_##N##_##name(Map w, Map x, D *dst, float *partial, int *arrived, const float *bias, int m, int rows, int cols, int add, const int *used, int group_rows, int sides, int parts, int stages) { \
    matmul_wide<T, D, N>(MAP("matmul_wide_" #N "_" #name, 0), MAP("matmul_wide_" #N "_" #name, 1), dst, partial, arrived, bias, m, rows, cols, add, used, {group_rows, sides, parts, stages}); \
  }
#define INSTANCE(T, D, name) WIDE(T, D, name, 32) WIDE(T, D, name, 48) WIDE(T, D, name, 64) WIDE(T, D, name, 96) WIDE(T, D, name, 128)
INSTANCE(f16, f16, f16)
INSTANCE(f16, float, f16_f32)
INSTANCE(bf16, bf16, bf16)
INSTANCE(bf16, float, bf16_f32)
