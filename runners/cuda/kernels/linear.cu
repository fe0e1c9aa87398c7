// Linear attention of a prompt (engine.LinearAttention): convolution, recurrence, norm and gate, in float whatever the
// type of in and out; linear.h has the formulas, linear_step.cu a step of several sequences.
//
// linear_mix: for `n` tokens of one sequence the convolution with silu, q and k of unit length, what the gates
// are, and the last rows of the convolution. A warp has one key head's q and k, or one value head, over `each` tokens.
// linear_recur: the states, token by token; linear_finish: norm and silu(z).
//
// What linear_mix leaves, P = 8·R ≥ keySize, V the next multiple of 32 of valueSize, filled up with zeros:
//
//	keys (keyHeads, n, 2, P)   q / (√keySize·‖q‖), then k / ‖k‖
//	values (valueHeads, n, V)  v; linear_recur puts the output of the same token there
//	scalars (valueHeads, n, 4)
#include "linear.h"

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
  each_token(first, behind, [&](i64 t) INLINE { filterQ.fetch(t, behind), filterK.fetch(t, behind); }, [&](i64 t) INLINE {
    float q[N], k[N], qq = 0.f, kk = 0.f, qk = 0.f;
    filterQ.token(q, t);
    filterK.token(k, t);
    UNROLL for (int e = 0; e < N; e++) qq = fma(q[e], q[e], qq), kk = fma(k[e], k[e], kk);
    float rq = scale_q(sum_warp(qq), s.keySize), rk = scale_k(sum_warp(kk));
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

// The same of value head h: v to to + V·t, all but q·k to scalars[4·t].
template <int K, typename T>
DEVICE void mix_value(float *to, float *scalars, Inputs<T> x, Weights w, int h, i64 first, i64 behind, i64 n, bool last) {
  const int N = 4;
  const Shape &s = x.s;
  int padded = s.padded();
  float rate = -exp(w.decay[h]), bias = w.bias[h];
  for (i64 t = first + lane(); t < behind; t += 32) {
    const T *gates = x.in + t * s.in() + s.channels() + s.out();
    float g = decay(rate, to_float(gates[s.valueHeads + h]), bias), beta = sigmoid(to_float(gates[h]));
    scalars[4 * t] = g, scalars[4 * t + 1] = beta, scalars[4 * t + 3] = beta * g;
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

// each ≥ kernel-1, so that no warp but the one that leaves the tail reads it. The recurrence must not start beside this
// kernel's last blocks: its own would crowd where there is room first, several on a multiprocessor, and stay there.
template <int R, typename T>
DEVICE void mix(float *keys, float *values, float *scalars, const T *in, float *tail, Weights w, i64 n, int each, Shape s) {
  wait();
  Inputs<T> x{in, tail, s};
  if (s.kernel == 4) mix_all<R, 4>(keys, values, scalars, x, w, n, each);
  else mix_all<R, 0>(keys, values, scalars, x, w, n, each);
}

// A warp has eight columns. Of a lane's two, of one leaf, these are the 8·R / 8 rows.
template <int R> struct Columns {
  float s[R][2];
  static DEVICE int leaf() { return lane() / 4; } // lanes beside each other read the same of q and k
  static DEVICE int column() { return lane() % 4 * 2; }
  static DEVICE int row(int i) { return i / 4 * 32 + leaf() * 4 + i % 4; }

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

  // One token: q and k (P each) and scalars lie in shared memory. Leaves the leaf's o, and d.
  DEVICE void token(const float *qk, f32x2 v, f32x4 scalars, float (&o)[2], float (&d)[2]) {
    const int P = 8 * R;
    float k[R], q[R], seen[2][2] = {{0.f, 0.f}, {0.f, 0.f}};
    UNROLL for (int m = 0; m < R / 4; m++) {
      f32x4 q4 = *(const f32x4 *)(qk + 32 * m + 4 * leaf()), k4 = *(const f32x4 *)(qk + P + 32 * m + 4 * leaf());
      UNROLL for (int e = 0; e < 4; e++) q[4 * m + e] = q4[e], k[4 * m + e] = k4[e];
    }
    UNROLL for (int i = 0; i < R; i++)
      UNROLL for (int y = 0; y < 2; y++) seen[i % 2][y] = fma(k[i], s[i][y], seen[i % 2][y]);
    float sum[2] = {seen[0][0] + seen[1][0], seen[0][1] + seen[1][1]};
    UNROLL for (int mask = 4; mask < 32; mask *= 2)
      UNROLL for (int y = 0; y < 2; y++) sum[y] += shuffle_xor(sum[y], mask);
    o[0] = o[1] = 0.f;
    UNROLL for (int i = 0; i < R; i++)
      UNROLL for (int y = 0; y < 2; y++) o[y] = fma(q[i], s[i][y], o[y]);
    UNROLL for (int y = 0; y < 2; y++) d[y] = delta(sum[y], v[y], scalars);
    UNROLL for (int i = 0; i < R; i++)
      UNROLL for (int y = 0; y < 2; y++) s[i][y] = renewed(s[i][y], k[i], d[y], scalars);
  }
};

// Adds a and b over lanes whose numbers differ in `mask`, and keeps the sum of b where they have that bit, else of a.
DEVICE float halve(float a, float b, int mask) {
  bool on = lane() & mask;
  return (on ? b : a) + shuffle_xor(on ? a : b, mask);
}

// A block of four warps has 32 columns of a value head; what the next tokens need is on its way while some are computed.
// A scheduler has one warp, which waits for its own sums. Outputs wait for nothing: those of four tokens are added up
// over the leaves together, and each lane ends with one number.
template <int R> DEVICE void recur(const float *keys, float *values, const float *scalars, float *states, i64 n, Shape s, int pairs) {
  const int P = 8 * R, stages = 4, T = 8, U = 4; // tokens in a stage, and at a time
  const int wide = 32;                           // columns
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
  int j = 8 * warp() + Columns<R>::column(), leaf = Columns<R>::leaf(), stage = 0, free = stages - 1;
  for (i64 t0 = 0; t0 < n; t0 += T) {
    copy_wait<stages - 2>();
    sync(); // the tokens are there, and those before are done with
    load(t0 + (stages - 1) * T, free);
    const f32x4 *g = (const f32x4 *)gates[stage][0];
    float *to = values + t0 * padded + j;
    auto token = [&](int t, float (&o)[2], float (&d)[2]) INLINE { columns.token(qk[stage][t], *(const f32x2 *)(v[stage][t] + j), g[t], o, d); };
    auto few = [&](int t) INLINE {
      float o[U][2], kept = 0.f;
      UNROLL for (int u = 0; u < U; u++) {
        float d[2];
        token(t + u, o[u], d);
        if (leaf % U == u) kept = leaf / U ? d[1] : d[0];
      }
      float ahead[2];
      UNROLL for (int y = 0; y < 2; y++) ahead[y] = halve(halve(o[0][y], o[1][y], 4), halve(o[2][y], o[3][y], 4), 8);
      to[(i64)(t + leaf % U) * padded + leaf / U] = output(halve(ahead[0], ahead[1], 16), kept, g[t + leaf % U]);
    };
    if (t0 + T <= n) {
      _Pragma("unroll 1") for (int t = 0; t < T; t += U) few(t);
    } else {
      for (int t = 0; t0 + t < n; t++) {
        float o[2], d[2];
        token(t, o, d);
        UNROLL for (int mask = 4; mask < 32; mask *= 2)
          UNROLL for (int y = 0; y < 2; y++) o[y] += shuffle_xor(o[y], mask);
        if (leaf == 0) *(f32x2 *)(to + (i64)t * padded) = f32x2{output(o[0], d[0], g[t]), output(o[1], d[1], g[t])};
      }
    }
    free = stage;
    if (++stage == stages) stage = 0;
  }
  columns.store(states, first + 8 * warp(), s.keySize, s.valueSize, pairs);
}

// A warp has one head of one token.
template <typename T> DEVICE void finish_all(T *dst, const float *values, const T *in, const float *norm, float eps, i64 n, Shape s) {
  next();
  wait();
  i64 at = block_x() * (threads() / 32) + warp(), t = at / s.valueHeads;
  int h = (int)(at % s.valueHeads);
  if (t >= n) return;
  const float *o = values + (h * n + t) * s.padded();
  const T *z = in + t * s.in() + s.channels();
  float scale = norm_scale(o, eps, s.valueSize);
  for (int j = lane(), c = h * s.valueSize + j; j < s.valueSize; j += 32, c += 32) finish(dst + t * s.out(), (T *)0, c, o[j], scale, norm[j], to_float(z[c]));
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
  KERNEL __launch_bounds__(128, 1) linear_recur_##R(const float *keys, float *values, const float *scalars, float *states, i64 n, int pairs, SHAPE_PARAMETERS) { \
    recur<R>(keys, values, scalars, states, n, SHAPE, pairs); \
  }
SIZES(4)
SIZES(16)

#define INSTANCE_SIZED(T, name, R) \
  KERNEL __launch_bounds__(256) linear_mix_##R##_##name(float *keys, float *values, float *scalars, const T *in, float *tail, const float *conv, const float *decay, \
                                                       const float *bias, i64 n, int each, SHAPE_PARAMETERS) { \
    mix<R>(keys, values, scalars, in, tail, Weights{conv, decay, bias}, n, each, SHAPE); \
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
