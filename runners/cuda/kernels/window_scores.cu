// window_scores: dst[h][j] = Σ_i softmax_j(scale · q[i][h]·k[j]) for j < n-w, the
// softmax over the keys that query i, at position n-w+i, may see (SnapKV, arXiv
// 2404.14469, section 4). q (w, heads, d), k (kvHeads, n, d), dst (heads, n-w). w is the
// widest window; a narrower one sums over the last of the queries, for more of the keys.
//
// Two passes, no w × n array: window_state leaves each query's maximum and sum
// over one split of the keys (length keys each) in state (heads, splits, w, 2), the
// maximum in units of log2, and the head's last block to finish puts the splits
// together in joined (heads, w, 2: maximum, 1/sum); window_sum computes the logits again
// and adds up the probabilities for up to two windows. It takes the queries in blocks of 16
// that are counted from the last query, so that a window's sums do not depend on the
// widest. arrived (heads) is zero and is left so. blockIdx.x is the split, blockIdx.y the
// head, counted from head0: the host launches as many heads at a time as have keys that fit
// the L2 cache, so that the second pass finds them there.
//
// The kernels for 16-bit types need d to be a multiple of eight, at most 32·STEPS;
// _plain takes any type and size.
#include "keys.h"

const int warps = 8;

// Puts a query's splits together: eight lanes share them, in a fixed order. The head's last
// block to arrive does it, when all blocks have written theirs.
DEVICE void join(float *joined, const float *state, int *arrived, int head, int splits, int w, Way way) {
  __shared__ int last;
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
  sync();
  if (thread() == 0) {
    int before;
    asm volatile("atom.acq_rel.gpu.global.add.s32 %0, [%1], 1;" : "=r"(before) : "l"(arrived + head) : "memory");
    last = before == splits - 1;
    if (last) arrived[head] = 0;
  }
  sync();
  if (!last) return;
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
  const int batch = 8; // loads in flight
  for (int i = thread() / 8; i < (w + 3) / 4 * 4; i += threads() / 8) {
    float m = -INF, s = 0.f;
    for (int p0 = thread() % 8; p0 < splits; p0 += 8 * batch) {
      float mp[batch], sp[batch], high = m;
      UNROLL for (int u = 0; u < batch; u++) {
        int p = p0 + 8 * u;
        const float *from = state + (((i64)head * splits + min(p, splits - 1)) * w + min(i, w - 1)) * 2;
        asm volatile("ld.global.cg.v2.f32 {%0, %1}, [%2];" : "=f"(mp[u]), "=f"(sp[u]) : "l"(from) : "memory");
        if (p >= splits) mp[u] = -INF;
        high = max(high, mp[u]);
      }
      if (high == -INF) continue;
      s *= exp2(m - high);
      UNROLL for (int u = 0; u < batch; u++)
        if (mp[u] != -INF) s = fma(sp[u], exp2(mp[u] - high), s);
      m = high;
    }
    UNROLL for (int d = 1; d < 8; d <<= 1) {
      float mo = shuffle_xor(m, d), so = shuffle_xor(s, d), high = max(m, mo);
      s = high == -INF ? 0.f : s * exp2(m - high) + so * exp2(mo - high);
      m = high;
    }
    if (thread() % 8 == 0 && i < w) {
      if constexpr (WAY != WAY_PLAIN) settle(m, s, sink(way, head));
      joined[((i64)head * w + i) * 2] = m;
      joined[((i64)head * w + i) * 2 + 1] = 1.f / s;
    }
  }
}

// The windows that a launch adds up: w queries each, 0 for no window. dst (heads, n-w).
struct Windows {
  float *dst[2];
  int w[2];
};

// What window_sum needs to know of each query.
DEVICE void recall(float (&top)[256], float (&share)[256], const float *joined, int head, int w) {
  for (int i = thread(); i < w; i += threads()) {
    top[i] = joined[((i64)head * w + i) * 2];
    share[i] = joined[((i64)head * w + i) * 2 + 1];
  }
  sync();
}

