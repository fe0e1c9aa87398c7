// mixture_gate: joined[s] = a(x · gateᵀ + bias, x · upᵀ + bias) of a token's experts, for one token, with their w (2·ff, cols) in
// MXFP4 or E4M3 (packed.h): what matmul_packed and gate.cu give, in the same bits, by one kernel. choices (perToken)
// are those of one token, x (cols) bf16, joined (perToken, ff) bf16. ff is a multiple of eight, cols of 32, perToken at most 16.
//
// A unit is eight rows of an expert's gate and the eight of up that belong to them. Blocks share units out evenly, so that
// there is one wave of them. A warp has one of eight shares of the columns, turns s, s+8, … of 128, and goes from one
// unit to the next without a pause but for the barrier: it keeps D turns in registers, of which it loads one while it
// multiplies by the others. A unit's sums lie in one of two places, so that they are joined while the next one's are made.
#include "matmul.h"
#include "activation.h"
#include "experts.h"
#include "packed.h"

template <typename W, int D, typename Activation>
DEVICE void mixture_gate(bf16 *joined, const bf16 *x, const Choice *choices, const Expert *experts, int perToken, i64 ff, i64 cols, Activation join) {
  __shared__ const u8 *weights[mostExperts];
  __shared__ const float *biases[mostExperts];
  __shared__ float partial[2][warps][16];
  int g = lane() >> 2, t = lane() & 3, turns = (int)((cols + 127) / 128), tiles = (int)(ff / 8), units = perToken * tiles;
  next();
  wait();
  read_experts(weights, biases, choices, experts, perToken);
  Turn<W> ring[D];
  int ahead = (int)block_x(), from = warp(); // the unit and the turn that are loaded next
  auto load = [&](Turn<W> &into) INLINE {
    if (ahead >= units || from >= turns) return;
    i64 row[2] = {8 * (ahead % tiles) + g, ff + 8 * (ahead % tiles) + g};
    const u8 *w = weights[ahead / tiles];
    into.load(w, W::scales(w, 2 * ff, cols), row, 128 * from + 32 * t, cols);
    if ((from += warps) >= turns) ahead += (int)blocks_x(), from = warp();
  };
  UNROLL for (int d = 0; d < D; d++) load(ring[d]);
  int unit = (int)block_x(), turn = warp(), place = 0;
  float sum[4] = {0, 0, 0, 0};
  while (unit < units) {
    UNROLL for (int d = 0; d < D; d++) {
      if (unit >= units) continue;
      if (turn < turns) { // of fewer turns than warps some have none
        i64 k = 128 * turn + 32 * t;
        u32x4 v[4];
        UNROLL for (int q = 0; q < 4; q++) v[q] = k < cols && g == 0 ? *(const u32x4 *)(x + k + 8 * q) : u32x4{0, 0, 0, 0};
        ring[d].add(sum, v);
        load(ring[d]);
      }
      if ((turn += warps) < turns) continue;
      if (t == 0) partial[place][warp()][g] = sum[0], partial[place][warp()][8 + g] = sum[2]; // of the one row of x
      sync();
      if (warp() == warps - 1) { // which has the fewest turns
        int e = unit / tiles, r = lane() % 16;
        i64 row = 8 * (unit % tiles) + r % 8;
        float total = 0.f;
        UNROLL for (int half = 0; half < warps; half += warps / 2) {
          float s = 0.f;
          UNROLL for (int i = half; i < half + warps / 2; i++) s += partial[place][i][r];
          total += s;
        }
        if (biases[e]) total += biases[e][r < 8 ? row : ff + row];
        bf16 rounded;
        from_float(rounded, total);
        float up = from_lane(to_float(rounded), lane() % 8 + 8);
        if (lane() < 8) from_float(joined[e * ff + row], join(to_float(rounded), up));
      }
      UNROLL for (int e = 0; e < 4; e++) sum[e] = 0.f;
      place ^= 1;
      unit += (int)blocks_x();
      turn = warp();
    }
  }
}

#define PARAMETERS bf16 *joined, const bf16 *x, const Choice *choices, const Expert *experts, int perToken, i64 ff, i64 cols
#define INSTANCE(W, name, D) \
  KERNEL __launch_bounds__(256, 2) mixture_swiglu_##name(PARAMETERS) { mixture_gate<W, D>(joined, x, choices, experts, perToken, ff, cols, SwiGLU{}); } \
  KERNEL __launch_bounds__(256, 2) mixture_clamped_##name(PARAMETERS, float alpha, float limit) { \
    mixture_gate<W, D>(joined, x, choices, experts, perToken, ff, cols, ClampedSwiGLU{alpha, limit}); \
  }
INSTANCE(MXFP4, mxfp4, 4)
INSTANCE(E4M3, e4m3, 3)
