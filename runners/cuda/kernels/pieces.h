// pieces.h: eight numbers at once of a vector in a format, as formats.h says what they are. attend_packed.cu
// reads caches by it; where a vector's length is no multiple of eight it reads number by number.
#pragma once
#include "formats.h"

// b bits of w from bit `at` on as a number less `zero`. They are the end of a fraction whose exponent makes its last place
// theirs; all but w is known to the compiler.
DEVICE float number(u32 w, int at, int b, int zero) {
  if (at + b > 23) w >>= 16, at -= 16;
  u32 one = (u32)(150 - at) << 23;
  return bits_float((w & ((1u << b) - 1) << at) | one) - (bits_float(one) + (float)zero);
}
// Four bytes at any address; up to seven behind it are read.
DEVICE u32 word_at(const u8 *p) {
  u32 by = (u32)(u64)p & 3;
  const u32 *q = (const u32 *)(p - by);
  return (u32)(((u64)q[1] << 32 | q[0]) >> 8 * by);
}
DEVICE u32 word_of_halves(const u8 *p) { return (u32) * (const u16 *)p | (u32) * (const u16 *)(p + 2) << 16; }
DEVICE float aligned_half(const u8 *p) { return to_float(f16{*(const u16 *)p}); }

// Byte i of w as an 8-bit float, and nibble i as one of four bits: bits of floats of another exponent.
DEVICE float float8(u32 w, int i) { return bits_float((u32)((int)(w << (24 - 8 * i)) >> 4) & 0x87f00000u) * bits_float(247u << 23); }
DEVICE float float4(u32 w, int i) { return bits_float((u32)((int)(w << (28 - 4 * i)) >> 6) & 0x81c00000u) * bits_float(253u << 23); }
DEVICE float whole8(u32 w, int i) { // of w whose bytes have 128 added
  return bits_float((u32)__nvvm_prmt((int)w, 0x4b000000, 0x7440 | i)) - 8388736.f;
}

// What a block has of a head's format.
struct Reading {
  int d;
  float scale, inverse; // calibrated, and 1/scale
  const float *levels;  // TurboQuant's of all codes, from the least, of keys
};

// Eight numbers of a value of KIVI in codes of b bits, which are a W, and behind all of which are scales and minima of groups of 32.
template <int b, typename W> DEVICE void kivi_value(float (&x)[8], const u8 *row, int at, int d) {
  const u8 *behind = row + (d + 32 / b - 1) / (32 / b) * 4 + at / 32 * 2;
  u32 w = *(const W *)(row + at * b / 8);
  float by = aligned_half(behind), least = aligned_half(behind + (d + 31) / 32 * 2);
  UNROLL for (int i = 0; i < 8; i++) x[i] = fma(number(w, b * i, b, 0), by, least);
}

enum Side { keysSide, valuesSide, kiviSide }; // which formats there are