template <typename T, int STEPS, int NT>
DEVICE void window_state(float *state, float *joined, int *arrived, const T *q, const T *k, int w, int n, int head0, int heads, int kvHeads, int d,
                         int length, int window, float scale, Way way) {
  __shared__ float top[warps][256], total[warps][256];
  next();
  wait();
  int head = head0 + (int)block_y(), g = lane() >> 2, t = lane() & 3;
  k += (i64)(head / (heads / kvHeads)) * n * d;
  q += (i64)head * d;
  scale *= LOG2E;
  Bend bend(scale, way);
  for (int i = lane(); i < w; i += 32) top[warp()][i] = -INF, total[warp()][i] = 0.f;
  sync_warp();
  int begin = (int)block_x() * length, end = min(begin + length, n);
  Keys<T, STEPS, NT> keys;
  for (int key = begin + 8 * NT * warp(); key < end; key += 8 * NT * warps) {
    keys.load(k, key, end, d);
    bool whole = window <= 0 && key + 8 * NT <= min(end, n - w + 1); // every query sees every key
    for (int i0 = 0; i0 < w; i0 += 16) {
      float c[NT][4];
      keys.logits(c, q, i0, w, (i64)heads * d, d);
      UNROLL for (int h = 0; h < 2; h++) {
        int i = i0 + g + 8 * h, position = n - w + i;
        float m = -INF, s = 0.f;
        UNROLL for (int j = 0; j < NT; j++)
          UNROLL for (int e = 0; e < 2; e++) {
            int at = key + 8 * j + 2 * t + e;
            float &x = c[j][2 * h + e];
            x = bend(x) * scale;
            if (!whole && !(at < end && sees(position, at, window))) x = -INF;
            m = max(m, x);
          }
        m = max(m, shuffle_xor(m, 1));
        m = max(m, shuffle_xor(m, 2));
        float old = i < w ? top[warp()][i] : -INF;
        m = max(m, old);
        float base = m == -INF ? 0.f : m;
        UNROLL for (int j = 0; j < NT; j++) UNROLL for (int e = 0; e < 2; e++) s += exp2(c[j][2 * h + e] - base);
        s += shuffle_xor(s, 1);
        s += shuffle_xor(s, 2);
        sync_warp();
        if (t == 0 && i < w) {
          top[warp()][i] = m;
          total[warp()][i] = total[warp()][i] * exp2(old - base) + s;
        }
        sync_warp();
      }
    }
  }
  sync();
  for (int i = thread(); i < w; i += threads()) {
    float m = -INF, s = 0.f;
    UNROLL for (int v = 0; v < warps; v++) m = max(m, top[v][i]);
    UNROLL for (int v = 0; v < warps; v++)
      if (top[v][i] != -INF) s = fma(total[v][i], exp2(top[v][i] - m), s);
    float *to = state + (((i64)head * blocks_x() + block_x()) * w + i) * 2;
    to[0] = m;
    to[1] = s;
  }
  join(joined, state, arrived, head, (int)blocks_x(), w, way);
}

template <typename T, int STEPS, int NT, int N>
DEVICE void window_sum(Windows windows, const float *joined, const T *q, const T *k, int w, int n, int head0, int heads,
                       int kvHeads, int d, int length, int window, float scale, Way way) {
  __shared__ float top[256], share[256];
  next();
  wait();
  int head = head0 + (int)block_y(), g = lane() >> 2, t = lane() & 3;
  k += (i64)(head / (heads / kvHeads)) * n * d;
  q += (i64)head * d;
  scale *= LOG2E;
  Bend bend(scale, way);
  recall(top, share, joined, head, w);
  int widest = N == 1 ? windows.w[0] : max(windows.w[0], windows.w[1]), narrowest = N == 1 ? windows.w[0] : min(windows.w[0], windows.w[1]);
  int begin = (int)block_x() * length, end = min(begin + length, n - narrowest);
  Keys<T, STEPS, NT> keys;
  for (int key = begin + 8 * NT * warp(); key < end; key += 8 * NT * warps) {
    keys.load(k, key, end, d);
    float sum[N][NT][2];
    UNROLL for (int x = 0; x < N; x++) UNROLL for (int j = 0; j < NT; j++) sum[x][j][0] = sum[x][j][1] = 0.f;
    for (int i0 = w - (widest + 15) / 16 * 16; i0 < w; i0 += 16) {
      float c[NT][4];
      keys.logits(c, q, i0, w, (i64)heads * d, d);
      UNROLL for (int h = 0; h < 2; h++) {
        int i = i0 + g + 8 * h, position = n - w + i;
        if (i < 0) continue;
        float mi = top[i], si = share[i];
        UNROLL for (int j = 0; j < NT; j++)
          UNROLL for (int e = 0; e < 2; e++) {
            float p = exp2(fma(bend(c[j][2 * h + e]), scale, -mi)) * si;
            if (window > 0 && key + 8 * j + 2 * t + e <= position - window) p = 0.f;
            // A key after the query may have any power: no window counts it.
            UNROLL for (int x = 0; x < N; x++) sum[x][j][e] += i >= w - windows.w[x] ? p : 0.f;
          }
      }
    }
    UNROLL for (int x = 0; x < N; x++)
      UNROLL for (int j = 0; j < NT; j++)
        UNROLL for (int e = 0; e < 2; e++) {
          float s = sum[x][j][e];
          s += shuffle_xor(s, 4);
          s += shuffle_xor(s, 8);
          s += shuffle_xor(s, 16);
          int at = key + 8 * j + 2 * t + e, m = n - windows.w[x];
          if (g == 0 && at < min(end, m)) windows.dst[x][(i64)head * m + at] = s;
        }
  }
}

