// stream.h: weights, packed (packed.h) or bfloat16, on their way to one row of x through shared memory.
//
// A warp has a ring of D places there, for 128 columns of 16 rows each: eight of one weight and eight of another, or of the same.
// It copies them while it multiplies by those that came before, so that what is under way takes no registers, and a kernel can
// begin beside the one before it. Every turn is a group of copies, empty ones at the end.
#pragma once
#include "packed.h"

// Sixteen bytes of a weight on their way, as copy16.
DEVICE void copy_weight(u32 dst, const void *src, bool on) {
  asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16, %2;" ::"r"(dst), "l"(src), "r"(on ? 16 : 0) : "memory");
}

// A number that stays in its register: else the compiler reads the thread's and the block's numbers, which it is made of, again in
// every turn, and waits for them.
DEVICE u32 held(u32 v) { return (u32)from_lane((int)v, lane()); }

// Which rows a lane copies from, and a turn's place. aim(h, …) sets half h of the 16 rows to those from `first` on of a
// weight w (rows, cols). add adds a turn's products: x(q) is a lane's piece q of four, each of eight numbers of x, and lies as
// number 4·q + lane%4 of the turn's 16 pieces, of which piece(c) has columns 8c, 8c+1, …
template <typename W> struct Stream;

struct BF16 {}; // in the order of matmul_few.cu
template <> struct Stream<BF16> {
  static const int bytes = 4096;
  const bf16 *from[2];
  int self;
  DEVICE Stream(i64) : self(held(lane())) {}
  static DEVICE int piece(int c) { return c; }
  DEVICE void aim(int h, const u8 *w, i64, i64 cols, i64 first) { from[h] = (const bf16 *)w + (first + lane() / 4) * cols + 8 * (lane() % 4); }
  DEVICE void copy(u32 place, int turn, int cols) const {
    UNROLL for (int q = 0; q < 4; q++)
      UNROLL for (int h = 0; h < 2; h++) copy_weight(place + 1024 * q + 512 * h + 16 * self, from[h] + 128 * turn + 32 * q, 128 * turn + 32 * q + 8 * (self % 4) < cols);
  }
  template <typename X> DEVICE void add(float (&sum)[4], u32 place, X x) const {
    UNROLL for (int q = 0; q < 4; q++) {
      u32x4 a = shared16(place + 1024 * q + 16 * self), b = shared16(place + 1024 * q + 512 + 16 * self), v = x(q);
      mma<bf16>(sum, a.x, b.x, a.y, b.y, v.x, v.y);
      mma<bf16>(sum, a.z, b.z, a.w, b.w, v.z, v.w);
    }
  }
};

// Eight lanes copy the 128 bytes of a row. Its pieces of 16 bytes lie as they are, or with neighbours exchanged in every other
// row, so that lanes that read together find them in different banks.
template <> struct Stream<E4M3> {
  static const int bytes = 2112; // codes, and a scale of each row
  const u8 *codes[2];
  const float *scale;
  int self, four; // rows, in bytes
  DEVICE Stream(i64 cols) : self(held(lane())), four(4 * (int)cols) {}
  static DEVICE int piece(int c) { return c % 4 * 4 + c / 4; }
  DEVICE void aim(int h, const u8 *w, i64 rows, i64 cols, i64 first) {
    codes[h] = w + (first + lane() / 8) * cols + 16 * (lane() % 8);
    if (lane() / 8 == h) scale = E4M3::scales(w, rows, cols) + (first + lane() % 8) * ((cols + 127) / 128);
  }
  DEVICE void copy(u32 place, int turn, int cols) const {
    bool in = 128 * turn + 16 * (self % 8) < cols;
    u32 to = place + 16 * (self ^ (self / 8 & 1));
    UNROLL for (int h = 0; h < 2; h++)
      UNROLL for (int i = 0; i < 2; i++) copy_weight(to + 1024 * h + 512 * i, codes[h] + 128 * turn + i * four, in);
    if (self < 16) copy4(place + 2048 + 4 * self, scale + turn);
  }
  template <typename X> DEVICE void add(float (&sum)[4], u32 place, X x) const {
    Turn<E4M3> turn;
    int g = self / 4, at = 128 * g + 32 * (self % 4);
    UNROLL for (int h = 0; h < 2; h++) {
      UNROLL for (int i = 0; i < 2; i++) turn.codes[h][i] = shared16(place + 1024 * h + (at + 16 * i ^ (g & 1) * 16));
      turn.scale[h] = __builtin_bit_cast(float, shared4(place + 2048 + 4 * (8 * h + g)));
    }
    const u32x4 v[4] = {x(0), x(1), x(2), x(3)};
    turn.add(sum, v);
  }
};
