// formats.h: cache formats as package cacheformat defines them: what they are called here, their
// numbers, and decode, which reads one number of a vector. encode.h makes codes, codes.h reads many at
// once. Every operation is rounded once: products are statements of their own, which are not
// fused with sums.
#pragma once
#include "device.h"

// The formats of keys or of values, numbered as in packedformat.go.
const int formatF16 = 1, formatFP8 = 2, formatFP8Token = 3, formatInt8Token = 4, formatQ8 = 5, formatQ4 = 6, formatNV4 = 7, formatMX4 = 8, formatInt4Token = 9,
          formatTQ4 = 10, formatTQ3 = 11, formatBF16 = 12, formatTQKey4 = 13, formatTQKey3 = 14, formatKIVI4 = 15, formatKIVI2 = 16, formatChannels4 = 17, formatChannels2 = 18;

const int mostNumbers = 256; // of a head

struct Spec { // how a head's keys and values are encoded
  int keyFormat, valueFormat;
  int keyBytes, valueBytes; // of a vector; of `group` keys where they are encoded by channel
  int keyTurn, valueTurn;   // what is done to a vector before it is encoded, see encode.h
  int residual;             // R: so many of the latest keys and R+1 values lie before the codes, as float16
  int zero;
  float levels[8];          // TurboQuant's, of numbers above zero
};
const int group = 32; // keys that are encoded together by channel

// Of n entries so many are encoded once attention is over.
DEVICE int settled_keys(const Spec &s, int n) { return s.residual ? n / s.residual * s.residual : n; }
DEVICE int settled_values(const Spec &s, int n) { return s.residual ? max(0, n - s.residual) : n; }

DEVICE float bits_float(u32 b) { return __builtin_bit_cast(float, b); }
DEVICE u32 float_bits(float x) { return __builtin_bit_cast(u32, x); }
DEVICE float magnitude(float x) { return bits_float(float_bits(x) & 0x7fffffffu); }
DEVICE float least(float a, float b) { return __builtin_fminf(a, b); }
DEVICE bool finite(float x) { return (float_bits(x) & 0x7f800000u) != 0x7f800000u; }

