// Linear attention of one token of each of several sequences (engine.AttendStates), with the bits that linear.cu gives it
// (linear.h). What it takes is reading and writing the states.
//
// A block of eight warps has a value head, or several one after the other. A warp has one leaf of the state's rows and 128
// columns, four a lane, so that a row is 512 bytes in a run; all of a head is in registers, under way while q, k and v are
// convolved. Only the leaves' sums go through shared memory. Every block makes the q and k that it needs; their channels of
// the tail are moved on by one block when all that read them, a cluster of blocks, have them.
#include "linear.h"

// The new cluster's barrier, of compute capability 9.0 (device.h); a block that has all heads of its keys needs none. Nothing
// is handed over: reads are done before others write.
DEVICE void all_have_read() { asm volatile("//sm_90 barrier.cluster.arrive.relaxed.aligned;" ::: "memory"); }
DEVICE void wait_for_all() { asm volatile("//sm_90 barrier.cluster.wait.aligned;" ::: "memory"); }

const int warps = 8, wide = 128; // of a block; columns at a time

// A channel's convolution; K is the kernel, 0 any. What it reads is under way once it is fetched.
template <int K> struct Channel {
  float w[K ? K : 1], x[K ? K : 1];
  template <typename T> DEVICE void fetch(const Inputs<T> &in, const float *conv, int c, bool on) {
    if constexpr (K == 4) {
      f32x4 w4 = on ? *(const f32x4 *)(conv + 4 * (i64)c) : f32x4{0.f, 0.f, 0.f, 0.f};
      UNROLL for (int i = 0; i < K; i++) w[i] = w4[i], x[i] = on ? in.at(i - K + 1, c) : 0.f;
    }
  }
  template <typename T> DEVICE float value(const Inputs<T> &in, const float *conv, int c, bool on) const {
    float sum = 0.f;
    UNROLL for (int i = 0; i < K; i++) sum = fma(x[i], w[i], sum);
    int k = in.s.kernel;
    for (int i = 0; K == 0 && on && i < k; i++) sum = fma(in.at(i - k + 1, c), conv[(i64)c * k + i], sum);
    return silu(sum);
  }
  template <typename T> DEVICE void keep(const Inputs<T> &in, int c, bool on) const {
    if (!on) return;
    if (K == 0) in.keep(1, c);
    UNROLL for (int i = 0; i < K - 1; i++) in.tail[i * in.s.channels() + c] = x[i + 1];
  }
};

// A lane's part of a leaf: 4 columns of R rows.
template <int R> struct Leaf {
  f32x4 s[R];
  static DEVICE int row(int i) { return i / 4 * 32 + warp() * 4 + i % 4; }

  // state is the head's, j the first of the lane's columns. With Whole every row and column exists, and four columns are
  // read at once.
  template <bool Whole> DEVICE void load(const float *state, int j, const Shape &by) {
    UNROLL for (int i = 0; i < R; i++) {
      const float *from = state + row(i) * by.valueSize + j;
      if constexpr (Whole) s[i] = *(const f32x4 *)from;
      else UNROLL for (int e = 0; e < 4; e++) s[i][e] = row(i) < by.keySize && j + e < by.valueSize ? from[e] : 0.f;
    }
  }
  template <bool Whole> DEVICE void store(float *state, int j, const Shape &by) const {
    UNROLL for (int i = 0; i < R; i++) {
      float *to = state + row(i) * by.valueSize + j;
      if constexpr (Whole) *(f32x4 *)to = s[i];
      else UNROLL for (int e = 0; e < 4; e++)
        if (row(i) < by.keySize && j + e < by.valueSize) to[e] = s[i][e];
    }
  }

  // The leaf's parts of s and o for the lane's columns, and what becomes of the state. q and k are yet to be multiplied.
  DEVICE void sums(f32x4 &seen, f32x4 &ahead, const float *q, const float *k, float scaleQ, float scaleK) const {
    f32x4 odd = {0.f, 0.f, 0.f, 0.f};
    seen = ahead = odd;
    UNROLL for (int m = 0; m < R / 4; m++) {
      f32x4 q4 = *(const f32x4 *)(q + row(4 * m)) * scaleQ, k4 = *(const f32x4 *)(k + row(4 * m)) * scaleK;
      UNROLL for (int i = 0; i < 4; i++)
        UNROLL for (int e = 0; e < 4; e++) {
          float x = s[4 * m + i][e];
          if (i % 2) odd[e] = fma(k4[i], x, odd[e]);
          else seen[e] = fma(k4[i], x, seen[e]);
          ahead[e] = fma(q4[i], x, ahead[e]);
        }
    }
    seen += odd;
  }
  DEVICE void renew(const float *k, float scaleK, f32x4 d, f32x4 scalars) {
    UNROLL for (int m = 0; m < R / 4; m++) {
      f32x4 k4 = *(const f32x4 *)(k + row(4 * m)) * scaleK;
      UNROLL for (int i = 0; i < 4; i++)
        UNROLL for (int e = 0; e < 4; e++) s[4 * m + i][e] = renewed(s[4 * m + i][e], k4[i], d[e], scalars);
    }
  }
};

