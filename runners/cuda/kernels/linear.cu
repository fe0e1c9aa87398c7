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
    f32x4 all = scalars_of(decay(rate, to_float(gates[s.valueHeads + h]), bias), sigmoid(to_float(gates[h])));
    scalars[4 * t] = all.x, scalars[4 * t + 1] = all.y, scalars[4 * t + 3] = all.w;
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

  // A token's sums of the leaf over the state, and, with d known, what becomes of the state.
  DEVICE f32x2 seen(const float (&k)[R]) const {
    float sum[2][2] = {{0.f, 0.f}, {0.f, 0.f}};
    UNROLL for (int i = 0; i < R; i++)
      UNROLL for (int y = 0; y < 2; y++) sum[i % 2][y] = fma(k[i], s[i][y], sum[i % 2][y]);
    return f32x2{sum[0][0] + sum[1][0], sum[0][1] + sum[1][1]};
  }
  DEVICE f32x2 ahead(const float (&q)[R]) const {
    f32x2 sum = {0.f, 0.f};
    UNROLL for (int i = 0; i < R; i++)
      UNROLL for (int y = 0; y < 2; y++) sum[y] = fma(q[i], s[i][y], sum[y]);
    return sum;
  }
  DEVICE void renew(const float (&k)[R], f32x2 d, f32x4 scalars) {
    UNROLL for (int i = 0; i < R; i++)
      UNROLL for (int y = 0; y < 2; y++) s[i][y] = renewed(s[i][y], k[i], d[y], scalars);
  }
};

