// mixture_down: dst += Σ share · (joined · wᵀ + bias) over a token's experts, for one token, with their w (rows, cols)
// in E4M3 (packed.h) or bf16: what route_few, matmul_packed or matmul_few and mixture_sum give, in the same bits, by one
// kernel. logits (experts) are the router's, table has the experts' weights, joined (perToken, cols) bf16, experts by their numbers,
// dst (rows) bf16. rows are a multiple of eight, cols too, perToken at most 16, experts at most 256.
//
// It chooses the experts itself and copies its first weights before wait(): mixture_gate.cu, which is the kernel before it and may still run,
// lets it begin only when the logits are there.
//
// A block has eight rows of all the experts, so that a layer is about one wave of blocks that all have the same to do. Two
// experts are multiplied at once: weights of the even one are rows 0 to 7 of the 16-row operand, of the odd one 8 to 15,
// and even columns of the other are the even one's x. Of an expert's columns share s of eight has turns s, s+8, … of 128, as there;
// here the shares that have any, of all pairs, are jobs that the warps share out. Shares' sums are added up in the order
// of their numbers, experts in theirs.
#include "matmul.h"
#include "experts.h"
#include "stream.h"

alignas(128) extern __shared__ u8 dynamic[]; // the warps' rings, where a turn's x lies behind its weights

template <typename W, int D>
DEVICE void mixture_down(bf16 *dst, const bf16 *joined, const float *logits, const Expert *table, int experts, int perToken, int all, int rows, int cols) {
  const int bytes = Stream<W>::bytes + 512;
  __shared__ Taken taken;
  __shared__ float partial[mostExperts / 2 * warps][16], results[mostExperts][8], biases[mostExperts][8];
  alignas(16) __shared__ bf16 before[8];
  int g = lane() >> 2, t = lane() & 3, turns = (cols + 127) / 128, many = min(turns, warps), pairs = (perToken + 1) / 2;
  int row0 = (int)block_x() * 8;
  const u32 ring = held(shared_address(dynamic) + warp() * D * bytes), pieces = held(ring + Stream<W>::bytes + 64 * (g & 1) + 16 * t);
  next();
  Chosen chosen = {};
  if (warp() == 0) chosen = taken.choose(logits, experts, perToken, all);
  else taken.keep(table, experts, 32);
  sync();

  Stream<W> stream(cols);
  struct Job { int pair, share, turn; };
  auto settle = [&](Job &j) INLINE {
    while (j.share >= many) j.share -= many, j.pair++;
    j.turn = j.share;
  };
  auto step = [&](Job &j) INLINE { // to the next turn; says whether that is another job's
    if ((j.turn += warps) < turns) return false;
    j.share += warps;
    settle(j);
    return true;
  };
  auto expert = [&](const Job &j, int h) INLINE { return min(2 * j.pair + h, perToken - 1); }; // the last one twice where it has no other
  auto aim = [&](const Job &j) INLINE {
    UNROLL for (int h = 0; h < 2; h++) stream.aim(h, taken.expert(expert(j, h)).w, rows, cols, row0);
  };
  auto load_w = [&](Job &j, int at) INLINE { // and steps
    if (j.pair >= pairs) return;
    stream.copy(ring + at, j.turn, cols);
    if (step(j) && j.pair < pairs) aim(j);
  };
  // Of the four pieces of x that a lane reads, the first ones of all lanes and both experts lie together, then the second, the third, the fourth.
  auto load_x = [&](const Job &j, int at) INLINE {
    int c = lane() % 16, k = 128 * j.turn + 8 * c, piece = Stream<W>::piece(c);
    if (j.pair < pairs)
      copy16(ring + at + Stream<W>::bytes + 16 * (piece / 4 * 8 + lane() / 16 * 4 + piece % 4), joined + expert(j, lane() / 16) * cols + k, k < cols);
  };
  Job now = {0, warp(), 0}, ahead; // what is multiplied, and what is copied next
  settle(now);
  ahead = now;
  if (now.pair < pairs) aim(now);
  for (int d = 0; d < D; d++) load_w(ahead, d * bytes);
  // What comes in at the end goes to shared memory, too: a thread's bias, of row r of expert e, and what the sum is added to.
  int e = thread() / 8, r = thread() % 8;
  const float *bias = e < perToken ? taken.expert(e).bias : nullptr;
  if (bias) copy4(shared_address(&biases[e][r]), bias + row0 + r);
  wait();
  if (thread() == 0) copy16(shared_address(before), dst + row0, true);
  ahead = now;
  for (int d = 0; d < D; d++) {
    load_x(ahead, d * bytes);
    copy_commit();
    step(ahead);
  }
  if (warp() == 0) taken.share(chosen, perToken); // only now: weights did not wait for it
  int place = 0;
  float sum[4] = {0, 0, 0, 0};
  while (now.pair < pairs) {
    copy_wait<D - 1>();
    sync_warp();
    stream.add(sum, ring + place, [&](int q) INLINE { return shared16(pieces + place + 128 * q); });
    sync_warp();
    load_x(ahead, place);
    load_w(ahead, place);
    copy_commit();
    place = place < (D - 1) * bytes ? place + bytes : 0;
    int job = now.pair * many + now.share;
    if (!step(now)) continue;
    if (t == 0) partial[job][g] = sum[0], partial[job][8 + g] = sum[3]; // the even expert's by its x, the odd one's by its own
    UNROLL for (int i = 0; i < 4; i++) sum[i] = 0.f;
  }
  copy_wait<0>();
  sync();
  if (e < perToken) {
    float total = 0.f;
    for (int half = 0; half < warps; half += warps / 2) {
      float s = 0.f;
      for (int v = half; v < half + warps / 2; v++) s += v < many ? partial[e / 2 * many + v][e % 2 * 8 + r] : 0.f;
      total += s;
    }
    if (bias) total += biases[e][r];
    results[e][r] = total;
  }
  sync();
  if (thread() < 8) {
    float s = 0.f;
    for (int e = 0; e < perToken; e++) s = fma(taken.shares[e], results[e][thread()], s);
    from_float(dst[row0 + thread()], to_float(before[thread()]) + s);
  }
}

#define INSTANCE(W, name, D, blocks) \
  KERNEL __launch_bounds__(256, blocks) mixture_down_##name(bf16 *dst, const bf16 *joined, const float *logits, const Expert *table, int experts, int perToken, int all, int rows, int cols) { \
    mixture_down<W, D>(dst, joined, logits, table, experts, perToken, all, rows, cols); \
  }
INSTANCE(E4M3, e4m3, 3, 3)
INSTANCE(BF16, bf16, 2, 3)
