// codes.h: how codes become operands of mma (device.h), a format a struct. A key is a column of
// the one operand, a lane's numbers of it are where its format has them together: which column of
// the product a channel is decides channel(), and queries are put in the same order. Of values a lane
// has the same channels of four keys, which out() names.
//
// A word holds two codes, in the low bits of its halves, and becomes two bfloat16 that are exactly
// what the codes stand for; scales are multiplied in float32 with what comes out. A number costs 1.4
// to 2.5 instructions, a level of TurboQuant 4.
#pragma once
#include "formats.h"

DEVICE u32 fma2(u32 x, u32 y, u32 z) { u32 r; asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(x), "r"(y), "r"(z)); return r; }

// What two codes are as numbers. z is -(128 + the code of zero), twice.
DEVICE u32 nibbles(u32 w, u32 z) { return fma2((w & 0x000f000fu) | 0x43004300u, 0x3f803f80u, z); } // 128 + code
DEVICE u32 bytes(u32 w) { return fma2((w & 0x007f007fu) | 0x43004300u, 0x3f803f80u, (w & 0x00800080u) | 0xc300c300u); }
DEVICE u32 floats8(u32 w) { return fma2((w & 0x007f007fu) << 4 | (w & 0x00800080u) << 8, 0x7b807b80u, 0x80008000u); } // · 2^120
DEVICE u32 floats4(u32 w) { return fma2((w & 0x00070007u) << 6 | (w & 0x00080008u) << 12, 0x7e807e80u, 0x80008000u); } // · 2^126

// Words of shared memory at addresses of any parity that the format's layout has.
DEVICE u32 word4(const u8 *p) { return *(const u32 *)p; }
DEVICE u32 word1(const u8 *p) {
  u32 by = (u32)(u64)p & 3;
  const u32 *q = (const u32 *)(p - by);
  return (u32)(((u64)q[1] << 32 | q[0]) >> 8 * by);
}
DEVICE u32 low_halves(u32 a, u32 b) { return (u32)__nvvm_prmt(a, b, 0x5410); }
DEVICE u32 high_halves(u32 a, u32 b) { return (u32)__nvvm_prmt(a, b, 0x7632); }
DEVICE u32 word2(const u8 *p) { return low_halves(*(const u16 *)p, *(const u16 *)(p + 2)); }

// Codes of three bits, one after the other, become codes of four: of four in either half of a word.
DEVICE u32 widened(u32 w) {
  w = (w & 0x003f003fu) | (w & 0x0fc00fc0u) << 2;
  return (w & 0x07070707u) | (w & 0x38383838u) << 1;
}

// What a struct has: `block` numbers that share a scale (0: all of them), pad bytes between rows in
// shared memory, so that the lanes' banks differ; whether a minimum is added to products, whether keys are to be
// brought to length 1; and
//   keys(b, row, s, t)        step s of 16 channels of a key, lane t's four
//   channel(s, t, j)          which these are
//   values(a, rows, i, g)     tile i of 16 channels of four keys, lane g's two of each
//   out(i, g, h)              which these are
//   scale(row, i, calibrated) of block i; low(row, i) is its minimum
template <int D> struct Halves {
  static const int block = 0, pad = 32, size = 2 * D;
  static const bool minimum = false, unit = false;
  DEVICE Halves(const float *) {}
  DEVICE static int channel(int s, int t, int j) { return 16 * s + 4 * t + j; }
  DEVICE static int out(int i, int g, int h) { return 16 * i + 2 * g + h; }
  DEVICE static void keys(u32 (&b)[2], const u8 *row, int s, int t) {
    u32x2 w = *(const u32x2 *)(row + 32 * s + 8 * t);
    b[0] = w.x, b[1] = w.y;
  }
  DEVICE static void values(u32 (&a)[4], const u8 *const (&rows)[4], int i, int g) {
    u32 w[4];
    UNROLL for (int k = 0; k < 4; k++) w[k] = word4(rows[k] + 32 * i + 4 * g);
    a[0] = low_halves(w[0], w[1]), a[1] = high_halves(w[0], w[1]), a[2] = low_halves(w[2], w[3]), a[3] = high_halves(w[2], w[3]);
  }
  DEVICE static float scale(const u8 *, int, float) { return 1.f; }
  DEVICE static float low(const u8 *, int) { return 0.f; }
};

