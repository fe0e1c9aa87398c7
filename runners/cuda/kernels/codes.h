// codes.h: how codes become operands of mma (device.h), a format a struct. In both products the cache is the
// operand of 16 rows: a row is a key, its columns are channels, or it is a channel, its columns are keys. Which channels a
// lane has is the format's choice, so that they lie together: channel() names those of keys, and queries are put in the
// same order; out() those of values.
//
// Two codes of a word, under a mask, are two bfloat16 as they are: those below 2^-126 are whole multiples of
// 2^-133 up to 255 of them, and a float of few bits whose exponent is moved to a bfloat16's is itself times a power of two, also
// where it is subnormal. So a pair costs a mask and a part of a shift. What mma sees of a number is (number - zero)
// times 2^-exponent, and times 16 where it was left in the higher four bits of a byte (raised). Queries and powers are multiplied by 2^lift, so
// that sums stay normal; scales, zeros and the rest are float32 and meet what comes out.
#pragma once
#include "formats.h"

const int lift = 80; // of formats with an exponent

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

// Pairs of a word: bytes 0 and 2, or 1 and 3.
DEVICE u32 even_bytes(u32 w) { return (u32)__nvvm_prmt(w ^ 0x80808080u, 0, 0x4240); } // code + 128
DEVICE u32 odd_bytes(u32 w) { return (u32)__nvvm_prmt(w ^ 0x80808080u, 0, 0x4341); }
DEVICE u32 even_floats8(u32 w) { return (w << 4 & 0x07f007f0u) | (w << 8 & 0x80008000u); } // · 2^-120
DEVICE u32 odd_floats8(u32 w) { return (w >> 4 & 0x07f007f0u) | (w & 0x80008000u); }
// Nibbles 0 and 4.
DEVICE u32 floats4(u32 w) { return (w << 6 & 0x01c001c0u) | (w << 12 & 0x80008000u); } // · 2^-126

// Codes of three bits, one after the other, become codes of four: of four in either half of a word.
DEVICE u32 widened(u32 w) {
  w = (w & 0x003f003fu) | (w & 0x0fc00fc0u) << 2;
  return (w & 0x07070707u) | (w & 0x38383838u) << 1;
}

// Four blocks of 8 rows of 16 bytes in shared memory, at p and 16 bytes further on. A lane has word t of row g; turned, the two bytes of
// number g of rows 2t and 2t+1.
DEVICE void pieces(u32 (&w)[4], const u8 *p, int pitch) { // rows 0 to 7, 8 to 15, then the same further on
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3]) : "r"(shared_address(p) + lane() % 16 * pitch + lane() / 16 * 16) : "memory");
}
DEVICE void pieces_turned(u32 (&w)[4], const u8 *p, int pitch) { // rows 0 to 7, the same 16 bytes further on, rows 8 to 15
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3])
               : "r"(shared_address(p) + (lane() / 16 * 8 + lane() % 8) * pitch + lane() / 8 % 2 * 16) : "memory");
}

// What a struct has: `block` numbers that share a scale (0: all of them), pad bytes between rows in
// shared memory, so that the lanes' banks differ; exponent and zero, see above; whether a minimum is added to products, whether
// keys are to be brought to length 1; and, of a tile of 16 rows,
//   keys(a, tile, s)          steps s and s+1, each 16 channels of the keys that are rows g and g+8 of a product; s is even
//   channel(s, t, j)          lane t's four of these channels
//   raised(s, half)           whether the first or last two of these are 16 times themselves
//   values(a, tile, i)        tiles i and i+1 of 16 channels of values
//   out(i, g, h)              which these are, in rows g (h is 0) and g+8 of a product
//   raised_out                whether those of rows g+8 are 16 times themselves
//   order(r)                  which of the tile's rows is row r of keys and column r of values
//   scale(row, i, calibrated) of block i; low(row) is its minimum, zero_of(row) its zero where that differs by row (zeros)
struct Format {
  static const int block = 0, pad = 0, exponent = 133, zero = 0;
  static const bool minimum = false, unit = false, zeros = false, raised_out = false;
  DEVICE Format() {}
  DEVICE Format(const float *) {}
  DEVICE static int order(int r) { return r; }
  DEVICE static bool raised(int, int) { return false; }
  DEVICE static float low(const u8 *) { return 0.f; }
  DEVICE static float zero_of(const u8 *) { return 0.f; }
};
DEVICE int lane_g() { return lane() >> 2; }
DEVICE int lane_t() { return lane() & 3; }
DEVICE int column_row(int k) { return 2 * lane_t() + k % 2 + k / 2 * 8; } // a lane's four columns of values