// Numbers at … at+7 of the vectors of a format that is not by channel. A switch in a loop over four
// vectors costs less than kernels of each pair of formats cost to compile.
template <Side side, int N> DEVICE void decode(int format, float (&x)[N][8], const u8 *const (&rows)[N], int at, const Reading &r) {
#define EACH UNROLL for (int k = 0; k < N; k++)
#define EIGHT UNROLL for (int i = 0; i < 8; i++)
  switch (format) {
  case formatF16:
    if constexpr (side != kiviSide) EACH load8(x[k], (const f16 *)rows[k] + at);
    break;
  case formatBF16:
    if constexpr (side != kiviSide) EACH load8(x[k], (const bf16 *)rows[k] + at);
    break;
  case formatFP8:
    if constexpr (side != kiviSide) EACH {
      u32x2 w = *(const u32x2 *)(rows[k] + at);
      EIGHT x[k][i] = float8(w[i / 4], i % 4) * r.scale;
    }
    break;
  case formatFP8Token:
    if constexpr (side != kiviSide) EACH {
      const u32 *p = (const u32 *)(rows[k] + at);
      u32 w[2] = {p[0], p[1]};
      float by = *(const float *)(rows[k] + r.d);
      EIGHT x[k][i] = float8(w[i / 4], i % 4) * by;
    }
    break;
  case formatInt8Token:
    if constexpr (side != kiviSide) EACH {
      const u32 *p = (const u32 *)(rows[k] + at);
      u32 w[2] = {p[0] ^ 0x80808080u, p[1] ^ 0x80808080u};
      float by = *(const float *)(rows[k] + r.d);
      EIGHT x[k][i] = whole8(w[i / 4], i % 4) * by;
    }
    break;
  case formatQ8:
    if constexpr (side != kiviSide) EACH {
      const u8 *p = rows[k] + at / 32 * 34, *q = p + 2 + at % 32;
      u32 w[2] = {word_of_halves(q) ^ 0x80808080u, word_of_halves(q + 4) ^ 0x80808080u};
      float by = aligned_half(p);
      EIGHT x[k][i] = whole8(w[i / 4], i % 4) * by;
    }
    break;
  case formatQ4:
    if constexpr (side != kiviSide) EACH {
      const u8 *p = rows[k] + at / 32 * 18, *q = p + 2 + at % 16;
      int by_half = at / 16 % 2 * 4;
      u32 w[2] = {word_of_halves(q) >> by_half, word_of_halves(q + 4) >> by_half};
      float by = aligned_half(p);
      EIGHT x[k][i] = number(w[i / 4], i % 4 * 8, 4, 8) * by;
    }
    break;
  case formatNV4:
    if constexpr (side != kiviSide) EACH {
      u32 w = word_at(rows[k] + at / 2);
      float by = from_e4m3(rows[k][(r.d + 15) / 16 * 8 + at / 16]) * r.inverse;
      EIGHT x[k][i] = float4(w, i) * by;
    }
    break;
  case formatMX4:
    if constexpr (side != kiviSide) EACH {
      const u8 *p = rows[k] + at / 32 * 17;
      u32 w = word_at(p + at % 32 / 2);
      float by = power(p[16]);
      EIGHT x[k][i] = float4(w, i) * by;
    }
    break;
  case formatInt4Token:
    if constexpr (side != kiviSide) EACH {
      u32 w = *(const u32 *)(rows[k] + at / 2), behind = *(const u32 *)(rows[k] + r.d / 2);
      float zero = (float)(behind & 15), by = bits_float(behind & ~15u);
      EIGHT x[k][i] = (number(w, 4 * i, 4, 0) - zero) * by;
    }
    break;
  case formatTQ4:
    if constexpr (side == valuesSide) EACH {
      u32 w = word_at(rows[k] + at / 2), behind = word_at(rows[k] + r.d / 2);
      float by = low<f16>(behind), least = high<f16>(behind);
      EIGHT x[k][i] = fma(number(w, 4 * i, 4, 0), by, least);
    }
    break;
  case formatTQ3:
    if constexpr (side == valuesSide) EACH {
      u32 w = word_at(rows[k] + at / 8 * 3), behind = word_at(rows[k] + r.d / 8 * 3);
      float by = low<f16>(behind), least = high<f16>(behind);
      EIGHT x[k][i] = fma(number(w, 3 * i, 3, 0), by, least);
    }
    break;
  case formatTQKey4:
    if constexpr (side == keysSide) EACH {
      u32 w = word_at(rows[k] + at / 2);
      EIGHT x[k][i] = r.levels[w >> 4 * i & 15];
    }
    break;
  case formatTQKey3:
    if constexpr (side == keysSide) EACH {
      u32 w = word_at(rows[k] + at / 8 * 3);
      EIGHT x[k][i] = r.levels[w >> 3 * i & 7];
    }
    break;
  case formatKIVI4:
    if constexpr (side == kiviSide) EACH kivi_value<4, u32>(x[k], rows[k], at, r.d);
    break;
  case formatKIVI2:
    if constexpr (side == kiviSide) EACH kivi_value<2, u16>(x[k], rows[k], at, r.d);
    break;
  }
}

// The same of keys entry, entry+1, … of a group that is encoded by channel; entry is a multiple of N.
template <int N> DEVICE void decode_channels(int format, float (&x)[N][8], const u8 *group, int entry, int at, int d) {
  auto words = [&](u32 (&w)[8], const u8 *from) INLINE {
    UNROLL for (int h = 0; h < 2; h++) {
      u32x4 v = ((const u32x4 *)from)[h];
      UNROLL for (int i = 0; i < 4; i++) w[4 * h + i] = v[i];
    }
  };
  int b = format == formatChannels4 ? 4 : 2, bit = entry * b;
  u32 w[8];
  words(w, group + 4 * (bit / 32 * d + at));
  EIGHT w[i] >>= bit % 32;
  if (format == formatChannels4) {
    EACH EIGHT x[k][i] = number(w[i], 4 * k, 4, 0);
  } else {
    EACH EIGHT x[k][i] = number(w[i], 2 * k, 2, 0);
  }
  float by[8], least[8];
  load8(by, (const f16 *)(group + 4 * b * d) + at);
  load8(least, (const f16 *)(group + (4 * b + 2) * d) + at);
  EACH EIGHT x[k][i] = fma(x[k][i], by[i], least[i]);
}
#undef EACH
#undef EIGHT
