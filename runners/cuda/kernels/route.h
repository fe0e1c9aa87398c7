// route: which experts a token takes.
#pragma once
#include "device.h"

// The greatest and the least of a warp's numbers.
DEVICE u32 greatest(u32 v) { u32 r; asm volatile("redux.sync.max.u32 %0, %1, 0xffffffff;" : "=r"(r) : "r"(v)); return r; }
DEVICE u32 least(u32 v) { u32 r; asm volatile("redux.sync.min.u32 %0, %1, 0xffffffff;" : "=r"(r) : "r"(v)); return r; }

// Read past the L1 cache, whose lines may be older than the kernel that wrote it: mixture_down.cu does not wait for that kernel itself.
DEVICE float load_logit(const float *p) { float v; asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(p) : "memory"); return v; }

// The experts that a token takes, chosen by a warp from the router's logits (experts), at
// most 1024: lane l has a bit i for expert 32·i+l. A share is exp(logit − highest) / sum,
// the sum being over the chosen experts, or over all. Ties go to the lowest index. Of up to
// 32 choices lane k has the (k+1)th and its logit, too.
struct Chosen {
  u32 mine, pick;
  float logit, highest, sum;
  DEVICE float share(float logit) const { return exp(logit - highest) / sum; }
};

// Whole numbers in the order of floats, none of them 0; both zeros are one.
DEVICE u32 ordered(float v) {
  int bits = __builtin_bit_cast(int, v + 0.f);
  u32 key = (u32)(bits ^ (bits >> 31 | (int)0x80000000));
  return key ? key : 1;
}
DEVICE float unordered(u32 key) { return __builtin_bit_cast(float, key >> 31 ? key ^ 0x80000000u : ~key); }

// What a lane has of at most 32·N experts' logits, in registers, so that memory is read once: 0 where there is no expert or it was
// chosen. Keys<0> reads them again for each choice.
template <int N> struct Keys {
  u32 keys[N];
  DEVICE Keys(const float *logits, int experts) {
    UNROLL for (int i = 0; i < N; i++) keys[i] = 32 * i + lane() < experts ? ordered(load_logit(logits + 32 * i + lane())) : 0;
  }
  // The highest, its first expert (if the warp's highest is top), and to choose one.
  DEVICE u32 highest(u32) const {
    u32 top = 0;
    UNROLL for (int i = 0; i < N; i++) top = keys[i] > top ? keys[i] : top;
    return top;
  }
  DEVICE u32 at(u32 top, u32) const {
    u32 e = ~0u;
    UNROLL for (int i = N - 1; i >= 0; i--) e = keys[i] == top ? 32 * i + lane() : e;
    return e;
  }
  DEVICE void choose(u32 e) {
    UNROLL for (int i = 0; i < N; i++) keys[i] = e == 32 * i + lane() ? 0 : keys[i];
  }
};
template <> struct Keys<0> {
  const float *logits;
  int experts;
  DEVICE Keys(const float *logits, int experts) : logits(logits), experts(experts) {}
  DEVICE u32 key(int i, u32 chosen) const { return chosen >> i & 1 ? 0 : ordered(load_logit(logits + 32 * i + lane())); }
  DEVICE u32 highest(u32 chosen) const {
    u32 top = 0;
    for (int i = 0; 32 * i + lane() < experts; i++) top = key(i, chosen) > top ? key(i, chosen) : top;
    return top;
  }
  DEVICE u32 at(u32 top, u32 chosen) const {
    for (int i = 0; 32 * i + lane() < experts; i++)
      if (key(i, chosen) == top) return 32 * i + lane();
    return ~0u;
  }
  DEVICE void choose(u32) {}
};

template <int N> DEVICE Chosen choose_of(const float *logits, int experts, int perToken, int all) {
  Keys<N> keys(logits, experts);
  Chosen c = {0, ~0u, 0.f, 0.f, 0.f};
  for (int base = 0; base < perToken; base += 32) {
    int count = min(perToken - base, 32);
    for (int k = 0; k < count; k++) {
      u32 top = greatest(keys.highest(c.mine)), e = least(keys.at(top, c.mine));
      keys.choose(e);
      if (e % 32 == lane()) c.mine |= 1u << e / 32;
      if (k == lane()) c.pick = e, c.logit = unordered(top);
    }
    if (base == 0) c.highest = from_lane(c.logit, 0);
    float mine = exp(c.logit - c.highest);
    for (int k = 0; k < count; k++) c.sum += from_lane(mine, k);
  }
  if (all) {
    float sum = 0.f;
    for (int e = lane(); e < experts; e += 32) sum += exp(load_logit(logits + e) - c.highest);
    c.sum = sum_warp(sum);
  }
  return c;
}

DEVICE Chosen choose(const float *logits, int experts, int perToken, int all) {
  return experts <= 128 ? choose_of<4>(logits, experts, perToken, all) : experts <= 256 ? choose_of<8>(logits, experts, perToken, all) : choose_of<0>(logits, experts, perToken, all);
}

// For each expert of a token, calls each(s, e) of the lane that has it: e is the s-th of them by number. A warp does so together.
template <typename F> DEVICE void chosen_of(u32 mine, int experts, F each) {
  for (int i = 0, s = 0; i * 32 < experts; i++) {
    bool on = mine >> i & 1;
    u32 all = __nvvm_vote_ballot_sync(~0u, on);
    if (on) each(s + __builtin_popcount(all & ((1u << lane()) - 1)), 32 * i + lane());
    s += __builtin_popcount(all);
  }
}
