// formats.h: cache formats as package cacheformat defines them, number by number: encode makes
// a vector's codes with one thread, decode reads one number of them. Every operation is rounded
// once: products are statements of their own, which are not fused with sums.
#pragma once
#include "device.h"

// The formats, numbered as in quantize.go.
const int formatF16 = 1, formatFP8 = 2, formatFP8Token = 3, formatInt8Token = 4, formatQ8 = 5, formatQ4 = 6, formatNV4 = 7, formatMX4 = 8, formatInt4Token = 9, formatTQ4 = 10;

// What is done to a vector before it is encoded: nothing (0); its blocks of `turn` numbers are
// multiplied by the orthonormal Hadamard matrix; or (below 0) their signs are flipped by int4Sign, and
// they are multiplied by the unnormalised one.
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
const int mostNumbers = 256; // of a head

struct Spec { // how keys and values are encoded
  int keyFormat, valueFormat, keyBytes, valueBytes, keyTurn, valueTurn;
};

DEVICE float bits_float(u32 b) { return __builtin_bit_cast(float, b); }
DEVICE u32 float_bits(float x) { return __builtin_bit_cast(u32, x); }
DEVICE float magnitude(float x) { return bits_float(float_bits(x) & 0x7fffffffu); }
DEVICE float least(float a, float b) { return __builtin_fminf(a, b); }
DEVICE bool finite(float x) { return (float_bits(x) & 0x7f800000u) != 0x7f800000u; }