template <typename T> DEVICE float dot(const T *a, const T *b, int d) {
  float s = 0.f;
  for (int e = 0; e < d; e++) s = fma(to_float(a[e]), to_float(b[e]), s);
  return s;
}

template <typename T>
DEVICE void window_state_plain(float *state, float *joined, int *arrived, const T *q, const T *k, int w, int n, int head0, int heads, int kvHeads,
                               int d, int length, int window, float scale, Way way) {
  __shared__ float scratch[32];
  next();
  wait();
  int head = head0 + (int)block_y();
  k += (i64)(head / (heads / kvHeads)) * n * d;
  q += (i64)head * d;
  float units = scale * LOG2E;
  Bend bend(units, way);
  int begin = (int)block_x() * length, end = min(begin + length, n);
  for (int i = 0; i < w; i++) {
    float m = -INF, s = 0.f;
    for (int j = begin + thread(); j < end; j += threads()) {
      if (!sees(n - w + i, j, window)) continue;
      float product = dot(q + (i64)i * heads * d, k + (i64)j * d, d), x = WAY == WAY_CAP ? bend(product) : product * scale * LOG2E, high = max(m, x);
      s = s * exp2(m - high) + exp2(x - high);
      m = high;
    }
    float high = max_block(m, scratch);
    s = sum_block(m == -INF ? 0.f : s * exp2(m - high), scratch);
    if (thread() == 0) {
      float *to = state + (((i64)head * blocks_x() + block_x()) * w + i) * 2;
      to[0] = high;
      to[1] = s;
    }
  }
  join(joined, state, arrived, head, (int)blocks_x(), w, way);
}

template <typename T, int N>
DEVICE void window_sum_plain(Windows windows, const float *joined, const T *q, const T *k, int w, int n, int head0, int heads,
                             int kvHeads, int d, int length, int window, float scale, Way way) {
  __shared__ float top[256], share[256];
  next();
  wait();
  int head = head0 + (int)block_y();
  k += (i64)(head / (heads / kvHeads)) * n * d;
  q += (i64)head * d;
  recall(top, share, joined, head, w);
  float units = scale * LOG2E;
  Bend bend(units, way);
  UNROLL for (int x = 0; x < N; x++) {
    int m = n - windows.w[x], begin = (int)block_x() * length, end = min(begin + length, m);
    for (int j = begin + thread(); j < end; j += threads()) {
      float s = 0.f;
      for (int i = w - windows.w[x]; i < w; i++) {
        if (!sees(n - w + i, j, window)) continue;
        float product = dot(q + (i64)i * heads * d, k + (i64)j * d, d);
        s += exp2((WAY == WAY_CAP ? bend(product) : product * scale * LOG2E) - top[i]) * share[i];
      }
      windows.dst[x][(i64)head * m + j] = s;
    }
  }
}

#if WAY == WAY_SINKS // whose sums are the plain ones
#define SUM(...)
#else
#define SUM(T, name, version, N, ...) \
  KERNEL __launch_bounds__(256, 2) NAME(window_sum##N##_##name)(float *dst0, float *dst1, int w0, int w1, const float *joined, const T *q, const T *k, int w, int n, \
      int head0, int heads, int kvHeads, int d, int length, int window, float scale WAY_PARAMETERS) { \
    window_sum##version<__VA_ARGS__, N>(Windows{{dst0, dst1}, {w0, w1}}, joined, q, k, w, n, head0, heads, kvHeads, d, length, window, scale, WAY_ARGUMENTS); \
  }
#endif
#define INSTANCE(T, name, version, ...) \
  KERNEL __launch_bounds__(256, 2) NAME(window_state_##name)(float *state, float *joined, int *arrived, const T *q, const T *k, int w, int n, int head0, int heads, \
      int kvHeads, int d, int length, int window, float scale WAY_PARAMETERS) { \
    window_state##version<__VA_ARGS__>(state, joined, arrived, q, k, w, n, head0, heads, kvHeads, d, length, window, scale, WAY_ARGUMENTS); \
  } \
  SUM(T, name, version, 1, __VA_ARGS__) SUM(T, name, version, 2, __VA_ARGS__)
INSTANCE(f16, 64_f16, , f16, 2, 4)
INSTANCE(f16, 128_f16, , f16, 4, 4)
INSTANCE(f16, 256_f16, , f16, 8, 2)
INSTANCE(bf16, 64_bf16, , bf16, 2, 4)
INSTANCE(bf16, 128_bf16, , bf16, 4, 4)
INSTANCE(bf16, 256_bf16, , bf16, 8, 2)
INSTANCE(f16, plain_f16, _plain, f16)
INSTANCE(bf16, plain_bf16, _plain, bf16)
INSTANCE(float, plain_f32, _plain, float)
