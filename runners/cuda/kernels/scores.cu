// What happens to scores between window_scores and select.
#include "device.h"

// group_scores: dst[g][j] = mean or (highest) max of src[h][j] over the group's
// query heads. src (kvHeads·group, m), dst (kvHeads, m); total = kvHeads·m.
KERNEL group_scores(float *dst, const float *src, i64 total, i64 m, int group, int highest) {
  next();
  wait();
  i64 at = block_x() * threads() + thread();
  if (at >= total) return;
  i64 g = at / m, j = at - g * m;
  src += g * group * m + j;
  float s = src[0];
  for (int h = 1; h < group; h++) s = highest ? max(s, src[h * m]) : s + src[h * m];
  dst[at] = highest ? s : s / (float)group;
}

// pool_scores: average (sum over the kernel's width, zeros past the ends) or max
// (−∞ past the ends) of the kernel scores around each; (rows, m), blockIdx.y a row.
KERNEL pool_scores(float *dst, const float *src, i64 m, int kernel, int highest) {
  next();
  wait();
  i64 j = block_x() * threads() + thread(), row = block_y();
  if (j >= m) return;
  src += row * m;
  i64 first = max(j - kernel / 2, (i64)0), last = min(j + kernel / 2, m - 1);
  float s = highest ? -INF : 0.f;
  for (i64 i = first; i <= last; i++) s = highest ? max(s, src[i]) : s + src[i];
  dst[row * m + j] = highest ? s : s / (float)kernel;
}