DEVICE u16 to_half(float x) { f16 h; from_float(h, x); return h.bits; }
DEVICE bool half_finite(u16 h) { return (h & 0x7c00) != 0x7c00; }
DEVICE u16 get16(const u8 *p) { return (u16)(p[0] | p[1] << 8); }
DEVICE float get32(const u8 *p) { return bits_float((u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24); }

DEVICE u8 to_e4m3(float x) {
  u8 sign = (u8)(float_bits(x) >> 24 & 0x80);
  float a = least(magnitude(x), 448.f);
  u32 b = float_bits(a), normal = ((b + 0x7ffff + (b >> 20 & 1)) >> 20) - (120 << 3);
  u32 small = float_bits(a + 16384.f) - 0x46800000u; // the sum is rounded to multiples of 2^-9
  return sign | (u8)(a < 0.015625f ? small : normal);
}
DEVICE float from_e4m3(u8 c) {
  u32 e = c >> 3 & 15, m = c & 7;
  float a = e == 0 ? (float)m * 0.001953125f : bits_float((e + 120) << 23 | m << 20);
  return bits_float(float_bits(a) | (u32)(c & 0x80) << 24);
}

DEVICE float inverse(float s) { // 0 where it overflows
  float i = 1.f / s;
  return s != 0.f && finite(i) ? i : 0.f;
}
DEVICE int round_away(float x) {
  float a = magnitude(x), t = __builtin_truncf(a);
  if (a - t >= 0.5f) t += 1.f;
  return x < 0.f ? -(int)t : (int)t;
}

DEVICE float trunc_half(float x) { return __builtin_truncf(x >= 0.f ? x + 0.5f : x - 0.5f); }
DEVICE u8 to_e2m1(float x) { // as to_e4m3, with half of an odd code's step to the even one
  float a = least(magnitude(x), 6.f);
  u32 b = float_bits(a), normal = ((b + 0x1fffff + (b >> 22 & 1)) >> 22) - (126 << 1);
  u32 small = float_bits(a + 4194304.f) - 0x4a800000u; // the sum is rounded to multiples of 1/2
  return (u8)(float_bits(x) >> 28 & 8) | (u8)(a < 1.f ? small : normal);
}
DEVICE float from_e2m1(int c) {
  float a = (c & 7) < 2 ? (float)(c & 7) * 0.5f : bits_float(((u32)(c & 7) / 2 + 126) << 23 | (u32)(c & 1) << 22);
  return c & 8 ? -a : a;
}
DEVICE float power(int e) { return bits_float(e == 0 ? 0x00400000u : (u32)e << 23); } // 2^(e-127)
DEVICE float half_at(const u8 *p) { return to_float(f16{get16(p)}); }

// TurboQuant's level of a code of b bits, from the least to the greatest.
DEVICE float level(const float *levels, int code, int b) {
  int upper = 1 << (b - 1);
  return code < upper ? -levels[upper - 1 - code] : levels[code - upper];
}

// Code e of a little-endian stream of b bits each. A code that ends with a byte does not touch the next.
DEVICE int stream(const u8 *p, int e, int b) {
  int at = e * b, shift = at % 8;
  u32 w = p[at / 8];
  if (shift + b > 8) w |= (u32)p[at / 8 + 1] << 8;
  return (int)(w >> shift) & ((1 << b) - 1);
}

// Number e of a vector of d, as it was turned; of key `entry` of a group where these are encoded by channel.
// TurboQuant's keys are yet to be brought to their length (tq_length).
DEVICE float decode(int format, const u8 *p, int e, int d, float scale, const float *levels, int entry) {
  switch (format) {
  case formatF16: return half_at(p + 2 * e);
  case formatBF16: return to_float(bf16{get16(p + 2 * e)});
  case formatFP8: return from_e4m3(p[e]) * scale;
  case formatFP8Token: return from_e4m3(p[e]) * get32(p + d);
  case formatInt8Token: return (float)(int)(signed char)p[e] * get32(p + d);
  case formatQ8: p += e / 32 * 34; return (float)(int)(signed char)p[2 + e % 32] * half_at(p);
  case formatQ4: p += e / 32 * 18; return (float)((p[2 + e % 16] >> (e / 16 % 2 * 4) & 15) - 8) * half_at(p);
  case formatNV4: return from_e2m1(stream(p, e, 4)) * (from_e4m3(p[(d + 15) / 16 * 8 + e / 16]) / scale);
  case formatMX4: p += e / 32 * 17; return from_e2m1(stream(p, e % 32, 4)) * power(p[16]);
  case formatInt4Token: {
    u32 word = float_bits(get32(p + (d + 1) / 2));
    return (float)(stream(p, e, 4) - (int)(word & 15)) * bits_float(word & ~15u);
  }
  case formatTQ4:
  case formatTQ3: {
    int b = format == formatTQ4 ? 4 : 3;
    const u8 *behind = p + (d * b + 7) / 8;
    float y = (float)stream(p, e, b) * half_at(behind);
    return y + half_at(behind + 2);
  }
  case formatTQKey4: return level(levels, stream(p, e, 4), 4);
  case formatTQKey3: return level(levels, stream(p, e, 3), 3);
  case formatKIVI4:
  case formatKIVI2: {
    int b = format == formatKIVI4 ? 4 : 2, words = 4 * ((d * b + 31) / 32);
    const u8 *behind = p + words + e / 32 * 2;
    float y = (float)stream(p, e, b) * half_at(behind);
    return y + half_at(behind + (d + 31) / 32 * 2);
  }
  default: { // by channel: words (b, d), entry i at bit i·b of its channel's, scales (d), minima (d)
    int b = format == formatChannels4 ? 4 : 2, at = entry * b;
    float y = (float)(p[4 * (at / 32 * d + e) + at % 32 / 8] >> at % 8 & ((1 << b) - 1)) * half_at(p + 4 * b * d + 2 * e);
    return y + half_at(p + (4 * b + 2) * d + 2 * e);
  }
  }
}

DEVICE bool tq_key(int format) { return format == formatTQKey4 || format == formatTQKey3; }
// What a key of which decode gives y is y's multiple by; squares is the sum of y².
DEVICE float tq_length(int format, const u8 *p, int d, float squares) {
  float one = 1.f / sqrt(squares + 1e-16f);
  return one * half_at(p + (d * (format == formatTQKey4 ? 4 : 3) + 7) / 8);
}
