// quantize_wide: what quantize_rows does where heads are of multiples of eight numbers and arrays are aligned: a kernel for each
// format, so that nothing is asked again for every row. Their keys or values of the residual are left to quantize_rows.
#include "places.h"

const int each = 8; // rows of a warp's lanes, one after the other: in packedcache.go

struct Raw { u32x4 w[2]; }; // eight numbers of 16 bits, or of 32
DEVICE Raw fetch(const u8 *p, int kind) { return {{*(const u32x4 *)p, kind == 0 ? ((const u32x4 *)p)[1] : u32x4{0, 0, 0, 0}}}; }
DEVICE void unpack(float (&x)[8], const Raw &r, int kind) { // 0 float32, 1 bfloat16, 2 float16
  if (kind == 1) unpack8<bf16>(x, r.w[0]);
  else if (kind == 2) unpack8<f16>(x, r.w[0]);
  else {
    UNROLL for (int i = 0; i < 8; i++) x[i] = bits_float(r.w[i / 4][i % 4]);
  }
}

// side: keys, values, or both, of which blocks with an odd y have the values. `lanes` lanes have a row.
template <int format> DEVICE void rows(const Source *sources, int kind, int d, int lanes, int side, int *refused) {
  next();
  wait();
  int head = side == 2 ? (int)block_y() / 2 : (int)block_y();
  bool value = side == 2 ? block_y() % 2 : side;
  const Source &source = sources[head];
  const Spec &s = source.spec;
  int coded = value ? settled_values(s, source.rows) : settled_keys(s, source.rows), per = 32 / lanes, step = per * (threads() / 32);
  int first = (int)block_x() * step * each + warp() * per, end = min(coded, ((int)block_x() + 1) * step * each);
  if (first >= end) return;
  Vector v;
  v.at = 8 * (lane() % lanes), v.d = d, v.lanes = lanes;
  const int *positions = (const int *)source.positions;
  int *toPositions = value || v.at != 0 ? nullptr : (int *)source.toPositions;
  const bool turns = format == formatQ8 || format == formatQ4 || format == formatInt4Token || format == formatTQKey4 || format == formatTQKey3;
  int bytes = value ? s.valueBytes : s.keyBytes, turned = !turns ? 0 : value ? s.valueTurn : s.keyTurn, size = kind == 0 ? 4 : 2;
  float scale = value ? source.valueScale : source.keyScale;
  const u8 *from = (const u8 *)(value ? source.v : source.k) + min(v.at, d - 8) * size;
  u8 *to = (u8 *)(value ? source.toV + (s.residual ? (u64)(s.residual + 1) * 2 * d : 0) : source.toK);
  auto bring = [&](int row, int &at) INLINE {
    at = positions ? positions[row] : row;
    return fetch(from + (i64)at * d * size, kind);
  };
  int mine = lane() / lanes, at, bad = 0;
  Raw raw = bring(min(first + mine, coded - 1), at); // rows past the end are the last one again
  for (; first < end; first += step) {
    int row = min(first + mine, coded - 1), was = at;
    Raw now = raw;
    if (first + step < end) raw = bring(min(first + step + mine, coded - 1), at);
    unpack(v.x, now, kind);
    if (!v.has(0)) {
      UNROLL for (int i = 0; i < 8; i++) v.x[i] = 0.f;
    }
    if (toPositions) toPositions[row] = was;
    if (!encode<true>(format, turned, to + (i64)row * bytes, v, bytes, scale, s.levels)) bad = row + 1;
  }
  if (bad) refused[head] = bad;
}

#define INSTANCE(format, name) \
  KERNEL __launch_bounds__(256, 4) quantize_wide_##name(const Source *sources, int kind, int d, int lanes, int side, int *refused) { \
    rows<format>(sources, kind, d, lanes, side, refused); \
  }
INSTANCE(formatF16, 1)
INSTANCE(formatFP8, 2)
INSTANCE(formatFP8Token, 3)
INSTANCE(formatInt8Token, 4)
INSTANCE(formatQ8, 5)
INSTANCE(formatQ4, 6)
INSTANCE(formatNV4, 7)
INSTANCE(formatMX4, 8)
INSTANCE(formatInt4Token, 9)
INSTANCE(formatTQ4, 10)
INSTANCE(formatTQ3, 11)
INSTANCE(formatBF16, 12)
INSTANCE(formatTQKey4, 13)
INSTANCE(formatTQKey3, 14)
INSTANCE(formatKIVI4, 15)
INSTANCE(formatKIVI2, 16)
