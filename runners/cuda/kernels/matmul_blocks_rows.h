// matmul_packed_rows.h for one of GGUF's blocks.
#pragma once
#include "matmul_blocks.h"
#include "matmul_packed_rows.h"

template <typename W> struct BlockTile {
  // A turn in shared memory: codes, the bits above, scales, and of Q6_K halves.
  static const int above_at = 16 * W::plane, scales_at = above_at + 16 * W::above;
  static const int scales = W::scales == oneScale || W::scales == sixteens ? 128 : 256, halves_at = scales_at + scales;
  static const int bytes = (halves_at + (W::scales == sixteens ? 32 : 0) + 127) / 128 * 128;
  static const bool apart = false, sums = W::above_one;
  const u8 *tile;
  i64 cols;
  int self;
  // Tiles past the end read the last one; their sums are dropped.
  DEVICE BlockTile(const u8 *w, i64 first, i64 rows, i64 cols, int self) : tile(w + min(first / 16, (rows - 1) / 16) * W::tile(cols)), cols(cols), self(self) {}

  // Where 16 bytes of codes lie: of eight bits halves of odd rows are exchanged, so that lanes that read at once use all banks.
  static DEVICE int place(int n) { return (W::bits == 8 ? n ^ n / 8 % 2 * 4 : n) * 16; }
  DEVICE void copy(u32 to, int turn) const {
    if (turn >= cols / 128) return; // one of fewer than four groups is not copied
    const u8 *plane = tile + (i64)turn * 16 * W::plane, *rest = nullptr;
    UNROLL for (int i = 0; i < W::plane / 32; i++) copy16(to + place(self + 32 * i), plane + 16 * (self + 32 * i), true);
    // Lanes share out the bits above and the scales.
    const int above = W::above, pieces = scales / 16; // pieces of 16 bytes
    const u8 *of = tile + W::scales_at(cols) + (W::scales == superBlock ? turn / 2 : turn) * (i64)scales;
    if (self < above) rest = tile + W::above_at(cols) + (i64)turn * 16 * W::above + 16 * self;
    else if (self - above < pieces) rest = of + 16 * (self - above);
    if (rest) copy16(to + above_at + 16 * self, rest, true);
    if (above + pieces > 32 && self < above + pieces - 32) copy16(to + above_at + 16 * (32 + self), of + 16 * (32 - above + self), true);
    if (W::scales == sixteens && self >= 30) copy16(to + halves_at + 16 * (self - 30), tile + W::halves_at(cols) + turn / 2 * 32 + 16 * (self - 30), true);
  }
  static DEVICE int place_of_x(int c) { return c; }

  // A lane's eight numbers of group q of a row of x.
  DEVICE u32x4 numbers(u32 x, int row, int q) const {
    int t = self % 4;
    if (W::bits != 6) return shared16(x + place_x(row, 4 * q + t));
    u32x2 a = shared8(x + place_x(row, 4 * q + t / 2) + t % 2 * 8), b = shared8(x + place_x(row, 4 * q + 2 + t / 2) + t % 2 * 8);
    return u32x4{a.x, a.y, b.x, b.y};
  }
  DEVICE void sum(float (&v)[4], u32 x, int j, int q) const { sum_group(v, numbers(x, 8 * j + self / 4, q)); }

  DEVICE void take(Turn<W> &now, u32 at, int turn) const {
    int g = self / 4, t = self % 4;
    if (turn >= cols / 128) return now.load(tile, turn, (int)(cols % 128 / 32), g, t, cols);
    UNROLL for (int h = 0; h < 2; h++) {
      int r = 8 * h + g;
      UNROLL for (int i = 0; i < Turn<W>::pieces; i++) now.codes[h][i] = shared16(at + place(r * W::plane / 16 + 4 * i + t));
      if (W::bits == 5) now.above[h].x = shared4(at + above_at + r * 16 + 4 * t);
      if (W::bits == 6) now.above[h] = shared8(at + above_at + r * 32 + 8 * t);
      if (scales == 256) now.scale[h] = shared16(at + scales_at + 16 * r);
      else {
        u32x2 v = shared8(at + scales_at + 8 * r);
        now.scale[h] = u32x4{v.x, v.y, 0, 0};
      }
      if (W::scales == sixteens) now.half[h] = shared4(at + halves_at + r / 2 * 4) >> r % 2 * 16;
    }
  }
  template <int q, int NT> DEVICE void group(float (&sum)[NT][4], const Turn<W> &now, int turn, u32 x, u32 s) {
    int g = self / 4, t = self % 4;
    now.template add<q, NT>(sum, [&](int j) INLINE { return numbers(x, 8 * j + g, q); },
                            [&](int j) INLINE { return __builtin_bit_cast(f32x2, shared8(s + (q * 8 * NT + 8 * j + 2 * t) * 4)); }, turn);
  }
  template <int NT> DEVICE void multiply(float (&sum)[NT][4], u32 at, int turn, u32 x, u32 s) {
    Turn<W> now;
    take(now, at, turn);
    group<0, NT>(sum, now, turn, x, s);
    group<1, NT>(sum, now, turn, x, s);
    group<2, NT>(sum, now, turn, x, s);
    group<3, NT>(sum, now, turn, x, s);
  }
};
