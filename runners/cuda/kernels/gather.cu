// gather copies the chosen rows of keys and values into caches of their own. A
// segment is one cache head; an item is some of its rows. unit is the widest access
// that the rows' alignment allows (16, 4 or 2 bytes); a row has `units` of them.
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

// Streaming stores, so that the sources stay in the caches.
DEVICE void stream(u32x4 *p, u32x4 x) {
  asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(p), "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w) : "memory");
}
DEVICE void stream(u32 *p, u32 x) { asm volatile("st.global.cs.u32 [%0], %1;" ::"l"(p), "r"(x) : "memory"); }
DEVICE void stream(u16 *p, u16 x) { asm volatile("st.global.cs.u16 [%0], %1;" ::"l"(p), "h"(x) : "memory"); }

const int batch = 4; // rows that a warp has in flight

template <typename U> DEVICE void gather(const Segment *segments, const Item *items, int units) {
  next();
  wait();
  Item item = items[block_x()];
  Segment s = segments[item.segment];
  const int *positions = (const int *)s.positions + item.row;
  int *toPositions = (int *)s.toPositions + item.row;
  int warps = threads() / 32;
  for (int c = lane(); c < 2 * units; c += 32) { // a row of keys, then one of values
    const U *from = c < units ? (const U *)s.k + c : (const U *)s.v + c - units;
    U *to = (c < units ? (U *)s.toK + c : (U *)s.toV + c - units) + (i64)item.row * units;
    for (int r0 = warp(); r0 < item.rows; r0 += warps * batch) {
      i64 row[batch];
      U x[batch];
      UNROLL for (int u = 0; u < batch; u++) {
        int r = min(r0 + u * warps, item.rows - 1);
        row[u] = s.positions ? positions[r] : item.row + r;
      }
      UNROLL for (int u = 0; u < batch; u++) x[u] = from[row[u] * units];
      UNROLL for (int u = 0; u < batch; u++) {
        int r = r0 + u * warps;
        if (r >= item.rows) continue;
        stream(to + (i64)r * units, x[u]);
        if (s.positions && c == 0) toPositions[r] = (int)row[u];
      }
    }
  }
}

KERNEL __launch_bounds__(256) gather_16(const Segment *segments, const Item *items, int units) { gather<u32x4>(segments, items, units); }
KERNEL __launch_bounds__(256) gather_4(const Segment *segments, const Item *items, int units) { gather<u32>(segments, items, units); }
KERNEL __launch_bounds__(256) gather_2(const Segment *segments, const Item *items, int units) { gather<u16>(segments, items, units); }
