// tiles.h: the product of many rows of x (m, cols) with w (rows, cols) transposed, compute capability 9.0, 16-bit types, and
// what becomes of gate and up while they are still in registers, unrounded.
//
// A tile is 256 rows of x by 256 of w, and a cluster of two blocks computes it: each block
// loads its own 128 rows of x, and half of w's rows, which the copy engine writes to both.
// One warp loads 64 columns per stage; two warpgroups of 64 rows multiply with wgmma. There
// are as many clusters as the card has room for; they stay and share out the tiles by their
// numbers, and the next tile's stages are loaded while a tile's sums are written. Tiles go
// in bands of `band` tiles of x, so that what the clusters read at one time fits the L2
// cache.
//
// For a mixture, x has the rows of each expert after those of the one before, counts[e] of
// them, and w is a tensor map per expert, or one in which each expert's rows lie `apart` rows
// behind those of the one before: one kernel computes the tiles of several experts. (The maps
// are kernel parameters: in memory they would need a fence that is newer than PTX 8.0.)
//
// Sums run along the columns in order, so a row's bits do not depend on the others.
#pragma once
#include "wgmma.h"

const int S = 4;                                          // stages
const int band = 11;
const u32 boxX = 128 * 128, boxW = 256 * 128, stage_bytes = boxX + boxW; // 64 columns: 128 bytes a row
const u32 lines_bytes = 64 * 256;                         // 64 rows, 128 columns: a warpgroup's sums on their way out

// d (64×256) = a·bᵀ, or += where add.
template <typename T> DEVICE void multiply(float (&d)[128], u64 a, u64 b, int add);
#define MULTIPLY(T, name) \
  template <> DEVICE void multiply<T>(float (&d)[128], u64 a, u64 b, int add) { \
    asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %130, 0;\n\twgmma.mma_async.sync.aligned.m64n256k16.f32." name "." name " " SUMS(128) ", %128, %129, p, 1, 1, 0, 0;\n\t}" \
                 : OUTPUTS128 : "l"(a), "l"(b), "r"(add)); \
  }
MULTIPLY(bf16, "bf16")
MULTIPLY(f16, "f16")

extern __shared__ u8 dynamic[];

DEVICE int id() { return thread() % 128; } // in the warpgroup
DEVICE void sync_group() { asm volatile("bar.sync %0, 128;" ::"r"(thread() / 128) : "memory"); }

// Lines in shared memory, whose pieces of 16 bytes are in an order that keeps banks apart.
// word is the place of columns 8j + 2·(lane % 4) and the next one of row r.
DEVICE u8 *vector(u8 *lines, int r, int j) { return lines + r * 256 + (j ^ (r & 7)) * 16; }
DEVICE u32 &word(u8 *lines, int r, int j) { return *(u32 *)(vector(lines, r, j) + lane() % 4 * 4); }
// The warpgroup writes the first `below` of its lines out, 16 threads per row: row r goes
// to `to` + r·step.
template <typename T> DEVICE void write(u8 *lines, T *to, i64 step, int below) {
  sync_group();
  UNROLL for (int r = id() / 16; r < 64; r += 8)
    if (r < below) *(u32x4 *)(to + r * step) = *(u32x4 *)vector(lines, r, id() % 16);
  sync_group();
}

// How many rows x has: m, or counts[e] for each of some experts, behind those of the experts
// before, of which there are `skip`. Where apart is 0 an expert has a map of its own. table
// has the experts' biases, as matmul_few.cu has it, or is null.
struct Rows {
  struct Expert { u64 weight; const float *bias; };
  int m;
  const int *counts;
  int skip, experts, apart;
  const Expert *table;
  DEVICE int of(int e) const { return counts ? counts[skip + e] : m; }
  DEVICE int before() const {
    int n = 0;
    for (int e = 0; e < skip; e++) n += counts[e];
    return n;
  }
  DEVICE const float *bias(int e) const { return table ? table[skip + e].bias : nullptr; }
};