// A byte a number. Word i of four is at place(i).
template <int D, typename Format> struct Bytes {
  static const bool minimum = false, unit = false;
  DEVICE Bytes(const float *) {}
  DEVICE static int word_of(int s, int t) { return Format::block == 32 || Format::pad ? 4 * s + t : t * (D / 16) + s; }
  DEVICE static int channel(int s, int t, int j) { return 4 * word_of(s, t) + j % 2 * 2 + j / 2; }
  DEVICE static int out(int i, int g, int h) { return i / 2 * 32 + 4 * g + i % 2 * 2 + h; }
  DEVICE static void keys(u32 (&b)[2], const u8 *row, int s, int t) {
    u32 w = Format::word(row, word_of(s, t));
    b[0] = Format::number(w), b[1] = Format::number(w >> 8);
  }
  DEVICE static void values(u32 (&a)[4], const u8 *const (&rows)[4], int i, int g) {
    u32 w[4];
    UNROLL for (int k = 0; k < 4; k++) w[k] = Format::word(rows[k], i / 2 * 8 + g);
    UNROLL for (int k = 0; k < 2; k++) {
      u32 v = i % 2 ? high_halves(w[2 * k], w[2 * k + 1]) : low_halves(w[2 * k], w[2 * k + 1]);
      a[2 * k] = Format::number(v), a[2 * k + 1] = Format::number(v >> 8);
    }
  }
  DEVICE static float low(const u8 *, int) { return 0.f; }
};
template <int D> struct FP8 : Bytes<D, FP8<D>> {
  using Bytes<D, FP8<D>>::Bytes;
  static const int block = 0, pad = 16, size = D;
  DEVICE static u32 word(const u8 *row, int i) { return word4(row + 4 * i); }
  DEVICE static u32 number(u32 w) { return floats8(w); }
  DEVICE static float scale(const u8 *, int, float calibrated) { return calibrated; }
};
template <int D> struct FP8Token : Bytes<D, FP8Token<D>> {
  using Bytes<D, FP8Token<D>>::Bytes;
  static const int block = 0, pad = 0, size = D + 4;
  DEVICE static u32 word(const u8 *row, int i) { return word4(row + 4 * i); }
  DEVICE static u32 number(u32 w) { return floats8(w); }
  DEVICE static float scale(const u8 *row, int, float) { return *(const float *)(row + D); }
};
template <int D> struct Int8Token : Bytes<D, Int8Token<D>> {
  using Bytes<D, Int8Token<D>>::Bytes;
  static const int block = 0, pad = 0, size = D + 4;
  DEVICE static u32 word(const u8 *row, int i) { return word4(row + 4 * i); }
  DEVICE static u32 number(u32 w) { return bytes(w); }
  DEVICE static float scale(const u8 *row, int, float) { return *(const float *)(row + D); }
};
template <int D> struct Q8 : Bytes<D, Q8<D>> {
  using Bytes<D, Q8<D>>::Bytes;
  static const int block = 32, pad = 0, size = D / 32 * 34;
  DEVICE static u32 word(const u8 *row, int i) { return word2(row + i / 8 * 34 + 2 + i % 8 * 4); }
  DEVICE static u32 number(u32 w) { return bytes(w); }
  DEVICE static float scale(const u8 *row, int i, float) { return to_float(*(const f16 *)(row + 34 * i)); }
};