// Shared memory in the order written here: what is read after a write is not read before it.
DEVICE f32x4 read4(const float *p) {
  f32x4 v;
  asm volatile("ld.volatile.shared.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "r"(shared_address(p)) : "memory");
  return v;
}
DEVICE void write2(float *p, f32x2 v) { asm volatile("st.volatile.shared.v2.f32 [%0], {%1, %2};" ::"r"(shared_address(p)), "f"(v.x), "f"(v.y) : "memory"); }

// What a lane reads of a token.
template <int R> struct Operands {
  float q[R], k[R];
  f32x4 scalars;
  f32x2 v;
  DEVICE void read(const float *qk, const float *values, const float *gates) {
    UNROLL for (int m = 0; m < R / 4; m++) {
      f32x4 k4 = read4(qk + 8 * R + 32 * m + 4 * Columns<R>::leaf());
      UNROLL for (int e = 0; e < 4; e++) k[4 * m + e] = k4[e];
    }
    scalars = read4(gates);
    v = *(const f32x2 *)values;
    UNROLL for (int m = 0; m < R / 4; m++) {
      f32x4 q4 = read4(qk + 32 * m + 4 * Columns<R>::leaf());
      UNROLL for (int e = 0; e < 4; e++) q[4 * m + e] = q4[e];
    }
  }
};

extern __shared__ f32x4 shared[]; // Ring

const int stages = 3, stageTokens = 16; // what is under way, and together

template <int R> struct Ring {
  float qk[stages][stageTokens][16 * R], v[stages][stageTokens][32], gates[stages][stageTokens][4];
  float ahead[4][stageTokens][72], d[4][stageTokens][8]; // of each warp; the leaves' o of eight columns, without conflicts of banks
};

// A block of four warps has 32 columns of a value head; what the next tokens need is on its way while some are computed.
// A scheduler has one warp, which waits for its own sums s, adds over lanes that follow each other, while it computes o,
// g·S, and reads the next token. The sums o wait in shared memory for the end of a stage.
template <int R> DEVICE void recur(Ring<R> &ring, const float *keys, float *values, const float *scalars, float *states, i64 n, Shape s, int pairs) {
  const int P = 8 * R, T = stageTokens, wide = 32; // columns
  next();
  wait();
  int padded = s.padded(), parts = padded / wide, head = (int)block_x() / parts, first = (int)block_x() % parts * wide;
  keys += (i64)(head / s.group()) * n * 2 * P;
  values += head * n * padded + first;
  scalars += head * n * 4;
  states += (i64)head * s.keySize * s.valueSize;
  // The stages are fetched in their order, 16 bytes a thread and step.
  const float *fromKeys = keys + 4 * thread(), *fromValues = values + (i64)(thread() / 8) * padded + thread() % 8 * 4, *fromScalars = scalars + 4 * thread();
  i64 left = n;
  auto load = [&](int stage) INLINE {
    const int token = 2 * P / 4, steps = T * token / 128; // of q and k; T·8 of v are one
    UNROLL for (int i = 0; i < steps; i++)
      if ((128 * i + thread()) / token < left) copy16(shared_address(ring.qk[stage][0] + 512 * i + 4 * thread()), fromKeys + 512 * i, true);
    if (thread() / 8 < left) copy16(shared_address(ring.v[stage][0] + 4 * thread()), fromValues, true);
    if (thread() < T && thread() < left) copy16(shared_address(ring.gates[stage][0] + 4 * thread()), fromScalars, true);
    copy_commit();
    fromKeys += T * 2 * P, fromValues += (i64)T * padded, fromScalars += T * 4, left -= T;
  };
  UNROLL for (int i = 0; i < stages - 1; i++) load(i);
  Columns<R> columns;
  columns.load(states, first + 8 * warp(), s.keySize, s.valueSize, pairs);
  int j = 8 * warp() + Columns<R>::column();
  float *to = values + (i64)(lane() / 4) * padded + j, *ahead = ring.ahead[warp()][0] + 2 * lane(), *ds = ring.d[warp()][0] + Columns<R>::column();
  Operands<R> x[2];
  auto read = [&](Operands<R> &x, int stage, int t) INLINE { x.read(ring.qk[stage][t], ring.v[stage][t] + j, ring.gates[stage][t]); };
  // Token t of a stage, whose operands are here, while those of the token at t1 of stage1 are read.
  auto token = [&](Operands<R> &now, Operands<R> &then, int t, int stage1, int t1) INLINE {
    f32x2 sum = columns.seen(now.k), d;
    UNROLL for (int mask = 4; mask < 32; mask *= 2)
      UNROLL for (int y = 0; y < 2; y++) sum[y] += shuffle_xor(sum[y], mask);
    write2(ahead + 72 * t, columns.ahead(now.q));
    read(then, stage1, t1);
    UNROLL for (int y = 0; y < 2; y++) d[y] = delta(sum[y], now.v[y], now.scalars);
    columns.renew(now.k, d, now.scalars);
    if (Columns<R>::leaf() == 0) *(f32x2 *)(ds + 8 * t) = d;
  };
  copy_wait<stages - 2>();
  sync();
  read(x[0], 0, 0);
  int stage = 0;
  for (; n > 0; n -= T) {
    copy_wait<stages - 3>();
    sync(); // the tokens of this stage and the next are there, and those before are done with
    load(stage ? stage - 1 : stages - 1);
    int after = stage == stages - 1 ? 0 : stage + 1, count = (int)min((i64)T, n);
    if (count == T) {
      _Pragma("unroll 1") for (int t = 0; t < T; t += 2) {
        token(x[0], x[1], t, stage, t + 1);
        bool last = t + 2 == T;
        token(x[1], x[0], t + 1, last ? after : stage, last ? 0 : t + 2);
      }
    } else {
      _Pragma("unroll 1") for (int t = 0; t < count; t++) {
        token(x[0], x[1], t, stage, t + 1);
        x[0] = x[1];
      }
    }
    sync_warp();
    UNROLL for (int t = lane() / 4; t < T; t += 8) {
      const float *o = ring.ahead[warp()][t] + Columns<R>::column();
      f32x2 l[8], d = *(const f32x2 *)(ring.d[warp()][t] + Columns<R>::column()), y;
      f32x4 g = *(const f32x4 *)ring.gates[stage][t];
      UNROLL for (int i = 0; i < 8; i++) l[i] = *(const f32x2 *)(o + 8 * i);
      l[0] = ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7]));
      UNROLL for (int e = 0; e < 2; e++) y[e] = output(l[0][e], d[e], g);
      if (t < count) *(f32x2 *)to = y;
      to += 8 * padded;
    }
    stage = after;
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
  float scale = norm_scale(o, eps, s.valueSize, s.valueSize);
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
    recur(*(Ring<R> *)shared, keys, values, scalars, states, n, SHAPE, pairs); \
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
