// blocks.h: weights in GGUF's blocks that stay so on the bfloat16 device (engine.Storage): where
// their bits lie, and what they stand for.
//
// A weight is tiles of 16 rows, the last one filled up with zeros. A tile has 16 times the bytes
// of a row in the file, as planes one behind the other: the codes' low four bits, or all eight;
// the bits above four, if there are any; the blocks' scales. A plane is turns of 128 columns, in
// these its 16 rows, in these what the row's 128 numbers have. K-quants, whose scales are of 256
// columns, have two turns of codes to one of scales.
//
// A turn is four groups of 32 columns, and of each group lane t of four has eight numbers, which it
// loads at once:
//
//   low four bits   64 bytes a row: 16 of lane 0, of lane 1 …; in these a word for each group
//   eight bits      two halves of 64: 16 of lane 0 …, eight for each of two groups; a code is 128 more than it is
//   the fifth bit   16: a word of each lane, number i of group q at bit 4q + i/2 + 16(i%2)
//   bits 5 and 6    32: two words of each lane, for two groups each, at bit 8(q%2) + 2(i/2) + 16(i%2)
//   scales          8 or 16: a half d for each group, or halves d and m; of Q4_K and Q5_K the 16 bytes in
//                   front of a block as they are; of Q6_K a byte for each 16 numbers, 128 more than it
//                   is, and a plane of a half d for each block behind them
//
// In a word of four bits number 2i is nibble i and 2i+1 nibble 4+i, and in a word of bytes their
// order is 0, 2, 1, 3, so that one shift brings neighbours to where a pair of bfloat16 has them. The
// eight numbers are columns 8t … 8t+7 of the group; of Q6_K, which has a scale for each 16, they
// are 4t … 4t+3 and 16+4t … 16+4t+3.
//
// Rows that are whole groups but no whole turns end with a turn of one to three groups, in which
// a row's pieces are ordered by group, then by lane; the fifth bits are a byte for each of these,
// number i at bit i/2 + 4(i%2).
#pragma once
#include "device.h"

const int oneScale = 0, scaleAndLeast = 1, superBlock = 2, sixteens = 3; // how blocks are scaled

template <int Bits, int Scales> struct Blocks {
  static const int bits = Bits, scales = Scales;
  static const int plane = Bits == 8 ? 128 : 64, above = Bits == 5 ? 16 : Bits == 6 ? 32 : 0; // bytes of a row's turn
  static const bool above_one = Scales == scaleAndLeast || Scales == superBlock; // a code becomes 1 + code/2^Bits, and one x too many is taken off sums
  static const int factor = 1 << Bits;
  static const u32 middle = Bits == 4 ? 0xc308c308u : Bits == 5 ? 0xc310c310u : 0xc320c320u; // a pair of −(128 + 2^Bits/2)
  static DEVICE i64 above_at(i64 cols) { return 16 * (cols * plane / 128); }
  static DEVICE i64 scales_at(i64 cols) { return above_at(cols) + 16 * (cols * above / 128); }
  static DEVICE i64 halves_at(i64 cols) { return scales_at(cols) + cols; } // of Q6_K
  static DEVICE i64 tile(i64 cols) {
    return scales_at(cols) + (Scales == scaleAndLeast ? 2 * cols : Scales == sixteens ? cols + cols / 8 : cols);
  }
};

DEVICE float half_low(u32 w) { return to_float(f16{(u16)w}); }
DEVICE float half_high(u32 w) { return to_float(f16{(u16)(w >> 16)}); }

// Byte i of a word, less so much, times d, a half: exact. Bytes are numbers by way of 2^23 + byte.
template <int i, int less = 0> DEVICE float byte_times(u32 w, float d) {
  u32 r;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(w), "r"(0x4b000000u), "n"(0x7650 + i));
  float v = __builtin_bit_cast(float, r);
  if (less > 0) return (v - (8388608.f + less)) * d;
  return fma(v, d, -8388608.f * d);
}

// The scales and least values, six bits each, of four of the eight groups of a block of Q4_K or Q5_K,
// a byte each: words are those in front of the block.
DEVICE void six_bits(u32 &scales, u32 &least, u32x4 words, int half) {
  u32 a = words.y, b = words.z, c = words.w;
  scales = half ? (c & 0x0f0f0f0fu) | (a >> 2 & 0x30303030u) : a & 0x3f3f3f3fu;
  least = half ? (c >> 4 & 0x0f0f0f0fu) | (b >> 2 & 0x30303030u) : b & 0x3f3f3f3fu;
}

