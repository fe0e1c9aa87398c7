// Linear attention (engine.LinearAttention): convolution, recurrence, norm and gate, in float whatever the
// type of in and out.
//
// linear_mix: for `n` tokens of one sequence the convolution with silu, q and k of unit length, what the gates
// are, and the last rows of the convolution. A warp has one key head's q and k, or one value head, over `each` tokens.
// linear_recur: the states, token by token; linear_finish: norm and silu(z). linear_step is all three for one token
// of each of several sequences, with the same functions and so the same bits.
//
// What linear_mix leaves, P = 8·R ≥ keySize, V the next multiple of 32 of valueSize, filled up with zeros:
//
//	keys (keyHeads, n, 2, P)   q / (√keySize·‖q‖), then k / ‖k‖
//	values (valueHeads, n, V)  v; linear_recur puts the output of the same token there
//	scalars (valueHeads, n, 4) g, β, q·k, nothing
//
// Columns of a state know nothing of each other. A warp has eight of them, 8·R rows of each: lane 8·p + l has columns
// 2p and 2p+1, and of each 32 rows those from 4l to 4l+3. With the sums s = Sᵀk and o = Sᵀq over the state before
// the token, d = β(v - g·s), the state becomes g·S + k ⊗ d, and its product with q is g·o + (q·k)·d: so one pass of
// additions between lanes serves both products.
#include "device.h"

struct Shape {
  int keyHeads, valueHeads, keySize, valueSize, kernel;
  DEVICE int group() const { return valueHeads / keyHeads; }
  DEVICE int keys() const { return keyHeads * keySize; }
  DEVICE int out() const { return valueHeads * valueSize; }
  DEVICE int channels() const { return 2 * keys() + out(); }
  DEVICE int in() const { return channels() + out() + 2 * valueHeads; }
  DEVICE int padded() const { return (valueSize + 31) / 32 * 32; }
};

#define SHAPE_PARAMETERS int keyHeads, int valueHeads, int keySize, int valueSize, int kernel
#define SHAPE Shape{keyHeads, valueHeads, keySize, valueSize, kernel}

struct Weights {
  const float *conv, *decay, *bias; // (channels, kernel), (valueHeads), (valueHeads)
};

DEVICE float sigmoid(float x) { return 1.f / (1.f + exp(-x)); }
DEVICE float silu(float x) { // without exp's branches: behind ±88 the result is x, or 0 within float's smallest numbers
  float p = __builtin_fminf(max(-x, -88.f), 88.f), y = p * LOG2E, e = fma(p, LOG2E, -y);
  return x / (1.f + exp2(y) * (1.f + 0.693147181f * fma(p, 1.92596299e-8f, e)));
}

// log(1 + y) for 0 ≤ y ≤ 1, 2·artanh(y/(2+y)), also where 1 + y would round y away.
DEVICE float log1p(float y) {
  float s = y / (2.f + y), z = s * s, p = 1.f / 15.f;
  p = fma(p, z, 1.f / 13.f), p = fma(p, z, 1.f / 11.f), p = fma(p, z, 1.f / 9.f);
  p = fma(p, z, 1.f / 7.f), p = fma(p, z, 1.f / 5.f), p = fma(p, z, 1.f / 3.f);
  return 2.f * fma(s * z, p, s);
}
DEVICE float softplus(float x) { return max(x, 0.f) + log1p(exp(-max(x, -x))); }

// A sequence's inputs, before whose first token are those of `tail` (kernel-1, channels).
template <typename T> struct Inputs {
  const T *in;
  float *tail;
  Shape s;
  DEVICE float at(i64 t, int c) const { return t < 0 ? tail[(t + s.kernel - 1) * s.channels() + c] : to_float(in[t * s.in() + c]); }
  // Leaves the last rows behind n tokens of a channel. A row that is read is later than the one that is written.
  DEVICE void keep(i64 n, int c) const {
    for (int i = 0; i < s.kernel - 1; i++) tail[(i64)i * s.channels() + c] = at(n - s.kernel + 1 + i, c);
  }
};

const int ahead = 4; // tokens whose inputs are under way at once

