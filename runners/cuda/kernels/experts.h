// experts: which rows of x an expert has, and where its packed weights are.
#pragma once
#include "route.h"

struct Choice { int expert, first, rows, unused; }; // as in matmul_few.cu
struct Expert { const u8 *w; const float *bias; };

const int mostExperts = 16; // of a token, where kernels take one

// A token's experts by their numbers, in shared memory.
struct Taken {
  Expert kept[256]; // all experts' addresses
  int picks[mostExperts];
  float shares[mostExperts];
  DEVICE const Expert &expert(int s) const { return kept[picks[s]]; }
  // Copies the addresses, which nothing writes: that need not wait for the choice. The threads from `first` on call it.
  DEVICE void keep(const Expert *table, int count, int first) {
    for (int e = thread() - first; e < count; e += threads() - first) kept[e] = table[e];
  }
  // Leaves the experts where all see them after the next barrier; and their shares. One warp.
  DEVICE Chosen choose(const float *logits, int count, int perToken, int all) {
    Chosen c = ::choose(logits, count, perToken, all);
    int s = place(c, perToken);
    if (lane() < perToken) picks[s] = c.pick;
    return c;
  }
  DEVICE void share(const Chosen &c, int perToken) {
    int s = place(c, perToken);
    if (lane() < perToken) shares[s] = c.share(c.logit);
  }
  // How many have lower numbers than a lane's.
  static DEVICE int place(const Chosen &c, int perToken) {
    int s = 0;
    for (int k = 0; k < perToken; k++) s += (u32)from_lane((int)c.pick, k) < c.pick;
    return s;
  }
};
