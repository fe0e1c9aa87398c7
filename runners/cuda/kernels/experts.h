// experts: which rows of x an expert has, and where its packed weights are.
#pragma once
#include "device.h"

struct Choice { int expert, first, rows, unused; }; // as in matmul_few.cu
struct Expert { const u8 *w; const float *bias; };

const int mostExperts = 16;

// Leaves the weights and biases of a token's experts, perToken ≤ mostExperts, where all threads of the block see them.
DEVICE void read_experts(const u8 **weights, const float **biases, const Choice *choices, const Expert *experts, int perToken) {
  if (thread() < perToken) {
    Expert e = experts[choices[thread()].expert];
    weights[thread()] = e.w;
    biases[thread()] = e.bias;
  }
  sync();
}