// Eight numbers of row r of a tile from column c on, a multiple of eight, as float32 has them by ggml's
// formulas, each operation rounded: products are statements of their own, which are not fused
// with sums.
template <typename W> DEVICE void decode8(float (&v)[8], const u8 *tile, int r, i64 c, i64 cols) {
  i64 turn = c / 128;
  bool whole = turn < cols / 128;
  int groups = whole ? 4 : (int)(cols % 128 / 32), q = (int)(c % 128 / 32), t = (int)(c % 32 / 8);
  int code[8];
  const u8 *plane = tile + turn * 16 * W::plane;
  if (W::bits == 8) {
    u32x2 w = *(const u32x2 *)(plane + (whole ? r * 128 + q / 2 * 64 + t * 16 + q % 2 * 8 : r * 32 * groups + q * 32 + t * 8));
    UNROLL for (int i = 0; i < 8; i++) code[i] = (int)(w[i / 4] >> 8 * (i % 2 * 2 + i % 4 / 2) & 255) - 128;
  } else if (W::bits == 6) { // whole turns
    const u8 *above = tile + W::above_at(cols) + turn * 16 * 32;
    UNROLL for (int i = 0; i < 8; i++) {
      int from = t % 2 * 2 + i / 4, n = t / 2 * 4 + i % 4; // a lane, and which of its numbers
      u32 low = *(const u32 *)(plane + r * 64 + from * 16 + q * 4), high = *(const u32 *)(above + r * 32 + from * 8 + q / 2 * 4);
      code[i] = (int)((low >> (n / 2 * 4 + n % 2 * 16) & 15) | (high >> (q % 2 * 8 + n / 2 * 2 + n % 2 * 16) & 3) << 4) - 32;
    }
  } else {
    u32 w = *(const u32 *)(plane + (whole ? r * 64 + t * 16 + q * 4 : r * 16 * groups + q * 16 + t * 4)), fifth = 0;
    if (W::bits == 5) {
      const u8 *above = tile + W::above_at(cols) + turn * 16 * 16;
      if (whole) {
        u32 bits = *(const u32 *)(above + r * 16 + t * 4) >> 4 * q;
        fifth = (bits & 15) | (bits >> 12 & 0xf0);
      } else fifth = above[r * 4 * groups + q * 4 + t];
    }
    UNROLL for (int i = 0; i < 8; i++) code[i] = (int)((w >> (i / 2 * 4 + i % 2 * 16) & 15) | (fifth >> (i / 2 + i % 2 * 4) & 1) << 4);
  }
  const u8 *scales = tile + W::scales_at(cols);
  if (W::scales == oneScale) {
    float d = half_low(*(const u16 *)(scales + turn * 16 * 8 + r * 2 * groups + q * 2));
    const int middle = W::bits == 8 ? 0 : W::bits == 5 ? 16 : 8;
    UNROLL for (int i = 0; i < 8; i++) v[i] = d * (float)(code[i] - middle);
  } else if (W::scales == scaleAndLeast) {
    u32 both = *(const u32 *)(scales + turn * 16 * 16 + r * 4 * groups + q * 4);
    float d = half_low(both), m = half_high(both);
    UNROLL for (int i = 0; i < 8; i++) {
      float product = d * (float)code[i];
      v[i] = product + m;
    }
  } else if (W::scales == superBlock) {
    u32x4 words = *(const u32x4 *)(scales + (turn / 2 * 16 + r) * 16);
    u32 of, least;
    six_bits(of, least, words, (int)(turn % 2));
    float d = half_low(words.x) * (float)(of >> 8 * q & 255), m = half_high(words.x) * (float)(least >> 8 * q & 255);
    UNROLL for (int i = 0; i < 8; i++) {
      float product = d * (float)code[i];
      v[i] = product - m;
    }
  } else {
    float of = (float)((int)scales[(turn * 16 + r) * 8 + 2 * q + t / 2] - 128);
    float d = half_low(*(const u16 *)(tile + W::halves_at(cols) + (turn / 2 * 16 + r) * 2)) * of;
    UNROLL for (int i = 0; i < 8; i++) v[i] = d * (float)code[i];
  }
}