// Half a byte a number. Block i of 32 has its 16 bytes of codes at Format::codes(row, i).
template <int D, typename Format> struct Nibbles { // the earlier of two numbers low
  static const bool minimum = false, unit = false;
  DEVICE Nibbles(const float *) {}
  DEVICE static int channel(int s, int t, int j) { return s / 2 * 32 + 8 * t + s % 2 * 2 + j % 2 * 4 + j / 2; }
  DEVICE static int out(int i, int g, int h) { return i / 2 * 32 + 4 * g + i % 2 * 2 + h; }
  DEVICE static void keys(u32 (&b)[2], const u8 *row, int s, int t) {
    u32 w = Format::word(Format::codes(row, s / 2) + 4 * t) >> s % 2 * 8, z = Format::zero(row);
    b[0] = Format::number(w, z), b[1] = Format::number(w >> 4, z);
  }
  DEVICE static void values(u32 (&a)[4], const u8 *const (&rows)[4], int i, int g) {
    u32 w[4], z[4];
    UNROLL for (int k = 0; k < 4; k++) w[k] = Format::four(rows[k], i / 2, g), z[k] = Format::zero(rows[k]);
    UNROLL for (int k = 0; k < 2; k++) {
      u32 v = low_halves(w[2 * k], w[2 * k + 1]) >> i % 2 * 8, both = low_halves(z[2 * k], z[2 * k + 1]);
      a[2 * k] = Format::number(v, both), a[2 * k + 1] = Format::number(v >> 4, both);
    }
  }
  DEVICE static u32 word(const u8 *p) { return word4(p); }
  DEVICE static u32 four(const u8 *row, int i, int g) { return *(const u16 *)(Format::codes(row, i) + 2 * g); } // codes of block i from 4g on
  DEVICE static u32 zero(const u8 *) { return 0xc300c300u; }
  DEVICE static u32 number(u32 w, u32 z) { return nibbles(w, z); }
  DEVICE static float low(const u8 *, int) { return 0.f; }
};
template <int D> struct Q4 : Nibbles<D, Q4<D>> { // halves of a block, not pairs, share a byte
  using Nibbles<D, Q4<D>>::Nibbles;
  static const int block = 32, pad = 0, size = D / 32 * 18;
  DEVICE static int channel(int s, int t, int j) { return s / 2 * 32 + 4 * t + s % 2 * 16 + j % 2 * 2 + j / 2; }
  DEVICE static int out(int i, int g, int h) { return i / 2 * 32 + 2 * g + i % 2 + 16 * h; }
  DEVICE static void keys(u32 (&b)[2], const u8 *row, int s, int t) {
    u32 w = word2(row + s / 2 * 18 + 2 + 4 * t) >> s % 2 * 4;
    b[0] = nibbles(w, 0xc308c308u), b[1] = nibbles(w >> 8, 0xc308c308u);
  }
  DEVICE static const u8 *codes(const u8 *row, int i) { return row + 18 * i + 2; }
  DEVICE static u32 zero(const u8 *) { return 0xc308c308u; }
  DEVICE static float scale(const u8 *row, int i, float) { return to_float(*(const f16 *)(row + 18 * i)); }
};
template <int D> struct Int4Token : Nibbles<D, Int4Token<D>> {
  using Nibbles<D, Int4Token<D>>::Nibbles;
  static const int block = 0, pad = 0, size = D / 2 + 4;
  DEVICE static const u8 *codes(const u8 *row, int i) { return row + 16 * i; }
  DEVICE static u32 zero(const u8 *row) { return 0xc300c300u + (*(const u32 *)(row + D / 2) & 15) * 0x00010001u; }
  DEVICE static float scale(const u8 *row, int, float) { return bits_float(*(const u32 *)(row + D / 2) & ~15u); }
};
template <int D> struct MX4 : Nibbles<D, MX4<D>> {
  using Nibbles<D, MX4<D>>::Nibbles;
  static const int block = 32, pad = 0, size = D / 32 * 17;
  DEVICE static const u8 *codes(const u8 *row, int i) { return row + 17 * i; }
  DEVICE static u32 word(const u8 *p) { return word1(p); }
  DEVICE static u32 four(const u8 *row, int i, int g) {
    const u8 *p = row + 17 * i + 2 * g;
    return (u32)p[0] | (u32)p[1] << 8;
  }
  DEVICE static u32 number(u32 w, u32) { return floats4(w); }
  DEVICE static float scale(const u8 *row, int i, float) { return power(row[17 * i + 16]); }
};
template <int D> struct TQ4 : Nibbles<D, TQ4<D>> {
  static const int block = 0, pad = 0, size = D / 2 + 4;
  static const bool minimum = true;
  DEVICE static const u8 *codes(const u8 *row, int i) { return row + 16 * i; }
  DEVICE static float scale(const u8 *row, int, float) { return to_float(*(const f16 *)(row + D / 2)); }
  DEVICE static float low(const u8 *row, int) { return to_float(*(const f16 *)(row + D / 2 + 2)); }
};
template <int D> struct TQ3 : Nibbles<D, TQ3<D>> {
  static const int block = 0, pad = 0, size = D / 8 * 3 + 4;
  static const bool minimum = true;
  DEVICE static u32 four(const u8 *row, int i, int g) {
    const u8 *p = row + 12 * i + 3 * g / 2;
    return widened(((u32)p[0] | (u32)p[1] << 8) >> g % 2 * 4 & 0xfff);
  }
  DEVICE static float scale(const u8 *row, int, float) { return to_float(*(const f16 *)(row + D / 8 * 3)); }
  DEVICE static float low(const u8 *row, int) { return to_float(*(const f16 *)(row + D / 8 * 3 + 2)); }
};
// TurboQuant's keys in b bits: levels as float16, whose two bytes are looked up among eight by prmt. They
// are yet to be brought to length 1 (unit), the scale is the key's length.
template <int D, int b> struct TQKey {
  static const int block = 0, pad = 0, size = D * b / 8 + 2;
  static const bool unit = true;
  u32 lows[2], highs[2]; // bytes of the levels above zero
  DEVICE TQKey(const float *levels) {
    UNROLL for (int k = 0; k < 2; k++) {
      lows[k] = highs[k] = 0;
      UNROLL for (int i = 0; i < 4; i++) {
        u32 h = b == 4 || k == 0 ? to_half(levels[4 * k + i]) : 0;
        lows[k] |= (h & 255) << 8 * i, highs[k] |= (h >> 8) << 8 * i;
      }
    }
  }
  DEVICE static int channel(int s, int t, int j) { return s / 2 * 32 + 8 * t + s % 2 * 4 + j; }
  DEVICE void keys(u32 (&to)[2], const u8 *row, int s, int t) const {
    u32 w, below; // eight codes; the highest bit of those below zero
    if (b == 4) {
      w = word2(row + s / 2 * 16 + 4 * t), below = ~w & 0x88888888u;
      w = (w ^ (below - (below >> 3))) & 0x77777777u;
    } else {
      w = word1(row + s / 2 * 12 + 3 * t);
      w = widened((w & 0xfff) | (w & 0xfff000) << 4), below = ~w & 0x44444444u;
      w = (w ^ (below - (below >> 2))) & 0x33333333u, below <<= 1;
    }
    int first = s % 2 * 16;
    u32 low = (u32)__nvvm_prmt(lows[0], lows[1], w >> first), high = (u32)__nvvm_prmt(highs[0], highs[1], w >> first);
    below >>= first;
    to[0] = (u32)__nvvm_prmt(low, high, 0x5140) | (below << 12 & 0x8000u) | (below << 24 & 0x80000000u);
    to[1] = (u32)__nvvm_prmt(low, high, 0x7362) | (below << 4 & 0x8000u) | (below << 16 & 0x80000000u);
  }
  DEVICE static float scale(const u8 *row, int, float) { return to_float(*(const f16 *)(row + D * b / 8)); }
};
template <int D> struct TQKey4 : TQKey<D, 4> { using TQKey<D, 4>::TQKey; };
template <int D> struct TQKey3 : TQKey<D, 3> { using TQKey<D, 3>::TQKey; };
template <int D> struct NV4 { // blocks of 16, their scales behind all codes
  static const int block = 16, pad = 0, size = D / 16 * 9;
  static const bool minimum = false, unit = false;
  DEVICE NV4(const float *) {}
  DEVICE static int channel(int s, int t, int j) { return 16 * s + 4 * t + j % 2 * 2 + j / 2; }
  DEVICE static int out(int i, int g, int h) { return 16 * i + 2 * g + h; }
  DEVICE static void keys(u32 (&b)[2], const u8 *row, int s, int t) {
    u32 w = *(const u16 *)(row + 8 * s + 2 * t);
    w |= w << 8;
    b[0] = floats4(w), b[1] = floats4(w >> 4);
  }
  DEVICE static void values(u32 (&a)[4], const u8 *const (&rows)[4], int i, int g) {
    UNROLL for (int k = 0; k < 2; k++) {
      u32 w = (u32)rows[2 * k][8 * i + g] | (u32)rows[2 * k + 1][8 * i + g] << 16;
      a[2 * k] = floats4(w), a[2 * k + 1] = floats4(w >> 4);
    }
  }
  DEVICE static float scale(const u8 *row, int i, float calibrated) { return from_e4m3(row[D / 2 + i]) / calibrated; }
  DEVICE static float low(const u8 *, int) { return 0.f; }
};