// The convolution of N channels c, c+32, …, of which `count` exist, token by token from `first` on; K is the kernel, 0
// any. With K weights and the last inputs stay in registers.
template <int N, int K, typename T> struct Filter {
  const Inputs<T> &x;
  const float *weights;
  int c, count;
  float w[N][K ? K : 1], last[N][K ? K : 1];
  T inputs[ahead][N];
  DEVICE Filter(const Inputs<T> &x, const float *conv, int c, int count, i64 first) : x(x), weights(conv + (i64)c * x.s.kernel), c(c), count(count) {
    if constexpr (K > 0) {
      UNROLL for (int e = 0; e < N; e++) {
        UNROLL for (int i = 0; i < K; i++) w[e][i] = e < count ? weights[32 * e * K + i] : 0.f;
        UNROLL for (int i = 0; i < K - 1; i++) last[e][i] = e < count ? x.at(first - K + 1 + i, c + 32 * e) : 0.f;
      }
    }
  }
  // Fetches the inputs of the tokens from t on, at most `ahead`, up to behind.
  DEVICE void fetch(i64 t, i64 behind) {
    if constexpr (K > 0) {
      UNROLL for (int u = 0; u < ahead; u++)
        UNROLL for (int e = 0; e < N; e++)
          if (t + u < behind && e < count) inputs[u][e] = x.in[(t + u) * x.s.in() + c + 32 * e];
    }
  }
  // The results of token t, the next that was fetched; zeros for channels that do not exist.
  DEVICE void token(float (&y)[N], i64 t) {
    UNROLL for (int e = 0; e < N; e++) {
      float sum = 0.f;
      if constexpr (K > 0) {
        last[e][K - 1] = e < count ? to_float(inputs[0][e]) : 0.f;
        UNROLL for (int u = 0; u < ahead - 1; u++) inputs[u][e] = inputs[u + 1][e];
        UNROLL for (int i = 0; i < K; i++) sum = fma(last[e][i], w[e][i], sum);
        UNROLL for (int i = 0; i < K - 1; i++) last[e][i] = last[e][i + 1];
      } else if (e < count) {
        int k = x.s.kernel;
        for (int i = 0; i < k; i++) sum = fma(x.at(t - k + 1 + i, c + 32 * e), weights[(i64)32 * e * k + i], sum);
      }
      y[e] = silu(sum);
    }
  }
};

// Calls one(t) for the tokens from first up to behind, and fetch(t) ahead of each few of them.
template <typename Fetch, typename One> DEVICE void each_token(i64 first, i64 behind, Fetch fetch, One one) {
  for (i64 t = first; t < behind; t += ahead) {
    fetch(t);
    for (i64 u = t; u < min(t + ahead, behind); u++) one(u);
  }
}

// How many of a lane's channels lane, lane+32, … are below n.
DEVICE int channels_below(int n) { return (n - lane() + 31) / 32; }

// q and k of key head h of the tokens from first up to behind, by one warp. Token t's go to to + 2P·t, their product
// to dots[4·(stride·g + t) + 2] for each value head g of the group. With `last` the last rows behind n tokens are left.
template <int R, int K, typename T>
DEVICE void mix_key(float *to, float *dots, i64 stride, Inputs<T> x, Weights w, int h, i64 first, i64 behind, i64 n, bool last) {
  const int P = 8 * R, N = P / 32;
  const Shape &s = x.s;
  int c = h * s.keySize + lane(), count = channels_below(s.keySize);
  Filter<N, K, T> filterQ(x, w.conv, c, count, first), filterK(x, w.conv, s.keys() + c, count, first);
  float size = sqrt((float)s.keySize);
  each_token(first, behind, [&](i64 t) INLINE { filterQ.fetch(t, behind), filterK.fetch(t, behind); }, [&](i64 t) INLINE {
    float q[N], k[N], qq = 0.f, kk = 0.f, qk = 0.f;
    filterQ.token(q, t);
    filterK.token(k, t);
    UNROLL for (int e = 0; e < N; e++) qq = fma(q[e], q[e], qq), kk = fma(k[e], k[e], kk);
    float rq = 1.f / (sqrt(sum_warp(qq) + 1e-6f) * size), rk = 1.f / sqrt(sum_warp(kk) + 1e-6f);
    UNROLL for (int e = 0; e < N; e++) {
      q[e] *= rq, k[e] *= rk;
      qk = fma(q[e], k[e], qk);
      to[2 * P * t + lane() + 32 * e] = q[e];
      to[2 * P * t + P + lane() + 32 * e] = k[e];
    }
    qk = sum_warp(qk);
    for (int g = lane(); g < s.group(); g += 32) dots[4 * (stride * g + t) + 2] = qk;
  });
  if (!last) return;
  for (int e = 0; e < count; e++) x.keep(n, c + 32 * e), x.keep(n, s.keys() + c + 32 * e);
}

