// keys.h: keys that stay in a warp's registers while queries pass by, with mma.sync.
#pragma once
#include "way.h"

// A warp's share: 8·NT keys, whose fragments stay in registers while the queries
// pass by, 16 at a time. Lane g·4+t reads columns 8t … 8t+7 of each 32.
template <typename T, int STEPS, int NT> struct Keys {
  u32x4 b[NT][STEPS];
  DEVICE void load(const T *k, int key, int end, int d) {
    int g = lane() >> 2, t = lane() & 3;
    UNROLL for (int j = 0; j < NT; j++) {
      int at = key + 8 * j + g;
      UNROLL for (int s = 0; s < STEPS; s++) {
        b[j][s] = u32x4{0, 0, 0, 0};
        if (at < end && 32 * s + 8 * t < d) b[j][s] = *(const u32x4 *)(k + (i64)at * d + 32 * s + 8 * t);
      }
    }
  }
  // Products of queries i0 … i0+15 with the keys; c[j] is laid out as mma's result.
  DEVICE void logits(float (&c)[NT][4], const T *q, int i0, int w, i64 stride, int d) {
    int g = lane() >> 2, t = lane() & 3;
    UNROLL for (int j = 0; j < NT; j++) UNROLL for (int e = 0; e < 4; e++) c[j][e] = 0.f;
    UNROLL for (int s = 0; s < STEPS; s++) {
      u32x4 a0 = {0, 0, 0, 0}, a1 = {0, 0, 0, 0};
      bool in = 32 * s + 8 * t < d;
      if (in && i0 + g >= 0 && i0 + g < w) a0 = *(const u32x4 *)(q + (i0 + g) * stride + 32 * s + 8 * t);
      if (in && i0 + g + 8 >= 0 && i0 + g + 8 < w) a1 = *(const u32x4 *)(q + (i0 + g + 8) * stride + 32 * s + 8 * t);
      UNROLL for (int j = 0; j < NT; j++) {
        mma<T>(c[j], a0.x, a1.x, a0.y, a1.y, b[j][s].x, b[j][s].y);
        mma<T>(c[j], a0.z, a1.z, a0.w, a1.w, b[j][s].z, b[j][s].w);
      }
    }
  }
};

DEVICE bool sees(int position, int key, int window) { return key <= position && (window <= 0 || key > position - window); }
