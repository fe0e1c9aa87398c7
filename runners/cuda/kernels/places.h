// places.h: where the kernels that encode caches find entries and put their codes.
#pragma once
#include "encode.h"

struct Source { // a cache head to be: where its rows come from, and its runs of bytes
  u64 k, v, toK, toV;
  u64 positions, toPositions; // int: which rows; 0: all, in order
  int rows, zero;
  float keyScale, valueScale;
  Spec spec;
  DEVICE i64 row(int i) const { return positions ? ((const int *)positions)[i] : i; }
};

// Where entry `row` of n goes, or as float16 into a slot where the residual has it: sets format.
DEVICE u8 *key_place(const Spec &s, u64 run, i64 row, i64 settled, int d, int &format) {
  u8 *to = (u8 *)run;
  format = s.keyFormat;
  if (row >= settled) {
    format = formatF16;
    return to + row % s.residual * 2 * d;
  }
  return to + (i64)s.residual * 2 * d + row * s.keyBytes;
}
DEVICE u8 *value_place(const Spec &s, u64 run, i64 row, i64 settled, int d, int &format) {
  u8 *to = (u8 *)run;
  format = s.valueFormat;
  if (row >= settled) {
    format = formatF16;
    return to + row % (s.residual + 1) * 2 * d;
  }
  return to + (s.residual ? (i64)(s.residual + 1) * 2 * d : 0) + row * s.valueBytes;
}