template <int D> struct Halves : Format {
  using Format::Format;
  static const int pad = 16, size = 2 * D, exponent = 0;
  DEVICE static int channel(int s, int t, int j) { return 16 * s + 2 * t + j % 2 + j / 2 * 8; }
  DEVICE static int out(int i, int g, int h) { return 16 * i + g + 8 * h; }
  DEVICE static void keys(u32 (&a)[2][4], const u8 *tile, int s) {
    UNROLL for (int e = 0; e < 2; e++) pieces(a[e], tile + 32 * (s + e), size + pad);
  }
  DEVICE static void values(u32 (&a)[2][4], const u8 *tile, int i) {
    UNROLL for (int e = 0; e < 2; e++) pieces_turned(a[e], tile + 32 * (i + e), size + pad);
  }
  DEVICE static float scale(const u8 *, int, float) { return 1.f; }
};
// Calibrated 8-bit floats: rows of whole pieces.
template <int D> struct FP8 : Format {
  using Format::Format;
  static const int pad = 16, size = D, exponent = 120;
  DEVICE static int channel(int s, int t, int j) { return 16 * s + 4 * t + j % 2 * 2 + j / 2; }
  DEVICE static int out(int i, int g, int h) { return 16 * i + 2 * g + h; }
  DEVICE static void keys(u32 (&a)[2][4], const u8 *tile, int s) {
    u32 w[4];
    pieces(w, tile + 16 * s, size + pad);
    UNROLL for (int e = 0; e < 2; e++)
      UNROLL for (int h = 0; h < 2; h++) a[e][h] = even_floats8(w[2 * e + h]), a[e][2 + h] = odd_floats8(w[2 * e + h]);
  }
  DEVICE static void values(u32 (&a)[2][4], const u8 *tile, int i) {
    u32 w[4];
    pieces_turned(w, tile + 16 * i, size + pad);
    UNROLL for (int e = 0; e < 2; e++)
      UNROLL for (int k = 0; k < 2; k++) a[e][2 * k] = even_floats8(w[2 * k + e]), a[e][2 * k + 1] = odd_floats8(w[2 * k + e]);
  }
  DEVICE static float scale(const u8 *, int, float calibrated) { return calibrated; }
};