// The same of value head h: v to to + V·t, g and β to scalars[4·t].
template <int K, typename T>
DEVICE void mix_value(float *to, float *scalars, Inputs<T> x, Weights w, int h, i64 first, i64 behind, i64 n, bool last) {
  const int N = 4;
  const Shape &s = x.s;
  int padded = s.padded();
  float rate = -exp(w.decay[h]), bias = w.bias[h];
  for (i64 t = first + lane(); t < behind; t += 32) {
    const T *gates = x.in + t * s.in() + s.channels() + s.out();
    scalars[4 * t] = exp(rate * softplus(to_float(gates[s.valueHeads + h]) + bias));
    scalars[4 * t + 1] = sigmoid(to_float(gates[h]));
    scalars[4 * t + 3] = 0.f;
  }
  for (int j = 0; j < padded; j += 32 * N) {
    int c = 2 * s.keys() + h * s.valueSize + j + lane(), count = channels_below(s.valueSize - j), room = (padded - j) / 32;
    Filter<N, K, T> filter(x, w.conv, c, count, first);
    each_token(first, behind, [&](i64 t) INLINE { filter.fetch(t, behind); }, [&](i64 t) INLINE {
      float v[N];
      filter.token(v, t);
      UNROLL for (int e = 0; e < N; e++)
        if (e < room) to[padded * t + j + lane() + 32 * e] = v[e];
    });
    if (!last) continue;
    for (int e = 0; e < min(count, N); e++) x.keep(n, c + 32 * e);
  }
}

template <int R, int K, typename T>
DEVICE void mix_all(float *keys, float *values, float *scalars, Inputs<T> x, Weights w, i64 n, int each) {
  const Shape &s = x.s;
  i64 units = s.keyHeads + s.valueHeads, at = block_x() * (threads() / 32) + warp();
  i64 unit = at % units, first = at / units * each, behind = min(first + each, n);
  if (first >= n) return;
  if (unit < s.keyHeads) {
    mix_key<R, K>(keys + unit * n * 16 * R, scalars + unit * s.group() * n * 4, n, x, w, (int)unit, first, behind, n, first == 0);
  } else {
    unit -= s.keyHeads;
    mix_value<K>(values + unit * n * s.padded(), scalars + unit * n * 4, x, w, (int)unit, first, behind, n, first == 0);
  }
}

// The same of one token and the heads of one key head: u = 0 is q and k, the others are value heads.
template <int R, int K, typename T>
DEVICE void mix_one(int u, int key, float *qk, float *v, float *scalars, Inputs<T> x, Weights w) {
  int g = u - 1, group = x.s.group();
  if (u == 0) mix_key<R, K>(qk, scalars, 1, x, w, key, 0, 1, 1, true);
  else mix_value<K>(v + g * x.s.padded(), scalars + 4 * g, x, w, key * group + g, 0, 1, 1, true);
}

// each ≥ kernel-1, so that no warp but the one that leaves the tail reads it.
template <int R, typename T>
DEVICE void mix(float *keys, float *values, float *scalars, const T *in, float *tail, Weights w, i64 n, int each, Shape s) {
  next();
  wait();
  Inputs<T> x{in, tail, s};
  if (s.kernel == 4) mix_all<R, 4>(keys, values, scalars, x, w, n, each);
  else mix_all<R, 0>(keys, values, scalars, x, w, n, each);
}

