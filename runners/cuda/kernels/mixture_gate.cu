// mixture_gate: joined[s] = a(x · gateᵀ + bias, x · upᵀ + bias) of a token's experts, for one token, with their w (2·ff, cols) in
// E4M3 (packed.h) or bf16: what route_few, matmul_packed or matmul_few and gate.cu give, in the same bits, by one kernel.
// logits (experts) are the router's, table has the experts' weights, x (cols) bf16, joined (perToken, ff) bf16, experts by their
// numbers. ff is a multiple of eight, cols too, perToken at most 16, experts at most 256.
//
// Each block chooses the experts itself, and so does mixture_down.cu: that is faster than to wait for a kernel that does.
//
// A unit is eight rows of an expert's gate and the eight of up that belong to them. Blocks share units out evenly, so that
// there is one wave of them. A warp has one of eight shares of the columns, turns s, s+8, … of 128, and goes from one
// unit to the next without a pause but for the barrier (stream.h). A unit's sums lie in one of two places, so that they are
// joined while the next one's are made.
#include "matmul.h"
#include "activation.h"
#include "experts.h"
#include "stream.h"

alignas(128) extern __shared__ u8 dynamic[]; // the warps' rings, and x: of each turn its pieces of 16 bytes as lanes read them

// When mixture_down.cu may begin: beside a block from its choice on, from when its last unit's weights are under way, or when it has ended.
// E4M3's down takes more from gate than it gains: 29.3 µs a layer of Qwen3-30B-A3B at once, 26.1 at the end.
enum When { atOnce, lastUnit, atEnd };

template <typename W, int D, When when, typename Activation>
DEVICE void mixture_gate(bf16 *joined, const bf16 *x, const float *logits, const Expert *table, int experts, int perToken, int ff, int cols, Activation join) {
  __shared__ Taken taken;
  __shared__ float partial[2][warps][16];
  int g = lane() >> 2, t = lane() & 3, turns = (cols + 127) / 128, tiles = ff / 8, units = perToken * tiles;
  u8 *xs = dynamic + warps * D * Stream<W>::bytes;
  const u32 ring = held(shared_address(dynamic) + warp() * D * Stream<W>::bytes), pieces = held(shared_address(xs) + 16 * t);
  taken.keep(table, experts, 0);
  wait();
  if (when == atOnce) next(); // not before: mixture_down.cu relies on the router's product to be there when it begins
  if (warp() == 0) taken.choose(logits, experts, perToken, 0);
  else
    for (int c = thread() - 32; c < 16 * turns; c += threads() - 32)
      *(u32x4 *)(xs + 256 * (c / 16) + 16 * Stream<W>::piece(c % 16)) = 8 * c < cols ? *(const u32x4 *)(x + 8 * c) : u32x4{0, 0, 0, 0};
  sync();

  Stream<W> stream(cols);
  struct Unit { int left, expert, tile; }; // how many units there are from this one on
  auto settle = [&](Unit &u) INLINE {
    while (u.tile >= tiles) u.tile -= tiles, u.expert++;
  };
  auto step = [&](Unit &u) INLINE {
    u.left -= (int)blocks_x();
    u.tile += (int)blocks_x();
    settle(u);
  };
  auto aim = [&](const Unit &u) INLINE {
    UNROLL for (int h = 0; h < 2; h++) stream.aim(h, taken.expert(u.expert).w, 2 * ff, cols, 8 * u.tile + h * ff);
  };
  Unit unit = {units - (int)block_x(), 0, (int)block_x()}, ahead = {};
  settle(unit);
  ahead = unit;
  int from = warp(), place = 0, half = 0; // the turn that is copied next; the next place of the ring; of partial
  if (ahead.left > 0) aim(ahead);
  auto load = [&](int at) INLINE {
    if (ahead.left > 0 && from < turns) {
      stream.copy(ring + at * Stream<W>::bytes, from, cols);
      if ((from += warps) >= turns) {
        from = warp();
        step(ahead);
        if (ahead.left > 0) aim(ahead);
        else if (when == lastUnit) next(); // all that the block wants is under way
      }
    }
    copy_commit();
  };
  for (int d = 0; d < D; d++) load(d);
  for (; unit.left > 0; step(unit)) {
    float bias = 0.f, sum[4] = {0, 0, 0, 0};
    const bool joins = warp() == warps - 1; // which has the fewest turns
    int r = lane() % 16, row = 8 * unit.tile + r % 8; // of gate, and of up from 8 on
    const float *biases = taken.expert(unit.expert).bias;
    if (joins && biases) bias = biases[r < 8 ? row : ff + row];
    for (int turn = warp(); turn < turns; turn += warps) {
      copy_wait<D - 1>();
      sync_warp();
      stream.add(sum, ring + place * Stream<W>::bytes, [&](int q) INLINE { return shared16(pieces + 256 * turn + 64 * q); });
      sync_warp();
      load(place);
      place = place + 1 < D ? place + 1 : 0;
    }
    if (t == 0) partial[half][warp()][g] = sum[0], partial[half][warp()][8 + g] = sum[2]; // all columns are x
    sync();
    if (joins) {
      float total = 0.f;
      UNROLL for (int first = 0; first < warps; first += warps / 2) {
        float s = 0.f;
        UNROLL for (int i = first; i < first + warps / 2; i++) s += partial[half][i][r];
        total += s;
      }
      if (biases) total += bias;
      bf16 rounded;
      from_float(rounded, total);
      float up = from_lane(to_float(rounded), lane() % 8 + 8);
      if (lane() < 8) from_float(joined[unit.expert * ff + row], join(to_float(rounded), up));
    }
    half ^= 1;
  }
}

#define PARAMETERS bf16 *joined, const bf16 *x, const float *logits, const Expert *table, int experts, int perToken, int ff, int cols
#define INSTANCE(W, name, D, when, blocks) \
  KERNEL __launch_bounds__(256, blocks) mixture_swiglu_##name(PARAMETERS) { mixture_gate<W, D, when>(joined, x, logits, table, experts, perToken, ff, cols, SwiGLU{}); } \
  KERNEL __launch_bounds__(256, blocks) mixture_clamped_##name(PARAMETERS, float alpha, float limit) { \
    mixture_gate<W, D, when>(joined, x, logits, table, experts, perToken, ff, cols, ClampedSwiGLU{alpha, limit}); \
  }
INSTANCE(E4M3, e4m3, 2, atEnd, 3)
INSTANCE(BF16, bf16, 2, atOnce, 3)
