// gather copies the chosen rows of keys and values into caches of their own. A
// segment is one cache head; an item is up to 128 of its rows. unit is the widest
// access that rows allow (16, 4 or 2 bytes), units how many a row has; 2·units is
// 2^shift, or shift is negative.
#include "device.h"

struct Segment {
  u64 k, v;       // source: the KV head's first row
  u64 toK, toV;   // destination: the cache head's first row
  u64 positions;  // int: the chosen rows; 0: all, in order
  u64 toPositions;
};
struct Item {
  int segment, row, rows, zero;
};

const int batch = 8; // in flight, a thread

template <typename U> DEVICE void gather(const Segment *segments, const Item *items, int units, int shift) {
  next();
  wait();
  Item item = items[block_x()];
  Segment s = segments[item.segment];
  const int *positions = s.positions ? (const int *)s.positions + item.row : 0;
  int *toPositions = (int *)s.toPositions + item.row;
  int total = item.rows * 2 * units;
  for (int at0 = thread(); at0 < total; at0 += threads() * batch) {
    U x[batch];
    i64 to[batch];
    UNROLL for (int u = 0; u < batch; u++) {
      int at = at0 + u * threads();
      if (at >= total) continue;
      int r = shift >= 0 ? at >> shift : at / (2 * units), c = at - r * 2 * units;
      i64 from = positions ? positions[r] : item.row + r;
      to[u] = (i64)(item.row + r) * units + (c < units ? c : c - units);
      x[u] = c < units ? ((const U *)s.k)[from * units + c] : ((const U *)s.v)[from * units + c - units];
      if (c >= units) to[u] = ~to[u];
      if (positions && c == 0) toPositions[r] = (int)from;
    }
    UNROLL for (int u = 0; u < batch; u++) {
      if (at0 + u * threads() >= total) continue;
      if (to[u] >= 0) ((U *)s.toK)[to[u]] = x[u];
      else ((U *)s.toV)[~to[u]] = x[u];
    }
  }
}

KERNEL __launch_bounds__(256) gather_16(const Segment *segments, const Item *items, int units, int shift) { gather<u32x4>(segments, items, units, shift); }
KERNEL __launch_bounds__(256) gather_4(const Segment *segments, const Item *items, int units, int shift) { gather<u32>(segments, items, units, shift); }
KERNEL __launch_bounds__(256) gather_2(const Segment *segments, const Item *items, int units, int shift) { gather<u16>(segments, items, units, shift); }
