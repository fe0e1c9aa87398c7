// What is read off the logits (rows, vocab) float; one block of up to 1024 threads
// a result.
#include "device.h"

// argmax: dst[i] = the index of the highest logit of row i, the lowest index among
// equals; -1 where the row holds a NaN or an infinity.
KERNEL __launch_bounds__(1024) argmax(int *dst, const float *logits, i64 vocab) {
  __shared__ float values[32];
  __shared__ int indices[32];
  next();
  wait();
  logits += block_x() * vocab;
  float best = -INF;
  int at = 0x7fffffff;
  auto offer = [&](float x, int i) INLINE {
    if (x > best || (x == best && i < at)) best = x, at = i;
  };
  auto reduce = [&]() INLINE {
    UNROLL for (int m = 16; m; m >>= 1) {
      float x = shuffle_xor(best, m);
      int i = __nvvm_shfl_sync_bfly_i32(~0u, at, m, 31);
      offer(x, i);
    }
  };
  bool broken = false;
  const int batch = 8;
  for (i64 i0 = thread(); i0 < vocab; i0 += threads() * batch) {
    float x[batch];
    UNROLL for (int u = 0; u < batch; u++) x[u] = i0 + u * threads() < vocab ? logits[i0 + u * threads()] : -INF;
    UNROLL for (int u = 0; u < batch; u++)
      if (i0 + u * threads() < vocab) {
        broken |= !(__builtin_fabsf(x[u]) < INF);
        offer(x[u], (int)(i0 + u * threads()));
      }
  }
  if (broken) best = INF, at = -1; // no finite logit is offered above it
  reduce();
  if (lane() == 0) values[warp()] = best, indices[warp()] = at;
  sync();
  if (warp() > 0) return;
  best = -INF;
  at = 0x7fffffff;
  if (lane() < threads() / 32) best = values[lane()], at = indices[lane()];
  reduce();
  if (lane() == 0) dst[block_x()] = at;
}

// divergence: dst[i] = KL(softmax(logits[p[i]]) ‖ softmax(logits[q[i]])) in nats.
// pairs (2, count): p, then q. The last sum is in double precision.
KERNEL __launch_bounds__(1024) divergence(float *dst, const float *logits, i64 vocab, const int *pairs, int count) {
  __shared__ float scratch[32];
  __shared__ double parts[32];
  next();
  wait();
  const float *a = logits + pairs[block_x()] * vocab, *b = logits + pairs[count + block_x()] * vocab;
  float ma = -INF, mb = -INF, sa = 0.f, sb = 0.f;
  for (i64 i = thread(); i < vocab; i += threads()) ma = max(ma, a[i]), mb = max(mb, b[i]);
  ma = max_block(ma, scratch);
  mb = max_block(mb, scratch);
  for (i64 i = thread(); i < vocab; i += threads()) sa += exp(a[i] - ma), sb += exp(b[i] - mb);
  sa = sum_block(sa, scratch);
  sb = sum_block(sb, scratch);
  const float ln2 = 0.693147181f;
  float la = log2(sa) * ln2, lb = log2(sb) * ln2;
  double sum = 0.;
  for (i64 i = thread(); i < vocab; i += threads()) {
    float p = exp(a[i] - ma) / sa;
    if (p > 0.f) sum += (double)p * (((double)a[i] - ma - la) - ((double)b[i] - mb - lb));
  }
  UNROLL for (int m = 16; m; m >>= 1) {
    u64 bits = __builtin_bit_cast(u64, sum);
    u32 lo = __nvvm_shfl_sync_bfly_i32(~0u, (int)(u32)bits, m, 31), hi = __nvvm_shfl_sync_bfly_i32(~0u, (int)(u32)(bits >> 32), m, 31);
    sum += __builtin_bit_cast(double, (u64)hi << 32 | lo);
  }
  if (lane() == 0) parts[warp()] = sum;
  sync();
  if (thread() != 0) return;
  sum = 0.;
  for (int w = 0; w < threads() / 32; w++) sum += parts[w];
  dst[block_x()] = (float)sum;
}
