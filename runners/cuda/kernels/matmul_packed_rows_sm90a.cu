// matmul_packed_rows.h for MXFP4 and E4M3.
#include "matmul_packed_rows.h"
#include "packed.h"

template <typename W> struct PackedTile {
  static const int codes = 16 * 128 * W::bits / 8, bytes = codes + 128;
  static const bool apart = true, sums = false;
  const u8 *w;
  i64 first, rows, cols;
  int self;
  DEVICE PackedTile(const u8 *w, i64 first, i64 rows, i64 cols, int self) : w(w), first(first), rows(rows), cols(cols), self(self) {}
  DEVICE i64 row(int r) const { return min(first + r, rows - 1); } // rows past the end read the last row; their sums are dropped
  DEVICE void copy(u32 to, int turn) const {
    const int pieces = W::bits; // of a row, of 16 bytes
    UNROLL for (int i = 0; i < pieces / 2; i++) {
      int n = self + 32 * i, r = n / pieces, c = n % pieces;
      bool on = 128 * turn + 128 / pieces * c < cols;
      copy16(to + Turn<W>::place(r, c), on ? w + (row(r) * cols + 128 * turn) * W::bits / 8 + 16 * c : w, on);
    }
    const u8 *from = scales_of(W{}, row(self % 16), turn);
    if (self < 16 && from) copy4(to + codes + 4 * self, from);
  }
  // The four bytes of a row's scales, or null where MXFP4 has them at no multiple of four.
  DEVICE const u8 *scales_of(E4M3, i64 row, int turn) const { return (const u8 *)(E4M3::scales(w, rows, cols) + row * ((cols + 127) / 128) + turn); }
  DEVICE const u8 *scales_of(MXFP4, i64 row, int turn) const { return cols % 128 == 0 ? MXFP4::scales(w, rows, cols) + row * (cols / 32) + 4 * turn : nullptr; }
  DEVICE void odd_scales(Turn<E4M3> &, int, int, int) const {}
  DEVICE void odd_scales(Turn<MXFP4> &now, int turn, int g, int t) const {
    if (cols % 128 == 0) return;
    UNROLL for (int h = 0; h < 2; h++)
      now.scale[h] = 128 * turn + 32 * t < cols ? MXFP4::scales(w, rows, cols)[row(8 * h + g) * (cols / 32) + 4 * turn + t] : 127;
  }
  // A lane's 32 numbers of x are pieces 4t … 4t+3, which it reads as 4q+t.
  static DEVICE int place_of_x(int c) { return c % 4 * 4 + c / 4; }
  DEVICE void sum(float (&)[4], u32, int, int) const {}
  template <int NT> DEVICE void multiply(float (&sum)[NT][4], u32 at, int turn, u32 x, u32) {
    int g = self / 4, t = self % 4;
    Turn<W> now;
    now.take(at, g, t);
    odd_scales(now, turn, g, t);
    now.template add<NT>(sum, [&](int j, int q) INLINE { return shared16(x + place_x(8 * j + g, 4 * q + t)); });
  }
};

ROWS(PackedTile<MXFP4>, mxfp4)
ROWS(PackedTile<E4M3>, e4m3)
