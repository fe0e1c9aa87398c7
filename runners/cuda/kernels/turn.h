// turn.h: what formats multiply vectors by before they are encoded, done to queries and undone to
// results: a product of a query with a turned key is that of the turned query with the key.
#pragma once
#include "formats.h"

// A vector is multiplied by a Hadamard matrix, in blocks of `turn` numbers by the orthonormal one, and of
// -turn by the other after their signs were flipped by int4Sign; 0: it stays as it is.
DEVICE bool int4Sign(int i) {
  switch (i / 32) {
  case 0: return 0x9a8ca6f2u >> i % 32 & 1;
  case 1: return 0x7f7fca4eu >> i % 32 & 1;
  case 2: return 0x59bbc293u >> i % 32 & 1;
  case 3: return 0x9480abc7u >> i % 32 & 1;
  case 4: return 0xb55b747eu >> i % 32 & 1;
  case 5: return 0x54503bbeu >> i % 32 & 1;
  case 6: return 0xcdf467b7u >> i % 32 & 1;
  default: return 0x05dfbc5fu >> i % 32 & 1;
  }
}

// The block multiplies x (d) in shared memory by what a turn multiplied vectors by, or undoes that (back).
DEVICE void turn(float *x, int d, int turn, bool back) {
  if (turn == 0) return;
  int block = turn < 0 ? -turn : turn;
  float f = turn < 0 ? 1.f / (float)block : 1.f / sqrt((float)block);
  auto flip = [&](bool now) INLINE {
    for (int i = thread(); now && turn < 0 && i < d; i += threads())
      if (int4Sign(i % block)) x[i] = -x[i];
    sync();
  };
  flip(!back);
  for (int stride = 1; stride < block; stride *= 2) {
    for (int i = thread(); i < d / 2; i += threads()) {
      int at = i / (block / 2) * block, k = i % (block / 2), j = at + k / stride * 2 * stride + k % stride;
      float a = x[j], b = x[j + stride];
      x[j] = a + b, x[j + stride] = a - b;
    }
    sync();
  }
  for (int i = thread(); i < d; i += threads()) x[i] *= f;
  sync();
  flip(back);
}

