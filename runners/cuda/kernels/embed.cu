// embed: dst[i] = table[ids[i]], embed_scaled: the same times scale. dst (m, width), table (vocab, width), ids (m).
// An id outside the table leaves fault[0] = 1, fault[1] = the id, and zeros.
#include "device.h"

template <typename T, typename As> DEVICE void embed(T *dst, const T *table, const int *ids, i64 width, int vocab, int *fault, As as) {
  next();
  wait();
  i64 row = block_x();
  int id = ids[row];
  bool ok = id >= 0 && id < vocab;
  if (!ok && thread() == 0) { fault[1] = id; fault[0] = 1; }
  T zero;
  from_float(zero, 0.f);
  for (i64 i = thread(); i < width; i += threads()) dst[row * width + i] = ok ? as(table[id * width + i]) : zero;
}

#define INSTANCE(T, name) \
  KERNEL embed_##name(T *dst, const T *table, const int *ids, i64 width, int vocab, int *fault) { \
    embed(dst, table, ids, width, vocab, fault, [](T x) INLINE { return x; }); \
  } \
  KERNEL embed_scaled_##name(T *dst, const T *table, const int *ids, i64 width, int vocab, int *fault, float scale) { \
    embed(dst, table, ids, width, vocab, fault, [=](T x) INLINE { from_float(x, scale * to_float(x)); return x; }); \
  }
INSTANCE(float, f32)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