// A lane's part of a warp's eight columns of a state.
template <int R> struct Columns {
  float s[R][2];
  static DEVICE int row(int i) { return i / 4 * 32 + lane() % 8 * 4 + i % 4; }
  static DEVICE int column() { return lane() / 8 * 2; }

  // state is the head's (keySize, valueSize), j the first of the warp's columns; with pairs the size is even, and two
  // columns can be read at once.
  DEVICE void load(const float *state, int j, int keySize, int valueSize, int pairs) {
    j += column();
    UNROLL for (int i = 0; i < R; i++) { // what does not exist is read elsewhere and becomes zero
      const float *from = state + (i64)min(row(i), keySize - 1) * valueSize;
      bool on = row(i) < keySize;
      if (pairs) {
        f32x2 v = *(const f32x2 *)(from + min(j, valueSize - 2));
        s[i][0] = on && j < valueSize ? v.x : 0.f, s[i][1] = on && j < valueSize ? v.y : 0.f;
      } else {
        float a = from[min(j, valueSize - 1)], b = from[min(j + 1, valueSize - 1)];
        s[i][0] = on && j < valueSize ? a : 0.f, s[i][1] = on && j + 1 < valueSize ? b : 0.f;
      }
    }
  }
  DEVICE void store(float *state, int j, int keySize, int valueSize, int pairs) const {
    j += column();
    if (j >= valueSize) return;
    bool both = j + 1 < valueSize;
    UNROLL for (int i = 0; i < R; i++) {
      float *to = state + (i64)row(i) * valueSize + j;
      if (row(i) >= keySize) continue;
      if (pairs) *(f32x2 *)to = f32x2{s[i][0], s[i][1]};
      else to[0] = s[i][0];
      if (!pairs && both) to[1] = s[i][1];
    }
  }

  // One token: q and k (P each) and scalars lie in shared memory. Returns the outputs of the lane's columns.
  DEVICE f32x2 token(const float *qk, f32x2 v, f32x4 scalars) {
    const int P = 8 * R;
    float k[R], seen[2] = {0.f, 0.f}, out[2] = {0.f, 0.f}, g = scalars.x;
    UNROLL for (int m = 0; m < R / 4; m++) {
      f32x4 q4 = *(const f32x4 *)(qk + 32 * m + lane() % 8 * 4), k4 = *(const f32x4 *)(qk + P + 32 * m + lane() % 8 * 4);
      UNROLL for (int e = 0; e < 4; e++) {
        int i = 4 * m + e;
        k[i] = k4[e];
        UNROLL for (int y = 0; y < 2; y++) {
          seen[y] = fma(k4[e], s[i][y], seen[y]);
          out[y] = fma(q4[e], s[i][y], out[y]);
        }
      }
    }
    UNROLL for (int mask = 1; mask < 8; mask *= 2)
      UNROLL for (int y = 0; y < 2; y++) seen[y] += shuffle_xor(seen[y], mask), out[y] += shuffle_xor(out[y], mask);
    UNROLL for (int y = 0; y < 2; y++) {
      float d = scalars.y * fma(-g, seen[y], v[y]);
      out[y] = fma(g, out[y], scalars.z * d);
      UNROLL for (int i = 0; i < R; i++) s[i][y] = fma(k[i], d, g * s[i][y]);
    }
    return f32x2{out[0], out[1]};
  }
};

