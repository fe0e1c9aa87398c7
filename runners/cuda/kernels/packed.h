// packed.h: weights of the bfloat16 device that stay as their file has them (engine.Storage), and
// what their codes stand for; and the products of 128 columns.
//
// MXFP4: codes (rows, cols/2) bytes, of each eight numbers a word with the even ones in its low half and the odd ones in its
// high half. A code's sign and the rest of it lie where a shift brings a pair's to where bfloat16 has them; of pairs 0 and 2 the
// same shift brings both, and one mask takes both: of half a word pair 0 has bits 9 (the sign) and 0 to 2, pair 1 14 and 3 to 5,
// pair 2 15 and 6 to 8, pair 3 13 and 10 to 12. Then scales (rows, cols/32) bytes.
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
// Where the scale is at most 2 (not high) one product gives both.
template <int i, bool high> DEVICE u32 pair(u32 w, u32 e) {
  u32 bits = i == 0   ? w << 6 & 0x81c081c0u
             : i == 1 ? (w << 1 & 0x80008000u) | (w << 3 & 0x01c001c0u)
             : i == 2 ? w & 0x81c081c0u
                      : (w << 2 & 0x80008000u) | (w >> 4 & 0x01c001c0u);
  u32 v = scale2(bits, power2((high ? (u32)min((int)e, 128) : e) + 126));
  if (high && e > 128) v = scale2(v, power2(e - 1));
  return v;
}

// The first or the second two numbers of a word of E4M3, without their scale. The same with
// four bits of exponent, by 2^−120.
DEVICE u32 first(u32 w) { return scale2((w << 8 & 0x80008000u) | (w << 4 & 0x07f007f0u), power2(247)); }
DEVICE u32 second(u32 w) { return scale2((w & 0x80008000u) | (w >> 4 & 0x07f007f0u), power2(247)); }

template <int n> struct Number { static const int value = n; };
template <typename W> struct Turn; // what a lane has of 128 columns of 16 rows

template <> struct Turn<MXFP4> {
  u32x4 codes[2];
  u32 scale[2];
  DEVICE void load(const u8 *w, const u8 *scales, const i64 (&row)[2], i64 k, i64 cols) {
    bool in = k < cols;
    UNROLL for (int h = 0; h < 2; h++) {
      codes[h] = in ? stream16(w + (row[h] * cols + k) / 2) : u32x4{0, 0, 0, 0};
      scale[h] = in ? scales[(row[h] * cols + k) / 32] : 127;
    }
  }
  DEVICE bool high() const { return __nvvm_vote_any_sync(~0u, scale[0] > 128 || scale[1] > 128); } // of any lane
  // By a word of each half, and the eight numbers of x that it meets.
  template <bool high> DEVICE void multiply(float (&sum)[4], u32 a, u32 b, u32x4 x) const {
    mma<bf16>(sum, pair<0, high>(a, scale[0]), pair<0, high>(b, scale[1]), pair<1, high>(a, scale[0]), pair<1, high>(b, scale[1]), x.x, x.y);
    mma<bf16>(sum, pair<2, high>(a, scale[0]), pair<2, high>(b, scale[1]), pair<3, high>(a, scale[0]), pair<3, high>(b, scale[1]), x.z, x.w);
  }
  DEVICE void add(float (&sum)[4], const u32x4 (&x)[4]) const {
    if (high()) {
      u32x4 a = codes[0], b = codes[1], v[4] = {x[0], x[1], x[2], x[3]};
      for (int q = 0; q < 4; q++) { // which is rare: in a loop, which takes fewer registers
        multiply<true>(sum, a.x, b.x, v[0]);
        a = a.yzwx, b = b.yzwx;
        UNROLL for (int i = 0; i < 3; i++) v[i] = v[i + 1];
      }
    } else
      UNROLL for (int q = 0; q < 4; q++) multiply<false>(sum, codes[0][q], codes[1][q], x[q]);
  }
};

template <> struct Turn<E4M3> {
  u32x4 codes[2][2];
  float scale[2];
  DEVICE void load(const u8 *w, const float *scales, const i64 (&row)[2], i64 k, i64 cols) {
    bool in = k < cols;
    i64 across = (cols + 127) / 128, at = min(k / 128, across - 1);
    UNROLL for (int h = 0; h < 2; h++) {
      UNROLL for (int i = 0; i < 2; i++) codes[h][i] = in ? stream16(w + row[h] * cols + k + 16 * i) : u32x4{0, 0, 0, 0};
      scale[h] = scales[row[h] * across + at];
    }
  }
  DEVICE void add(float (&sum)[4], const u32x4 (&x)[4]) const {
    float part[4] = {0, 0, 0, 0};
    UNROLL for (int q = 0; q < 4; q++) {
      UNROLL for (int i = 0; i < 2; i++) {
        u32 a = codes[0][q / 2][q % 2 * 2 + i], b = codes[1][q / 2][q % 2 * 2 + i];
        mma<bf16>(part, first(a), first(b), second(a), second(b), x[q][2 * i], x[q][2 * i + 1]);
      }
    }
    UNROLL for (int e = 0; e < 4; e++) sum[e] = fma(scale[e / 2], part[e], sum[e]);
  }
};
