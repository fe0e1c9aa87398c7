// packed.h: weights of the bfloat16 device that stay as their file has them (engine.Storage), and
// what their codes stand for.
//
// MXFP4: codes (rows, cols/2) bytes, of each eight numbers a word with number 2i in its nibble
// i and 2i+1 in nibble 4+i, so that a shift brings neighbours to where a pair of bfloat16
// has them; then scales (rows, cols/32) bytes.
// E4M3: codes (rows, cols) bytes, of each four numbers a word of 0, 2, 1, 3; then scales
// (rows, cols/128, rounded up) float.
#pragma once
#include "device.h"

struct MXFP4 {
  static const int numbers = 8; // of a word
  static DEVICE const u8 *scales(const u8 *w, i64 rows, i64 cols) { return w + rows * cols / 2; }
};
struct E4M3 {
  static const int numbers = 4;
  static DEVICE const float *scales(const u8 *w, i64 rows, i64 cols) { return (const float *)(w + rows * cols); }
};

// Two products of bfloat16, rounded; here they are exact: a factor is a power of two.
DEVICE u32 scale2(u32 v, u32 by) {
  u32 r;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(v), "r"(by), "r"(0x80008000u)); // + −0
  return r;
}
// 2^(exponent − 127) as a pair; 0 < exponent < 255.
DEVICE u32 power2(u32 exponent) { return exponent << 7 | exponent << 23; }

// Numbers 2i and 2i+1 of a word of MXFP4 under a scale of 2^(e−127). A code's bits as those of a
// bfloat16, the sign at the top and the others across exponent and fraction, are its value
// times 2^−126, also where they are subnormal.
template <int i> DEVICE u32 pair(u32 w, u32 e) {
  u32 sign = w << (12 - 4 * i), rest = i < 2 ? w << (6 - 4 * i) : w >> (4 * i - 6);
  u32 v = scale2((sign & 0x80008000u) | (rest & 0x01c001c0u), power2((u32)min((int)e, 128) + 126));
  if (e > 128) v = scale2(v, power2(e - 1));
  return v;
}

// The first or the second two numbers of a word of E4M3, without their scale. The same with
// four bits of exponent, by 2^−120.
DEVICE u32 first(u32 w) { return scale2((w << 8 & 0x80008000u) | (w << 4 & 0x07f007f0u), power2(247)); }
DEVICE u32 second(u32 w) { return scale2((w & 0x80008000u) | (w >> 4 & 0x07f007f0u), power2(247)); }
