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
  static const int numbers = 8, bits = 4; // of a word, of a code
  static DEVICE const u8 *scales(const u8 *w, i64 rows, i64 cols) { return w + rows * cols / 2; }
};
struct E4M3 {
  static const int numbers = 4, bits = 8;
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
// times 2^−126, also where they are subnormal. Scales above 2 are two factors.
template <int i> DEVICE u32 code_pair(u32 w) {
  return i == 0   ? w << 6 & 0x81c081c0u
         : i == 1 ? (w << 1 & 0x80008000u) | (w << 3 & 0x01c001c0u)
         : i == 2 ? w & 0x81c081c0u
                  : (w << 2 & 0x80008000u) | (w >> 4 & 0x01c001c0u);
}
DEVICE bool above_two(u32 e) { return e > 128; }
DEVICE u32 factor_of(u32 e) { return power2((u32)min((int)e, 128) + 126); }
DEVICE u32 more_of(u32 e) { return power2(above_two(e) ? e - 1 : 127); }
// high: e may be above 128. Where it is not, one product gives both.
template <int i, bool high> DEVICE u32 pair(u32 w, u32 e) {
  u32 v = scale2(code_pair<i>(w), high ? factor_of(e) : power2(e + 126));
  if (high && above_two(e)) v = scale2(v, more_of(e));
  return v;
}

// The first or the second two numbers of a word of E4M3, without their scale. The same with
// four bits of exponent, by 2^−120.
DEVICE u32 first(u32 w) { return scale2((w << 8 & 0x80008000u) | (w << 4 & 0x07f007f0u), power2(247)); }
DEVICE u32 second(u32 w) { return scale2((w & 0x80008000u) | (w >> 4 & 0x07f007f0u), power2(247)); }

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
  // A turn in shared memory: codes, 64 bytes a row, and behind them four scales of each.
  static DEVICE int place(int row, int piece) { return row * 64 + piece * 16; }
  DEVICE void take(u32 at, int g, int t) {
    UNROLL for (int h = 0; h < 2; h++) {
      codes[h] = shared16(at + place(8 * h + g, t));
      scale[h] = shared4(at + 1024 + (8 * h + g) * 4) >> 8 * t & 255;
    }
  }
  // Adds the products with NT times eight rows of x; x(j, q) are the lane's numbers 8q … 8q+7 of a row.
  template <int NT, typename X> DEVICE void add(float (&sum)[NT][4], X x) const {
    if (__nvvm_vote_ballot_sync(~0u, above_two(scale[0]) || above_two(scale[1]))) add<NT, true>(sum, x); // rare
    else add<NT, false>(sum, x);
  }
  template <int NT, bool more, typename X> DEVICE void add(float (&sum)[NT][4], X x) const {
    const u32 by[2] = {factor_of(scale[0]), factor_of(scale[1])}, again[2] = {more_of(scale[0]), more_of(scale[1])};
    UNROLL for (int q = 0; q < 4; q++) {
      u32 a[8];
      UNROLL for (int h = 0; h < 2; h++) {
        u32 w = codes[h][q];
        if (more) asm volatile("" : "+r"(w)); // keeps the compiler from sharing both ways' pairs, which would take registers
        a[h] = code_pair<0>(w), a[2 + h] = code_pair<1>(w), a[4 + h] = code_pair<2>(w), a[6 + h] = code_pair<3>(w);
        UNROLL for (int i = 0; i < 4; i++) {
          a[2 * i + h] = scale2(a[2 * i + h], by[h]);
          if (more) a[2 * i + h] = scale2(a[2 * i + h], again[h]);
        }
      }
      UNROLL for (int j = 0; j < NT; j++) {
        u32x4 v = x(j, q);
        multiply<bf16>(sum[j], a[0], a[1], a[2], a[3], v.x, v.y);
        multiply<bf16>(sum[j], a[4], a[5], a[6], a[7], v.z, v.w);
      }
    }
  }
  DEVICE void add(float (&sum)[4], const u32x4 (&x)[4]) const {
    add<1>((float (&)[1][4])sum, [&](int, int q) INLINE { return x[q]; });
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
  // A turn in shared memory: codes, 128 bytes a row, and behind them the rows' scales. Piece 2t+i of 16 bytes of a row
  // is piece 4i+t, and of odd rows 4(1−i)+t, so that lanes that read at once use all banks.
  static DEVICE int place(int row, int piece) { return row * 128 + ((piece % 2 * 4 + piece / 2) ^ row % 2 * 4) * 16; }
  DEVICE void take(u32 at, int g, int t) {
    UNROLL for (int h = 0; h < 2; h++) {
      UNROLL for (int i = 0; i < 2; i++) codes[h][i] = shared16(at + place(8 * h + g, 2 * t + i));
      scale[h] = __builtin_bit_cast(float, shared4(at + 2048 + (8 * h + g) * 4));
    }
  }
  template <int NT, typename X> DEVICE void add(float (&sum)[NT][4], X x) const {
    float part[NT][4];
    UNROLL for (int j = 0; j < NT; j++)
      UNROLL for (int e = 0; e < 4; e++) part[j][e] = 0.f;
    UNROLL for (int q = 0; q < 4; q++) {
      u32 a[8];
      UNROLL for (int i = 0; i < 2; i++)
        UNROLL for (int h = 0; h < 2; h++) {
          u32 w = codes[h][q / 2][q % 2 * 2 + i];
          a[4 * i + h] = first(w), a[4 * i + 2 + h] = second(w);
        }
      UNROLL for (int j = 0; j < NT; j++) {
        u32x4 v = x(j, q);
        multiply<bf16>(part[j], a[0], a[1], a[2], a[3], v.x, v.y);
        multiply<bf16>(part[j], a[4], a[5], a[6], a[7], v.z, v.w);
      }
    }
    UNROLL for (int j = 0; j < NT; j++)
      UNROLL for (int e = 0; e < 4; e++) sum[j][e] = fma(scale[e / 2], part[j][e], sum[j][e]);
  }
  DEVICE void add(float (&sum)[4], const u32x4 (&x)[4]) const {
    add<1>((float (&)[1][4])sum, [&](int, int q) INLINE { return x[q]; });
  }
};