// A block of four warps has 32 columns of a value head; what the next tokens need is on its way while some are computed.
template <int R> DEVICE void recur(const float *keys, float *values, const float *scalars, float *states, i64 n, Shape s, int pairs) {
  const int P = 8 * R, stages = 3, T = 8; // tokens in a stage
  const int wide = 32;                 // columns
  alignas(16) __shared__ float qk[stages][T][2 * P], v[stages][T][wide], gates[stages][T][4];
  next();
  wait();
  int padded = s.padded(), parts = padded / wide, head = (int)block_x() / parts, first = (int)block_x() % parts * wide;
  keys += (i64)(head / s.group()) * n * 2 * P;
  values += head * n * padded + first;
  scalars += head * n * 4;
  states += (i64)head * s.keySize * s.valueSize;
  auto load = [&](i64 t0, int stage) INLINE {
    int count = (int)max(min((i64)T, n - t0), (i64)0);
    for (int i = thread(); i < count * (2 * P / 4); i += 128) copy16(shared_address(qk[stage][0] + 4 * i), keys + t0 * 2 * P + 4 * i, true);
    int t = thread() / (wide / 4), c = thread() % (wide / 4) * 4;
    if (t < count) copy16(shared_address(v[stage][t] + c), values + (t0 + t) * padded + c, true);
    if (thread() < count) copy16(shared_address(gates[stage][thread()]), scalars + (t0 + thread()) * 4, true);
    copy_commit();
  };
  UNROLL for (int i = 0; i < stages - 1; i++) load(i * T, i);
  Columns<R> columns;
  columns.load(states, first + 8 * warp(), s.keySize, s.valueSize, pairs);
  int j = 8 * warp() + columns.column(), stage = 0, free = stages - 1;
  for (i64 t0 = 0; t0 < n; t0 += T) {
    copy_wait<stages - 2>();
    sync(); // the tokens are there, and those before are done with
    load(t0 + (stages - 1) * T, free);
    auto one = [&](int t) INLINE {
      f32x2 o = columns.token(qk[stage][t], *(const f32x2 *)(v[stage][t] + j), *(const f32x4 *)gates[stage][t]);
      if (lane() % 8 == 0) *(f32x2 *)(values + (t0 + t) * padded + j) = o;
    };
    if (t0 + T <= n) {
      _Pragma("unroll 4") for (int t = 0; t < T; t++) one(t);
    } else {
      for (int t = 0; t0 + t < n; t++) one(t);
    }
    free = stage;
    if (++stage == stages) stage = 0;
  }
  columns.store(states, first + 8 * warp(), s.keySize, s.valueSize, pairs);
}

// Norm of a head's outputs o, times silu(z), by one warp. c is dst's column of the head's first, and ordered, if it is
// not null, the row in the order of matmul_wide_sm90a.cu (store8_ordered in device.h).
template <typename T> DEVICE void finish(T *dst, T *ordered, int c, const float *o, const T *z, const float *norm, float eps, int size) {
  float sum = 0.f;
  for (int j = lane(); j < size; j += 32) sum = fma(o[j], o[j], sum);
  float r = 1.f / sqrt(sum_warp(sum) / (float)size + eps);
  for (int j = lane(); j < size; j += 32) {
    T y;
    from_float(y, o[j] * r * norm[j] * silu(to_float(z[j])));
    dst[c + j] = y;
    int x = c + j;
    if (ordered) ordered[x / 32 * 32 + (x % 8 / 2 * 4 + x / 8 % 4) * 2 + x % 2] = y;
  }
}

// A warp has one head of one token.
template <typename T> DEVICE void finish_all(T *dst, const float *values, const T *in, const float *norm, float eps, i64 n, Shape s) {
  next();
  wait();
  i64 at = block_x() * (threads() / 32) + warp(), t = at / s.valueHeads;
  int h = (int)(at % s.valueHeads);
  if (t >= n) return;
  finish(dst + t * s.out(), (T *)0, h * s.valueSize, values + (h * n + t) * s.padded(), in + t * s.in() + s.channels() + h * s.valueSize, norm, eps, s.valueSize);
}

// A sequence's state.
struct State {
  u64 s, conv; // float (valueHeads, keySize, valueSize), (kernel-1, channels)
};

extern __shared__ f32x4 shared[]; // q, k (P each); of the group's heads scalars (4), v (V), outputs (V)

