// experts: which rows of x an expert has, and where its packed weights are.
#pragma once
#include "route.h"

struct Choice { int expert, first, rows, unused; }; // as in matmul_few.cu
struct Expert { const u8 *w; const float *bias; };

const int mostExperts = 16; // of a token, where kernels take one

// A token's experts by their numbers, in shared memory.
struct Taken {
  Expert experts[mostExperts];
  float shares[mostExperts];
  // Copies all experts' addresses, which nothing writes: before wait() there is time. All threads of the block.
  static DEVICE void keep(Expert *to, const Expert *table, int count) {
    for (int e = thread(); e < count; e += threads()) to[e] = table[e];
    sync();
  }
  // Leaves the experts, whose addresses are kept, where all see them after the next barrier. One warp.
  DEVICE void choose(const Expert *kept, const float *logits, int count, int perToken, int all) {
    Chosen c = ::choose(logits, count, perToken, all);
    int s = 0; // how many have lower numbers
    for (int k = 0; k < perToken; k++) s += (u32)from_lane((int)c.pick, k) < c.pick;
    if (lane() < perToken) {
      experts[s] = kept[c.pick];
      shares[s] = c.share(c.logit);
    }
  }
};
