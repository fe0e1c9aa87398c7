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

// group_all: dst[g][j] = mean of src[h][j] over all query heads, for every g.
KERNEL group_all(float *dst, const float *src, i64 m, int heads, int kvHeads) {
  next();
  wait();
  i64 j = block_x() * threads() + thread();
  if (j >= m) return;
  float s = 0.f;
  for (int h = 0; h < heads; h++) s += src[h * m + j];
  s /= (float)heads;
  for (int g = 0; g < kvHeads; g++) dst[g * m + j] = s;
}

// combine_scores: dst[r][j] = factor · (a[r][j] ∘ b[r][j]), ∘ being ·, / or +. dst (rows, m);
// a (rows, n), n ≥ m, or null for ones; b, of which rows are `pitch` apart (m or 0), or null
// for factor · a. blockIdx.y is the row.
KERNEL combine_scores(float *dst, const float *a, const float *b, i64 m, i64 n, i64 pitch, int how, float factor) {
  next();
  wait();
  i64 j = block_x() * threads() + thread(), row = block_y();
  if (j >= m) return;
  float v = a ? a[row * n + j] : 1.f;
  if (b) {
    float w = b[row * pitch + j];
    v = how == 0 ? v * w : how == 1 ? v / w : v + w;
  }
  dst[row * m + j] = factor * v;
}

// chunk_means: the mean of the chunk of size positions that each is in; (rows, m),
// blockIdx.y a row.
KERNEL chunk_means(float *dst, const float *src, i64 m, i64 size) {
  next();
  wait();
  i64 j = block_x() * threads() + thread(), row = block_y();
  if (j >= m) return;
  src += row * m;
  i64 first = j / size * size, end = min(first + size, m);
  float s = 0.f;
  for (i64 i = first; i < end; i++) s += src[i];
  dst[row * m + j] = s / (float)(end - first);
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

// count_above: dst[g][j] = how many of src[g][0 … rows-1][j] are above a threshold. src
// (groups, rows, m), dst (groups, m); total = groups·m.
KERNEL count_above(float *dst, const float *src, i64 total, i64 m, int rows, float above) {
  next();
  wait();
  i64 at = block_x() * threads() + thread();
  if (at >= total) return;
  i64 g = at / m;
  src += g * rows * m + at - g * m;
  const int batch = 8; // loads in flight
  int count = 0, r = 0;
  for (; r + batch <= rows; r += batch) UNROLL for (int u = 0; u < batch; u++) count += src[(r + u) * m] > above;
  for (; r < rows; r++) count += src[r * m] > above;
  dst[at] = (float)count;
}
