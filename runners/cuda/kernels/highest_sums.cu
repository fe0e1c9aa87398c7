// highest_sums: dst[r] = the sum of the counts[r / rows] highest of row r; src (·, m) without
// NaN. One block of 1024 threads a row; the order of the sum is fixed.
#include "highest.h"

KERNEL __launch_bounds__(1024) highest_sums(float *dst, const float *src, const int *counts, i64 m, int rows) {
  __shared__ float scratch[32];
  next();
  wait();
  int count = counts[block_x() / rows];
  src += block_x() * m;
  Border least = {0, 0}; // every number's key is above 0
  if (count > 0 && count < m) least = border(src, m, count, 0);
  float sum = 0.f;
  for (i64 i0 = thread(); count > 0 && i0 < m; i0 += width * batch) {
    float x[batch];
    UNROLL for (int u = 0; u < batch; u++) x[u] = i0 + u * width < m ? src[i0 + u * width] : 0.f;
    UNROLL for (int u = 0; u < batch; u++)
      if (i0 + u * width < m && key_of(x[u]) > least.key) sum += x[u];
  }
  sum = sum_block(sum, scratch);
  if (thread() == 0) dst[block_x()] = least.equals ? fma((float)least.equals, score_of(least.key), sum) : sum;
}