DEVICE u16 to_half(float x) { f16 h; from_float(h, x); return h.bits; }
DEVICE bool half_finite(u16 h) { return (h & 0x7c00) != 0x7c00; }
DEVICE u16 get16(const u8 *p) { return (u16)(p[0] | p[1] << 8); }
DEVICE void put16(u8 *p, u16 v) { p[0] = (u8)v, p[1] = (u8)(v >> 8); }
DEVICE float get32(const u8 *p) { return bits_float((u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24); }
DEVICE void put32(u8 *p, float x) { u32 v = float_bits(x); p[0] = (u8)v, p[1] = (u8)(v >> 8), p[2] = (u8)(v >> 16), p[3] = (u8)(v >> 24); }

DEVICE u8 to_e4m3(float x) {
  u32 b = float_bits(x);
  u8 sign = (u8)(b >> 24 & 0x80);
  float a = least(magnitude(x), 448.f);
  if (a < 0.015625f) return sign | (u8)__builtin_rintf(a * 512.f);
  b = float_bits(a);
  b += 0x7ffff + (b >> 20 & 1);
  return sign | (u8)((b >> 20) - (120 << 3));
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
DEVICE int least16(int d, int b) { return min(d, b * 16 + 16); } // behind block b
DEVICE u8 to_e2m1(float x) {
  float a = magnitude(x);
  u8 c = a <= 0.25f ? 0 : a < 0.75f ? 1 : a <= 1.25f ? 2 : a < 1.75f ? 3 : a <= 2.5f ? 4 : a < 3.5f ? 5 : a <= 5.f ? 6 : 7;
  return (u8)(float_bits(x) >> 28 & 8) | c;
}
DEVICE float from_e2m1(int c) {
  float a = (c & 7) < 2 ? (float)(c & 7) * 0.5f : bits_float(((u32)(c & 7) / 2 + 126) << 23 | (u32)(c & 1) << 22);
  return c & 8 ? -a : a;
}
DEVICE float power(int e) { return bits_float(e == 0 ? 0x00400000u : (u32)e << 23); } // 2^(e-127)

// Returns false for what cannot be stored. scale is a calibrated one, 1 where there is none.
template <typename T> DEVICE bool encode(int format, u8 *to, const T *x, int d, float scale) {
  float most = 0.f;
  for (int i = 0; i < d; i++) {
    float v = to_float(x[i]);
    if (!finite(v)) return false;
    most = max(most, magnitude(v));
  }
  if (format == formatF16) {
    for (int i = 0; i < d; i++) {
      u16 h = to_half(to_float(x[i]));
      if (!half_finite(h)) return false;
      put16(to + 2 * i, h);
    }
    return true;
  }
  if (format == formatFP8) {
    for (int i = 0; i < d; i++) to[i] = to_e4m3(to_float(x[i]) / scale);
    return true;
  }
  if (format == formatFP8Token || format == formatInt8Token) {
    bool whole = format == formatInt8Token;
    float s = max(most / (whole ? 127.f : 448.f), 1e-6f), r = 1.f / s;
    for (int i = 0; i < d; i++) {
      float y = to_float(x[i]) * r;
      if (whole) {
        float z = y >= 0.f ? y + 0.5f : y - 0.5f;
        to[i] = (u8)(int)__builtin_truncf(least(max(z, -128.f), 127.f));
      } else {
        to[i] = to_e4m3(least(max(y, -448.f), 448.f));
      }
    }
    put32(to + d, s);
    return true;
  }
  if (format == formatNV4) {
    int all = (d + 15) / 16 * 16;
    for (int j = 0; j < all / 2; j++) to[j] = 0;
    for (int b = 0; b * 16 < d; b++) {
      float m = 0.f;
      for (int j = b * 16; j < least16(d, b); j++) m = max(m, magnitude(to_float(x[j])));
      float part = m * (1.f / 6.f);
      u8 c = to_e4m3(least(scale * part, 448.f));
      to[all / 2 + b] = c;
      float s = from_e4m3(c) * (1.f / scale), o = s != 0.f ? 1.f / s : 0.f;
      for (int j = b * 16; j < least16(d, b); j++) to[j / 2] |= (u8)(to_e2m1(to_float(x[j]) * o) << (j % 2 * 4));
    }
    return true;
  }
  if (format == formatMX4) {
    for (int b = 0; b * 32 < d; b++, to += 17) {
      float m = 0.f;
      int n = min(32, d - b * 32);
      for (int j = 0; j < n; j++) m = max(m, magnitude(to_float(x[b * 32 + j])));
      int e = max((int)(float_bits(m) >> 23) - 2, 0);
      for (int j = 0; j < 16; j++) to[j] = 0;
      for (int j = 0; j < n; j++) to[j / 2] |= (u8)(to_e2m1(to_float(x[b * 32 + j]) / power(e)) << (j % 2 * 4));
      to[16] = (u8)e;
    }
    return true;
  }
  if (format == formatInt4Token || format == formatTQ4) {
    float low = to_float(x[0]), high = low;
    for (int i = 1; i < d; i++) low = least(low, to_float(x[i])), high = max(high, to_float(x[i]));
    float range = high - low, s;
    for (int j = 0; j < (d + 1) / 2; j++) to[j] = 0;
    if (format == formatTQ4) {
      s = max(range / 15.f, 1e-8f);
      u16 h = to_half(s), m = to_half(low);
      if (!half_finite(h) || !half_finite(m)) return false;
      for (int i = 0; i < d; i++) {
        float y = (to_float(x[i]) - low) / s, z = y + 0.5f;
        to[i / 2] |= (u8)((int)least(max(__builtin_truncf(z), 0.f), 15.f) << (i % 2 * 4));
      }
      put16(to + (d + 1) / 2, h), put16(to + (d + 1) / 2 + 2, m);
      return true;
    }
    if (!finite(range)) return false;
    s = max(range / 15.f, 1e-6f);
    float z = least(max(trunc_half(-low / s), 0.f), 15.f), r = 1.f / s;
    for (int i = 0; i < d; i++) {
      float y = to_float(x[i]) * r, v = y + z;
      to[i / 2] |= (u8)((int)least(max(trunc_half(v), 0.f), 15.f) << (i % 2 * 4));
    }
    put32(to + (d + 1) / 2, bits_float((float_bits(s) & ~15u) | (u32)z));
    return true;
  }
  int size = format == formatQ8 ? 34 : 18;
  for (int b = 0; b * 32 < d; b++, to += size) {
    int n = min(32, d - b * 32);
    float m = to_float(x[b * 32]);
    for (int j = 1; j < n; j++) {
      float v = to_float(x[b * 32 + j]);
      if (magnitude(v) > magnitude(m)) m = v;
    }
    float s = format == formatQ8 ? magnitude(m) / 127.f : m / -8.f, i = inverse(s);
    u16 h = to_half(s);
    if (!half_finite(h)) return false;
    put16(to, h);
    for (int j = 0; j < size - 2; j++) to[2 + j] = 0;
    for (int j = 0; j < 32; j++) {
      float y = j < n ? to_float(x[b * 32 + j]) * i : 0.f;
      if (format == formatQ8) {
        to[2 + j] = (u8)round_away(y);
      } else {
        float z = y + 8.5f;
        int code = min((int)__builtin_truncf(z), 15);
        to[2 + j % 16] |= (u8)(code << (j / 16 * 4));
      }
    }
  }
  return true;
}

// encode after a turn, in memory of the thread's own.
template <typename T> DEVICE bool encode_turned(int format, int turn, u8 *to, const T *x, int d, float scale) {
  if (turn == 0) return encode(format, to, x, d, scale);
  float y[mostNumbers];
  int block = turn < 0 ? -turn : turn;
  for (int i = 0; i < d; i++) {
    y[i] = to_float(x[i]);
    if (!finite(y[i])) return false;
    if (turn < 0 && int4Sign(i % block)) y[i] = -y[i];
  }
  for (int at = 0; at < d; at += block)
    for (int stride = 1; stride < block; stride *= 2)
      for (int i = 0; i < block / 2; i++) {
        int j = at + i / stride * 2 * stride + i % stride;
        float a = y[j], b = y[j + stride];
        y[j] = a + b, y[j + stride] = a - b;
      }
  if (turn > 0) {
    float f = 1.f / sqrt((float)block);
    for (int i = 0; i < d; i++) y[i] *= f;
  }
  return encode(format, to, y, d, scale);
}

// Number e of a vector of d, as it was turned.
DEVICE float decode(int format, const u8 *p, int e, int d, float scale) {
  switch (format) {
  case formatF16: return to_float(f16{get16(p + 2 * e)});
  case formatFP8: return from_e4m3(p[e]) * scale;
  case formatFP8Token: return from_e4m3(p[e]) * get32(p + d);
  case formatInt8Token: return (float)(int)(signed char)p[e] * get32(p + d);
  case formatQ8: p += e / 32 * 34; return (float)(int)(signed char)p[2 + e % 32] * to_float(f16{get16(p)});
  case formatNV4: return from_e2m1(p[e / 2] >> (e % 2 * 4) & 15) * (from_e4m3(p[(d + 15) / 16 * 8 + e / 16]) / scale);
  case formatMX4: p += e / 32 * 17; return from_e2m1(p[e % 32 / 2] >> (e % 2 * 4) & 15) * power(p[16]);
  case formatInt4Token: {
    u32 word = float_bits(get32(p + (d + 1) / 2));
    return (float)((int)(p[e / 2] >> (e % 2 * 4) & 15) - (int)(word & 15)) * bits_float(word & ~15u);
  }
  case formatTQ4: {
    const u8 *behind = p + (d + 1) / 2;
    float y = (float)(p[e / 2] >> (e % 2 * 4) & 15) * to_float(f16{get16(behind)});
    return y + to_float(f16{get16(behind + 2)});
  }
  default: p += e / 32 * 18; return (float)((p[2 + e % 16] >> (e / 16 % 2 * 4) & 15) - 8) * to_float(f16{get16(p)});
  }
}
