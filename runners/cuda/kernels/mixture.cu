// Sparse mixture of feed-forward layers (Mixtral, arXiv 2401.04088, section 2.1):
// what goes around the experts' products.
#include "device.h"

// route: probabilities (m, experts) from the router's logits: the softmax of the
// perToken highest among themselves (ties: lowest index), 0 for the others.
// used[e] = 1 where some token takes expert e; the host has cleared it. A thread a
// token; at most 64 experts.
KERNEL route(float *probabilities, int *used, const float *logits, int m, int experts, int perToken) {
  next();
  wait();
  i64 i = block_x() * threads() + thread();
  if (i >= m) return;
  logits += i * experts;
  probabilities += i * experts;
  u64 chosen = 0;
  float highest = 0.f, sum = 0.f;
  for (int k = 0; k < perToken; k++) {
    int best = -1;
    for (int e = 0; e < experts; e++)
      if (!(chosen >> e & 1) && (best < 0 || logits[e] > logits[best])) best = e;
    if (k == 0) highest = logits[best];
    chosen |= 1ull << best;
    sum += exp(logits[best] - highest);
  }
  for (int e = 0; e < experts; e++) {
    bool on = chosen >> e & 1;
    probabilities[e] = on ? exp(logits[e] - highest) / sum : 0.f;
    if (on) used[e] = 1;
  }
}

// mixture_add: sum[r] += probabilities[r][e] · y[i] for the rows i of one expert's
// output, r = rows[i], or i where rows is null. y (count, width) and sum (m, width)
// float; blockIdx.y is i.
KERNEL mixture_add(float *sum, const float *y, const int *rows, const float *probabilities, int expert, int experts, i64 width) {
  next();
  wait();
  i64 i = block_y(), r = rows ? rows[i] : i;
  float p = probabilities[r * experts + expert];
  i64 j = block_x() * threads() + thread();
  if (p == 0.f || j >= width) return;
  sum[r * width + j] = fma(p, y[i * width + j], sum[r * width + j]);
}