// Calls leave(lines, row, below, tile, bias, d) with the sums of every tile: row is the first of
// the warpgroup's 64 rows, `below` of which exist; bias is the expert's, or null. tile is the number of the tile of w; it
// has 128 rows from step·tile on and 128 more `apart` rows further on. mapW is the map of
// the first expert.
template <typename T, typename Leave>
DEVICE void matmul(u64 mapX, u64 mapW, Rows rows, int across, int step, int apart, int cols, Leave leave) {
  alignas(8) __shared__ u64 barriers[2 * S];
  u8 *aligned = dynamic + (1023 & -shared_address(dynamic));
  u32 base = shared_address(aligned), full = shared_address(barriers), empty = full + 8 * S;
  int rank = (int)cluster_rank();
  if (thread() == 0) {
    UNROLL for (int i = 0; i < S; i++) {
      barrier_init(full + 8 * i, 1);
      barrier_init(empty + 8 * i, 4); // two warpgroups of two blocks
    }
    barriers_ready();
  }
  cluster_sync();
  next();
  wait();

  int steps = (cols + 63) / 64;
  auto tiles = [&](auto each) INLINE {
    int i = (int)block_x() / 2; // the tile's number, less the tiles of the experts before
    for (int e = 0, first = rows.before(), n; e < rows.experts; e++, first += n) {
      n = rows.of(e);
      int down = (n + 255) / 256;
      for (; i < down * across; i += (int)blocks_x() / 2) {
        int b = i / (band * across), r = i - b * band * across, high = min(band, down - b * band);
        each(first + (b * band + r % high) * 256 + rank * 128, first + n, r / high, e);
      }
      i -= down * across;
    }
  };
  int at = 0;
  u32 parity = 0;
  auto on = [&]() INLINE {
    if (++at == S) at = 0, parity ^= 1;
  };
  if (thread() < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;"); // of 168: the other two warpgroups get the rest
    if (thread() == 0) {
      tiles([&](int row, int, int tile, int e) INLINE {
        u64 w = rows.apart ? mapW : mapW + e * sizeof(Map);
        for (int k = 0; k < steps; k++, on()) {
          u32 to = base + at * stage_bytes, barrier = full + 8 * at;
          barrier_wait(empty + 8 * at, parity ^ 1);
          barrier_expect(barrier, stage_bytes);
          copy_box(to, mapX, barrier, 64 * k, row, 0);
          copy_box_to(3, to + boxX + rank * (boxW / 2), w, barrier, 64 * k, e * rows.apart + step * tile + rank * apart, 0);
        }
      });
    }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    int group = thread() / 128 - 1;
    u8 *lines = aligned + S * stage_bytes + group * lines_bytes;
    tiles([&](int row, int end, int tile, int e) INLINE {
      row += 64 * group;
      float d[128];
      int before = 0;
      auto free = [&]() INLINE { // lets the loading warps of both blocks fill the stage again
        if (id() < 2) barrier_arrive_at(empty + 8 * before, id());
      };
      for (int k = 0; k < steps; k++, on()) {
        barrier_wait(full + 8 * at, parity);
        u32 from = base + at * stage_bytes;
        u64 a = operand(from + group * (boxX / 2), 16), b = operand(from + boxX, 16);
        multiply_fence();
        UNROLL for (int i = 0; i < 4; i++) multiply<T>(d, a + 2 * i, b + 2 * i, k > 0 || i > 0);
        multiply_commit();
        multiply_wait<1>();
        if (k > 0) free();
        before = at;
      }
      multiply_wait<0>();
      free();
      leave(lines, row, end - row, tile, rows.bias(e), d);
    });
  }
  cluster_sync(); // the other block may still send here
}

// A thread's row of the warpgroup's 64; it also has the row eight further on.
DEVICE int own_row() { return id() / 32 * 16 + lane() / 4; }

// Activations (engine.ActivationKind). Precise enough for 16-bit types.
DEVICE float logistic(float power) { // of p, given -p·log2(e)
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(1.f + exp2(power)));
  return y;
}
struct SwiGLU {
  DEVICE float operator()(float g, float u) const { return g * logistic(-LOG2E * g) * u; }
};
struct TanhGEGLU {
  DEVICE float operator()(float g, float u) const {
    return g * logistic(g * (-LOG2E * 1.59576912f - LOG2E * 0.0713548163f * g * g)) * u;
  }
};
struct ClampedSwiGLU {
  float alpha, limit;
  DEVICE float operator()(float g, float u) const {
    g = g > limit ? limit : g; // a NaN stays
    u = u > limit ? limit : u < -limit ? -limit : u;
    return g * logistic(-LOG2E * alpha * g) * (u + 1.f);
  }
};

template <typename T, typename Activation> DEVICE void gated(u64 mapX, u64 mapW, T *dst, Rows rows, int ff, int cols, Activation join) {
  matmul<T>(mapX, mapW, rows, (ff + 127) / 128, 128, ff, cols, [&](u8 *lines, int row, int below, int tile, const float *bias, float (&d)[128]) INLINE {
    UNROLL for (int j = 0; j < 16; j++) {
      float *g = d + 4 * j, *u = d + 64 + 4 * j;
      if (bias) {
        int c = 128 * tile + 8 * j + lane() % 4 * 2;
        UNROLL for (int e = 0; e < 2; e++) {
          float bg = c + e < ff ? bias[c + e] : 0.f, bu = c + e < ff ? bias[ff + c + e] : 0.f;
          g[e] += bg, g[2 + e] += bg, u[e] += bu, u[2 + e] += bu;
        }
      }
      UNROLL for (int y = 0; y < 4; y += 2) word(lines, own_row() + 4 * y, j) = pack<T>(join(g[y], u[y]), join(g[y + 1], u[y + 1]));
    }
    int c = 128 * tile + id() % 16 * 8;
    write(lines, dst + (i64)row * ff + c, ff, c < ff ? below : 0);
  });
}

struct Maps { Map of[16]; };

#define ENTRY KERNEL __launch_bounds__(384, 1)
