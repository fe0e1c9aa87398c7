// quantize: caches in formats. quantize encodes what a gathered cache has; append encodes the
// entry that rotate_append left in its stage. A thread encodes a vector: first of all they are right.
#include "formats.h"

struct Source { // a head of a gathered cache, and its runs of bytes
  u64 k, v, toK, toV;
  int rows;
  float keyScale, valueScale;
  int zero;
};

// refused[head] is the number of a row that could not be stored, from 1.
template <typename T> DEVICE void quantize(const Source *heads, Spec spec, int d, int *refused) {
  next();
  wait();
  Source head = heads[block_y()];
  i64 at = block_x() * threads() + thread(), row = at / 2;
  if (row >= head.rows) return;
  bool key = at % 2 == 0;
  bool stored = key ? encode_turned(spec.keyFormat, spec.keyTurn, (u8 *)head.toK + row * spec.keyBytes, (const T *)head.k + row * d, d, head.keyScale)
                    : encode_turned(spec.valueFormat, spec.valueTurn, (u8 *)head.toV + row * spec.valueBytes, (const T *)head.v + row * d, d, head.valueScale);
  if (!stored) refused[block_y()] = (int)row + 1;
}

struct Stage { // a cache head in a format, and where its next entry is staged
  u64 fromK, fromV, k, v;
  int held, row, head;
  Spec spec;
  float keyScale, valueScale;
  int zero;
};

// refused[row] is layer · 65536 + head + 1.
template <typename T> DEVICE void append(const Stage *stages, int count, const int *steps, int d, int layer, int *refused) {
  next();
  wait();
  i64 at = block_x() * threads() + thread();
  if (at / 2 >= count) return;
  Stage s = stages[at / 2];
  i64 row = s.held + *steps;
  bool stored = at % 2 == 0 ? encode_turned(s.spec.keyFormat, s.spec.keyTurn, (u8 *)s.k + row * s.spec.keyBytes, (const T *)s.fromK, d, s.keyScale)
                            : encode_turned(s.spec.valueFormat, s.spec.valueTurn, (u8 *)s.v + row * s.spec.valueBytes, (const T *)s.fromV, d, s.valueScale);
  if (!stored && refused[s.row] == 0) refused[s.row] = layer * 65536 + s.head + 1;
}

#define INSTANCE(T, name) \
  KERNEL quantize_##name(const Source *heads, int keyFormat, int valueFormat, int keyBytes, int valueBytes, int keyTurn, int valueTurn, int d, int *refused) { \
    quantize<T>(heads, Spec{keyFormat, valueFormat, keyBytes, valueBytes, keyTurn, valueTurn}, d, refused); \
  } \
  KERNEL quantize_append_##name(const Stage *stages, int count, const int *steps, int d, int layer, int *refused) { \
    append<T>(stages, count, steps, d, layer, refused); \
  }
INSTANCE(float, f32)
INSTANCE(bf16, bf16)
INSTANCE(f16, f16)
