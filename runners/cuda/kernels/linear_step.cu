// Linear attention of one token of each of several sequences (engine.AttendStates), with the bits that linear.cu gives it
// (linear.h). What it takes is reading and writing the states.
//
// A block of eight warps has a value head. A warp has one leaf of the state's rows and 128 columns, four a lane, so that a
// row is 512 bytes in a run; all of a head is in registers, under way while q, k and v are convolved. Only the leaves' sums go
// through shared memory. Every block makes the q and k that it needs. Blocks of the same keys are a cluster, whose first
// moves these channels of the tail on when all have read them; elsewhere linear_tail does it.
#include "linear.h"

// The cluster's barrier, of compute capability 9.0 (device.h). Nothing is handed over: reads are done before others write.
DEVICE void all_have_read() { asm volatile("//sm_90 barrier.cluster.arrive.relaxed.aligned;" ::: "memory"); }
DEVICE void wait_for_all() { asm volatile("//sm_90 barrier.cluster.wait.aligned;" ::: "memory"); }

const int warps = 8, wide = 128; // of a block; columns at a time

// A channel's convolution; K is the kernel, 0 any. What it reads is under way once it is fetched.
template <int K, typename T> struct Channel {
  float w[K ? K : 1], before[K ? K : 1];
  T last;
  DEVICE void fetch(const Inputs<T> &x, const float *conv, int c, bool on) {
    if constexpr (K == 4) {
      f32x4 w4 = on ? *(const f32x4 *)(conv + 4 * (i64)c) : f32x4{0.f, 0.f, 0.f, 0.f};
      UNROLL for (int i = 0; i < K; i++) w[i] = w4[i];
      UNROLL for (int i = 0; i < K - 1; i++) before[i] = on ? x.tail[i * x.s.channels() + c] : 0.f;
      last = on ? x.in[c] : T{};
    }
  }
  DEVICE float value(const Inputs<T> &x, const float *conv, int c, bool on) const {
    float sum = 0.f;
    if constexpr (K > 0) {
      UNROLL for (int i = 0; i < K; i++) sum = fma(i < K - 1 ? before[i] : to_float(last), w[i], sum);
    } else if (on) {
      int k = x.s.kernel;
      for (int i = 0; i < k; i++) sum = fma(x.at(i - k + 1, c), conv[(i64)c * k + i], sum);
    }
    return silu(sum);
  }
  // Moves the tail on by the token.
  DEVICE void keep(const Inputs<T> &x, int c) const {
    if (K == 0) x.keep(1, c);
    UNROLL for (int i = 0; i < K - 1; i++) x.tail[i * x.s.channels() + c] = i < K - 2 ? before[i + 1] : to_float(last);
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

// The sum of the leaves' parts of some columns.
template <typename V> DEVICE V joined(const float (&parts)[warps][wide], int column) {
  V p[warps];
  UNROLL for (int l = 0; l < warps; l++) p[l] = *(const V *)(parts[l] + column);
  return ((p[0] + p[1]) + (p[2] + p[3])) + ((p[4] + p[5]) + (p[6] + p[7]));
}

typedef u64 u64x2 __attribute__((ext_vector_type(2)));

// A sequence's state.
struct State {
  u64 s, conv; // float (valueHeads, keySize, valueSize), (kernel-1, channels)
};

DEVICE float *numbers(u64 p) { return (float *)(__attribute__((address_space(1))) float *)p; } // of the card's memory

extern __shared__ f32x4 shared[]; // of a head v (V), outputs (V)

template <int R> struct Room {
  float q[8 * R], k[8 * R]; // before they have unit length
  float seen[warps][wide], ahead[warps][wide], d[wide], z[32 * warps], norm[32 * warps];
};

// A block has a value head of a row. together: those of its keys are a cluster. Whole is for keys of 8·R, values of 128
// and a kernel of 4.
template <int R, bool Whole, typename T>
DEVICE void step(Room<R> &room, T *dst, T *ordered, const T *in, const State *states, Weights w, const float *norm, float eps, int together, Shape s) {
  const int P = 8 * R, N = R / 4, K = Whole ? 4 : 0, all = 32 * warps;
  const int keySize = s.keySize, valueSize = s.valueSize; // for reciprocals
  if (Whole) s.keySize = P, s.valueSize = wide, s.kernel = K; // known here, so that all addresses are one and an offset
  int h = (int)block_x(), key = h / s.group(), padded = s.padded(), me = warp(), l = lane(), thread = ::thread();
  int base = 2 * s.keys() + h * s.valueSize, unit = (thread / P * s.keyHeads + key) * s.keySize + thread % P;
  float *v = (float *)shared, *o = v + padded;
  i64 row = block_y();
  next();
  wait();

  // A thread has a channel of q or k, and one of v and those 256 further on. Nothing that is under way is touched before the
  // state is, too: numbers of T are made floats when they are wanted.
  u64x2 own = *(const u64x2 *)(states + row);
  Inputs<T> x{in + row * s.in(), numbers(own.y), s};
  float *state = numbers(own.x) + (i64)h * s.keySize * s.valueSize;
  const T *z = x.in + s.channels(), *gate = z + s.out();
  bool has = thread < 2 * P && thread % P < s.keySize, mine = thread < s.valueSize;
  Channel<K, T> keys, values;
  keys.fetch(x, w.conv, unit, has);
  values.fetch(x, w.conv, base + thread, mine);
  float rate = w.decay[h], bias = w.bias[h], ns = mine ? norm[thread] : 0.f;
  T forget = gate[s.valueHeads + h], write = gate[h], zs = mine ? z[h * s.valueSize + thread] : T{};
  Leaf<R> leaf;
  if (Whole) leaf.template load<Whole>(state, 4 * l, s);

  if (thread < 2 * P) (thread < P ? room.q : room.k)[thread % P] = keys.value(x, w.conv, unit, has);
  for (int j = thread; j < (Whole ? wide : padded); j += all) v[j] = values.value(x, w.conv, base + j, j < s.valueSize);
  for (int j = thread; j < s.valueSize; j += all) values.keep(x, base + j);
  room.z[thread] = to_float(zs), room.norm[thread] = ns; // whose registers the state needs
  f32x4 scalars = scalars_of(decay(-exp(rate), to_float(forget), bias), sigmoid(to_float(write)));
  sync();
  if (together) all_have_read();

  float qq = 0.f, kk = 0.f, qk = 0.f;
  UNROLL for (int e = 0; e < N; e++) {
    float q = room.q[l + 32 * e], k = room.k[l + 32 * e];
    qq = fma(q, q, qq), kk = fma(k, k, kk);
  }
  float scaleQ = scale_q(sum_warp(qq), keySize), scaleK = scale_k(sum_warp(kk));
  UNROLL for (int e = 0; e < N; e++) qk = fma(room.q[l + 32 * e] * scaleQ, room.k[l + 32 * e] * scaleK, qk);
  scalars.z = sum_warp(qk);
  for (int j = 0; j < (Whole ? wide : padded); j += wide) {
    int c = j + 4 * l;
    if (!Whole) leaf.template load<Whole>(state, c, s);
    f32x4 seen, ahead, d;
    leaf.sums(seen, ahead, room.q, room.k, scaleQ, scaleK);
    *(f32x4 *)(room.seen[me] + 4 * l) = seen;
    *(f32x4 *)(room.ahead[me] + 4 * l) = ahead;
    sync();
    seen = joined<f32x4>(room.seen, 4 * l);
    f32x4 vs = c < padded ? *(const f32x4 *)(v + c) : f32x4{0.f, 0.f, 0.f, 0.f};
    UNROLL for (int e = 0; e < 4; e++) d[e] = delta(seen[e], vs[e], scalars);
    if (l / 4 == me) *(f32x4 *)(room.d + 4 * l) = d; // which all warps have
    leaf.renew(room.k, scaleK, d, scalars);
    leaf.template store<Whole>(state, c, s);
    sync();
    if (thread < wide && j + thread < padded) o[j + thread] = output(joined<float>(room.ahead, thread), room.d[thread], scalars);
    sync();
  }
  if (32 * me < s.valueSize) {
    float scale = norm_scale(o, eps, s.valueSize, valueSize);
    T *to = dst + row * s.out(), *also = ordered ? ordered + row * s.out() : ordered;
    if (mine) finish(to, also, h * s.valueSize + thread, o[thread], scale, room.norm[thread], room.z[thread]);
    for (int j = thread + all, c = h * s.valueSize + j; !Whole && j < s.valueSize; j += all, c += all) finish(to, also, c, o[j], scale, norm[j], to_float(z[c]));
  }
  if (!together) return;
  wait_for_all();
  if (!has || h % s.group() != 0) return;
  keys.fetch(x, w.conv, unit, true);
  keys.keep(x, unit);
}

// Moves on the tail of q and k where blocks are not together, a thread a channel.
template <typename T> DEVICE void tail(const T *in, const State *states, Shape s) {
  next();
  wait();
  i64 row = block_y();
  int c = (int)block_x() * 256 + thread();
  if (c < 2 * s.keys()) Inputs<T>{in + row * s.in(), numbers(states[row].conv), s}.keep(1, c);
}

#define STEP(T, name, R) \
  KERNEL __launch_bounds__(256, 2) linear_step_##R##_##name(T *dst, T *ordered, const T *in, const State *states, const float *conv, const float *decay, const float *bias, \
                                                           const float *norm, float eps, int together, int whole, SHAPE_PARAMETERS) { \
    alignas(16) __shared__ Room<R> room; \
    if (whole) step<R, true>(room, dst, ordered, in, states, Weights{conv, decay, bias}, norm, eps, together, SHAPE); \
    else step<R, false>(room, dst, ordered, in, states, Weights{conv, decay, bias}, norm, eps, together, SHAPE); \
  }
#define INSTANCE(T, name) \
  STEP(T, name, 4) \
  STEP(T, name, 16) \
  KERNEL __launch_bounds__(256) linear_tail_##name(const T *in, const State *states, SHAPE_PARAMETERS) { tail(in, states, SHAPE); }
INSTANCE(float, f32)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