// A block has a key head of one sequence, and the value heads that it serves: q and k are computed once, and
// nobody else reads or writes their channels of the tail.
template <int R, typename T>
DEVICE void step(T *dst, T *ordered, const T *in, const State *states, Weights w, const float *norm, float eps, Shape s, int pairs) {
  const int P = 8 * R;
  next();
  wait();
  int key = (int)block_x(), group = s.group(), padded = s.padded(), warps = threads() / 32;
  i64 row = block_y();
  float *qk = (float *)shared, *scalars = qk + 2 * P, *v = scalars + 4 * group, *o = v + group * padded;
  State own = states[row];
  Inputs<T> x{in + row * s.in(), (float *)own.conv, s};
  float *state = (float *)own.s + (i64)key * group * s.keySize * s.valueSize;
  int across = padded / 8, tasks = group * across, task = warp();
  auto place = [&](int task) INLINE { return state + (i64)(task / across) * s.keySize * s.valueSize; };
  Columns<R> columns, later;
  if (task < tasks) columns.load(place(task), task % across * 8, s.keySize, s.valueSize, pairs);
  for (int u = warp(); u < 1 + group; u += warps) {
    if (s.kernel == 4) mix_one<R, 4>(u, key, qk, v, scalars, x, w);
    else mix_one<R, 0>(u, key, qk, v, scalars, x, w);
  }
  sync();
  for (; task < tasks; task += warps) {
    if (task + warps < tasks) later.load(place(task + warps), (task + warps) % across * 8, s.keySize, s.valueSize, pairs);
    int head = task / across, first = task % across * 8, j = head * padded + first + columns.column();
    f32x2 y = columns.token(qk, *(const f32x2 *)(v + j), *(const f32x4 *)(scalars + 4 * head));
    if (lane() % 8 == 0) *(f32x2 *)(o + j) = y;
    columns.store(place(task), first, s.keySize, s.valueSize, pairs);
    columns = later;
  }
  sync();
  for (int g = warp(); g < group; g += warps) {
    int h = key * group + g;
    finish(dst + row * s.out(), ordered ? ordered + row * s.out() : ordered, h * s.valueSize, o + g * padded, x.in + s.channels() + h * s.valueSize, norm, eps, s.valueSize);
  }
}

// gate_output: x[i] *= σ(gate[i]).
template <typename T> DEVICE void gate_output(T *x, const T *gate, i64 n, int vec) {
  next();
  wait();
  i64 at = block_x() * threads() + thread();
  if (vec) {
    at *= 8;
    if (at >= n) return;
    float v[8], g[8];
    load8(v, x + at);
    load8(g, gate + at);
    UNROLL for (int e = 0; e < 8; e++) v[e] *= sigmoid(g[e]);
    store8(x + at, v);
    return;
  }
  if (at < n) from_float(x[at], to_float(x[at]) * sigmoid(to_float(gate[at])));
}

#define SIZES(R) \
  KERNEL __launch_bounds__(128) linear_recur_##R(const float *keys, float *values, const float *scalars, float *states, i64 n, int pairs, SHAPE_PARAMETERS) { \
    recur<R>(keys, values, scalars, states, n, SHAPE, pairs); \
  }
SIZES(4)
SIZES(16)

#define INSTANCE_SIZED(T, name, R) \
  KERNEL __launch_bounds__(256) linear_mix_##R##_##name(float *keys, float *values, float *scalars, const T *in, float *tail, const float *conv, const float *decay, \
                                                       const float *bias, i64 n, int each, SHAPE_PARAMETERS) { \
    mix<R>(keys, values, scalars, in, tail, Weights{conv, decay, bias}, n, each, SHAPE); \
  } \
  KERNEL __launch_bounds__(256, 2) linear_step_##R##_##name(T *dst, T *ordered, const T *in, const State *states, const float *conv, const float *decay, const float *bias, \
                                                           const float *norm, float eps, int pairs, SHAPE_PARAMETERS) { \
    step<R>(dst, ordered, in, states, Weights{conv, decay, bias}, norm, eps, SHAPE, pairs); \
  }
#define INSTANCE(T, name) \
  INSTANCE_SIZED(T, name, 4) \
  INSTANCE_SIZED(T, name, 16) \
  KERNEL __launch_bounds__(256) linear_finish_##name(T *dst, const float *values, const T *in, const float *norm, float eps, i64 n, SHAPE_PARAMETERS) { \
    finish_all(dst, values, in, norm, eps, n, SHAPE); \
  } \
  KERNEL gate_output_##name(T *x, const T *gate, i64 n, int vec) { gate_output(x, gate, n, vec); }
INSTANCE(float, f32)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