// A byte a number. Word i of four is word(row, i).
template <int D, typename F> struct Bytes : Format {
  using Format::Format;
  DEVICE static int word_of(int s, int t) { return F::block ? 4 * s + t : t * (D / 16) + s; }
  DEVICE static int value_of(int i, int g) { return F::block ? i / 2 * 8 + g : g * (D / 32) + i / 2; }
  DEVICE static int order(int r) { return F::block ? r : r / 8 * 8 + r % 2 * 4 + r % 8 / 2; }
  DEVICE static int channel(int s, int t, int j) { return 4 * word_of(s, t) + j % 2 * 2 + j / 2; }
  DEVICE static int out(int i, int g, int h) { return 4 * value_of(i, g) + i % 2 * 2 + h; }
  DEVICE static void keys(u32 (&a)[2][4], const u8 *tile, int s) {
    UNROLL for (int e = 0; e < 2; e++)
      UNROLL for (int h = 0; h < 2; h++) {
        u32 w = F::word(tile + order(lane_g() + 8 * h) * F::size, word_of(s + e, lane_t()));
        a[e][h] = F::even(w), a[e][2 + h] = F::odd(w);
      }
  }
  DEVICE static void values(u32 (&a)[2][4], const u8 *tile, int i) {
    u32 w[4];
    UNROLL for (int k = 0; k < 4; k++) w[k] = F::word(tile + order(column_row(k)) * F::size, value_of(i, lane_g()));
    UNROLL for (int e = 0; e < 2; e++)
      UNROLL for (int k = 0; k < 2; k++) {
        u32 v = e ? high_halves(w[2 * k], w[2 * k + 1]) : low_halves(w[2 * k], w[2 * k + 1]);
        a[e][2 * k] = F::even(v), a[e][2 * k + 1] = F::odd(v);
      }
  }
};
template <int D> struct FP8Token : Bytes<D, FP8Token<D>> {
  using Bytes<D, FP8Token<D>>::Bytes;
  static const int size = D + 4, exponent = 120;
  DEVICE static u32 word(const u8 *row, int i) { return word4(row + 4 * i); }
  DEVICE static u32 even(u32 w) { return even_floats8(w); }
  DEVICE static u32 odd(u32 w) { return odd_floats8(w); }
  DEVICE static float scale(const u8 *row, int, float) { return *(const float *)(row + D); }
};
template <int D> struct Int8Token : Bytes<D, Int8Token<D>> {
  using Bytes<D, Int8Token<D>>::Bytes;
  static const int size = D + 4, zero = -128;
  DEVICE static u32 word(const u8 *row, int i) { return word4(row + 4 * i); }
  DEVICE static u32 even(u32 w) { return even_bytes(w); }
  DEVICE static u32 odd(u32 w) { return odd_bytes(w); }
  DEVICE static float scale(const u8 *row, int, float) { return *(const float *)(row + D); }
};
template <int D> struct Q8 : Bytes<D, Q8<D>> {
  using Bytes<D, Q8<D>>::Bytes;
  static const int block = 32, size = D / 32 * 34, zero = -128;
  DEVICE static u32 word(const u8 *row, int i) { return word2(row + i / 8 * 34 + 2 + i % 8 * 4); }
  DEVICE static u32 even(u32 w) { return even_bytes(w); }
  DEVICE static u32 odd(u32 w) { return odd_bytes(w); }
  DEVICE static float scale(const u8 *row, int i, float) { return to_float(*(const f16 *)(row + 34 * i)); }
};