// The sum of the leaves' parts of a lane's columns.
DEVICE f32x4 joined(const float (&parts)[warps][wide]) {
  f32x4 p[warps];
  UNROLL for (int l = 0; l < warps; l++) p[l] = *(const f32x4 *)(parts[l] + 4 * lane());
  return ((p[0] + p[1]) + (p[2] + p[3])) + ((p[4] + p[5]) + (p[6] + p[7]));
}

// A sequence's state.
struct State {
  u64 s, conv; // float (valueHeads, keySize, valueSize), (kernel-1, channels)
};

DEVICE float *numbers(u64 p) { return (float *)(__attribute__((address_space(1))) float *)p; } // of the card's memory

extern __shared__ f32x4 shared[]; // of a head v (V), outputs (V)

template <int R> struct Room {
  float q[8 * R], k[8 * R], gates[4], seen[warps][wide], ahead[warps][wide]; // q and k before they have unit length
};

// A block has `heads` value heads of a row: one, beside the others of its keys in a cluster, or all of these. Whole is for
// keys of 8·R, values of 128 and a kernel of 4.
template <int R, bool Whole, typename T>
DEVICE void step(Room<R> &room, T *dst, T *ordered, const T *in, const State *states, Weights w, const float *norm, float eps, int heads, Shape s) {
  const int P = 8 * R, N = R / 4, K = Whole ? 4 : 0, all = 32 * warps;
  if (Whole) s.keySize = P, s.valueSize = wide, s.kernel = K; // known here, so that all addresses are one and an offset
  int first = (int)block_x() * heads, key = first / s.group(), padded = s.padded(), me = warp(), l = lane(), thread = ::thread();
  float *v = (float *)shared, *o = v + padded;
  i64 row = block_y();
  next();
  wait();
  State own = states[row];
  Inputs<T> x{in + row * s.in(), numbers(own.conv), s};
  const T *z = x.in + s.channels(), *gate = z + s.out();

  // A thread has a channel of q or k and, for each head, one of v and those 256 further on.
  int unit = (thread / P * s.keyHeads + key) * s.keySize + thread % P;
  bool has = thread < 2 * P && thread % P < s.keySize;
  Channel<K> keys, values;
  keys.fetch(x, w.conv, unit, has);
  for (int h = first; h < first + heads; h++) {
    float *state = numbers(own.s) + (i64)h * s.keySize * s.valueSize;
    int base = 2 * s.keys() + h * s.valueSize;
    bool mine = thread < s.valueSize;
    values.fetch(x, w.conv, base + thread, mine);
    bool gating = thread == all - 1;
    float rate = 0.f, bias = 0.f, forget = 0.f, write = 0.f;
    if (gating) rate = w.decay[h], bias = w.bias[h], forget = to_float(gate[s.valueHeads + h]), write = to_float(gate[h]);
    Leaf<R> leaf;
    if (Whole) leaf.template load<Whole>(state, 4 * l, s);
    float zs = mine ? to_float(z[h * s.valueSize + thread]) : 0.f, ns = mine ? norm[thread] : 0.f;
    if (gating) {
      float g = decay(-exp(rate), forget, bias), beta = sigmoid(write);
      room.gates[0] = g, room.gates[1] = beta, room.gates[3] = beta * g;
    }
    if (h == first && thread < 2 * P) (thread < P ? room.q : room.k)[thread % P] = keys.value(x, w.conv, unit, has);
    for (int j = thread; j < (Whole ? wide : padded); j += all) v[j] = values.value(x, w.conv, base + j, j < s.valueSize);
    for (int j = thread; j < s.valueSize; j += all) values.keep(x, base + j, true);
    sync();
    if (h == first) all_have_read();

    float qq = 0.f, kk = 0.f, qk = 0.f;
    UNROLL for (int e = 0; e < N; e++) {
      float q = room.q[l + 32 * e], k = room.k[l + 32 * e];
      qq = fma(q, q, qq), kk = fma(k, k, kk);
    }
    float scaleQ = scale_q(sum_warp(qq), s.keySize), scaleK = scale_k(sum_warp(kk));
    UNROLL for (int e = 0; e < N; e++) qk = fma(room.q[l + 32 * e] * scaleQ, room.k[l + 32 * e] * scaleK, qk);
    f32x4 scalars = *(const f32x4 *)room.gates;
    scalars.z = sum_warp(qk);
    for (int j = 0; j < (Whole ? wide : padded); j += wide) {
      int c = j + 4 * l;
      if (j) sync(); // the parts are read
      if (!Whole) leaf.template load<Whole>(state, c, s);
      f32x4 seen, ahead, d, y;
      leaf.sums(seen, ahead, room.q, room.k, scaleQ, scaleK);
      *(f32x4 *)(room.seen[me] + 4 * l) = seen;
      *(f32x4 *)(room.ahead[me] + 4 * l) = ahead;
      sync();
      seen = joined(room.seen);
      f32x4 vs = c < padded ? *(const f32x4 *)(v + c) : f32x4{0.f, 0.f, 0.f, 0.f};
      UNROLL for (int e = 0; e < 4; e++) d[e] = delta(seen[e], vs[e], scalars);
      if (me == warps - 1 && c < padded) {
        ahead = joined(room.ahead);
        UNROLL for (int e = 0; e < 4; e++) y[e] = output(ahead[e], d[e], scalars);
        *(f32x4 *)(o + c) = y;
      }
      leaf.renew(room.k, scaleK, d, scalars);
      leaf.template store<Whole>(state, c, s);
    }
    sync();
    if (32 * me >= s.valueSize) continue;
    float scale = norm_scale(o, eps, s.valueSize);
    T *to = dst + row * s.out(), *also = ordered ? ordered + row * s.out() : ordered;
    if (mine) finish(to, also, h * s.valueSize + thread, o[thread], scale, ns, zs);
    for (int j = thread + all, c = h * s.valueSize + j; !Whole && j < s.valueSize; j += all, c += all) finish(to, also, c, o[j], scale, norm[j], to_float(z[c]));
  }
  wait_for_all();
  if (first % s.group() == 0) keys.keep(x, unit, has);
}

#define STEP(T, name, R) \
  KERNEL __launch_bounds__(256, 2) linear_step_##R##_##name(T *dst, T *ordered, const T *in, const State *states, const float *conv, const float *decay, const float *bias, \
                                                           const float *norm, float eps, int heads, int whole, SHAPE_PARAMETERS) { \
    alignas(16) __shared__ Room<R> room; \
    if (whole) step<R, true>(room, dst, ordered, in, states, Weights{conv, decay, bias}, norm, eps, heads, SHAPE); \
    else step<R, false>(room, dst, ordered, in, states, Weights{conv, decay, bias}, norm, eps, heads, SHAPE); \
  }
STEP(float, f32, 4)
STEP(float, f32, 16)
STEP(f16, f16, 4)
STEP(f16, f16, 16)
STEP(bf16, bf16, 4)
STEP(bf16, bf16, 16)