// Half a byte a number, the earlier of two low. Block i of 32 has its 16 bytes of codes at F::codes(row, i). Pairs are nibbles 0 and 4 of a
// word, or 1 and 5.
template <int D, typename F> struct Nibbles : Format {
  using Format::Format;
  static const bool raised_out = true;
  DEVICE static bool raised(int, int half) { return half; }
  DEVICE static int channel(int s, int t, int j) { return s / 2 * 32 + 8 * t + s % 2 * 2 + j % 2 * 4 + j / 2; }
  DEVICE static int out(int i, int g, int h) { return i / 2 * 32 + 4 * g + i % 2 * 2 + h; }
  DEVICE static void keys(u32 (&a)[2][4], const u8 *tile, int s) {
    UNROLL for (int h = 0; h < 2; h++) {
      u32 w = F::word(F::codes(tile + (lane_g() + 8 * h) * F::size, s / 2) + 4 * lane_t());
      UNROLL for (int e = 0; e < 2; e++, w >>= 8) a[e][h] = F::low_pair(w), a[e][2 + h] = F::high_pair(w);
    }
  }
  DEVICE static void values(u32 (&a)[2][4], const u8 *tile, int i) {
    u32 w[4];
    UNROLL for (int k = 0; k < 4; k++) w[k] = F::four(tile + column_row(k) * F::size, i / 2, lane_g());
    UNROLL for (int k = 0; k < 2; k++) {
      u32 v = low_halves(w[2 * k], w[2 * k + 1]);
      UNROLL for (int e = 0; e < 2; e++, v >>= 8) a[e][2 * k] = F::low_pair(v), a[e][2 * k + 1] = F::high_pair(v);
    }
  }
  DEVICE static u32 word(const u8 *p) { return word4(p); }
  DEVICE static u32 four(const u8 *row, int i, int g) { return *(const u16 *)(F::codes(row, i) + 2 * g); } // codes of block i from 4g on
  DEVICE static u32 low_pair(u32 w) { return w & 0x000f000fu; }
  DEVICE static u32 high_pair(u32 w) { return w & 0x00f000f0u; }
};
template <int D> struct Q4 : Nibbles<D, Q4<D>> { // halves of a block, not pairs, share a byte
  using Nibbles<D, Q4<D>>::Nibbles;
  static const int block = 32, size = D / 32 * 18, zero = -8;
  DEVICE static bool raised(int s, int) { return s % 2; }
  DEVICE static int channel(int s, int t, int j) { return s / 2 * 32 + 4 * t + s % 2 * 16 + j % 2 * 2 + j / 2; }
  DEVICE static int out(int i, int g, int h) { return i / 2 * 32 + 2 * g + i % 2 + 16 * h; }
  DEVICE static void keys(u32 (&a)[2][4], const u8 *tile, int s) {
    UNROLL for (int h = 0; h < 2; h++) {
      const u8 *p = tile + (lane_g() + 8 * h) * size + s / 2 * 18 + 2 + 4 * lane_t();
      u32 w = size % 4 == 0 && s / 2 % 2 ? word4(p) : word2(p), v = w >> 8; // 18·odd + 2 is a multiple of 4
      a[0][h] = w & 0x000f000fu, a[0][2 + h] = v & 0x000f000fu, a[1][h] = w & 0x00f000f0u, a[1][2 + h] = v & 0x00f000f0u;
    }
  }
  DEVICE static const u8 *codes(const u8 *row, int i) { return row + 18 * i + 2; }
  DEVICE static float scale(const u8 *row, int i, float) { return to_float(*(const f16 *)(row + 18 * i)); }
};
template <int D> struct Int4Token : Nibbles<D, Int4Token<D>> {
  using Nibbles<D, Int4Token<D>>::Nibbles;
  static const int size = D / 2 + 4;
  static const bool zeros = true;
  DEVICE static const u8 *codes(const u8 *row, int i) { return row + 16 * i; }
  DEVICE static float zero_of(const u8 *row) { return -(float)(*(const u32 *)(row + D / 2) & 15); }
  DEVICE static float scale(const u8 *row, int, float) { return bits_float(*(const u32 *)(row + D / 2) & ~15u); }
};
template <int D> struct MX4 : Nibbles<D, MX4<D>> {
  using Nibbles<D, MX4<D>>::Nibbles;
  static const int block = 32, size = D / 32 * 17, exponent = 126;
  static const bool raised_out = false;
  DEVICE static bool raised(int, int) { return false; }
  DEVICE static const u8 *codes(const u8 *row, int i) { return row + 17 * i; }
  DEVICE static u32 word(const u8 *p) { return word1(p); }
  DEVICE static u32 four(const u8 *row, int i, int g) {
    const u8 *p = row + 17 * i + 2 * g;
    return (u32)p[0] | (u32)p[1] << 8;
  }
  DEVICE static u32 low_pair(u32 w) { return floats4(w); }
  DEVICE static u32 high_pair(u32 w) { return floats4(w >> 4); }
  DEVICE static float scale(const u8 *row, int i, float) { return power(row[17 * i + 16]); }
};
template <int D> struct TQ4 : Nibbles<D, TQ4<D>> {
  static const int size = D / 2 + 4;
  static const bool minimum = true;
  DEVICE static const u8 *codes(const u8 *row, int i) { return row + 16 * i; }
  DEVICE static float scale(const u8 *row, int, float) { return to_float(*(const f16 *)(row + D / 2)); }
  DEVICE static float low(const u8 *row) { return to_float(*(const f16 *)(row + D / 2 + 2)); }
};
template <int D> struct TQ3 : Nibbles<D, TQ3<D>> {
  static const int size = D / 8 * 3 + 4;
  static const bool minimum = true;
  DEVICE static u32 four(const u8 *row, int i, int g) {
    const u8 *p = row + 12 * i + 3 * g / 2;
    return widened(((u32)p[0] | (u32)p[1] << 8) >> g % 2 * 4 & 0xfff);
  }
  DEVICE static float scale(const u8 *row, int, float) { return to_float(*(const f16 *)(row + D / 8 * 3)); }
  DEVICE static float low(const u8 *row) { return to_float(*(const f16 *)(row + D / 8 * 3 + 2)); }
};
// TurboQuant's keys in b bits: levels as float16, whose two bytes are looked up among eight by prmt. They
// are yet to be brought to length 1 (unit), the scale is the key's length.
template <int D, int b> struct TQKey : Format {
  static const int size = D * b / 8 + 2, exponent = 0;
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
  DEVICE void keys(u32 (&a)[2][4], const u8 *tile, int s) const {
    UNROLL for (int h = 0; h < 2; h++) {
      const u8 *row = tile + (lane_g() + 8 * h) * size;
      u32 w, below; // eight codes; the highest bit of those below zero
      if (b == 4) {
        w = word2(row + s / 2 * 16 + 4 * lane_t()), below = ~w & 0x88888888u;
        w = (w ^ (below - (below >> 3))) & 0x77777777u;
      } else {
        w = word1(row + s / 2 * 12 + 3 * lane_t());
        w = widened((w & 0xfff) | (w & 0xfff000) << 4), below = ~w & 0x44444444u;
        w = (w ^ (below - (below >> 2))) & 0x33333333u, below <<= 1;
      }
      UNROLL for (int e = 0; e < 2; e++, w >>= 16) {
        u32 low = (u32)__nvvm_prmt(lows[0], lows[1], w), high = (u32)__nvvm_prmt(highs[0], highs[1], w);
        u32 signs = (u32)__nvvm_prmt(below, 0, e ? 0x3322 : 0x1100); // two codes' in every byte
        high |= signs << 4 & 0x00800080u, high |= signs & 0x80008000u;
        a[e][h] = (u32)__nvvm_prmt(low, high, 0x5140), a[e][2 + h] = (u32)__nvvm_prmt(low, high, 0x7362);
      }
    }
  }
  DEVICE static float scale(const u8 *row, int, float) { return to_float(*(const f16 *)(row + D * b / 8)); }
};
template <int D> struct TQKey4 : TQKey<D, 4> { using TQKey<D, 4>::TQKey; };
template <int D> struct TQKey3 : TQKey<D, 3> { using TQKey<D, 3>::TQKey; };
template <int D> struct NV4 : Format { // blocks of 16, their scales behind all codes
  using Format::Format;
  static const int block = 16, size = D / 16 * 9, exponent = 126;
  DEVICE static int channel(int s, int t, int j) { return 16 * s + 4 * t + j % 2 * 2 + j / 2; }
  DEVICE static int out(int i, int g, int h) { return 16 * i + 2 * g + h; }
  DEVICE static void keys(u32 (&a)[2][4], const u8 *tile, int s) {
    UNROLL for (int e = 0; e < 2; e++)
      UNROLL for (int h = 0; h < 2; h++) {
        u32 w = *(const u16 *)(tile + (lane_g() + 8 * h) * size + 8 * (s + e) + 2 * lane_t());
        w |= w << 8;
        a[e][h] = floats4(w), a[e][2 + h] = floats4(w >> 4);
      }
  }
  DEVICE static void values(u32 (&a)[2][4], const u8 *tile, int i) {
    UNROLL for (int e = 0; e < 2; e++)
      UNROLL for (int k = 0; k < 2; k++) {
        const u8 *p = tile + column_row(2 * k) * size + 8 * (i + e) + lane_g();
        u32 w = (u32)p[0] | (u32)p[size] << 16;
        a[e][2 * k] = floats4(w), a[e][2 * k + 1] = floats4(w >> 4);
      }
  }
  DEVICE static float scale(const u8 *row, int i, float calibrated) { return from_e4m3(row[D / 2 + i]) / calibrated; }
};
