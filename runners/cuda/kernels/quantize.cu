// quantize: caches in formats. quantize_rows encodes the rows of a prompt that a cache keeps, straight
// from the layer's keys and values, quantize_append the entry that rotate_append left in its
// stage, quantize_settle what the formats with a residual encode once a step is over.
// quantize_channels and quantize_settle are about keys by channel: 32 of them become codes together.
#include "places.h"

// refused[head] is the number of a row that could not be stored, from 1. latest: only those rows that a residual has. Blocks with an even y have
// keys of head y/2, the others values; `lanes` lanes have a row, all of them where rows differ in their format.
template <typename T> DEVICE void rows(const Source *sources, int d, int lanes, int wide, int latest, int *refused) {
  next();
  wait();
  const Source &source = sources[block_y() / 2];
  const Spec &s = source.spec;
  bool value = block_y() % 2 == 1;
  int settled = value ? settled_values(s, source.rows) : settled_keys(s, source.rows), per = 32 / lanes;
  Vector v;
  v.at = 8 * (lane() % lanes), v.d = d, v.lanes = lanes;
  for (i64 first = (latest ? settled : 0) + (block_x() * (threads() / 32) + warp()) * per; first < source.rows; first += blocks_x() * (threads() / 32) * per) {
    i64 row = min(first + lane() / lanes, (i64)source.rows - 1), from = source.row((int)row); // rows past the end are the last one again
    load(v, (const T *)(value ? source.v : source.k) + from * d, wide);
    if (source.toPositions && !value && v.at == 0) ((int *)source.toPositions)[row] = (int)from;
    if (!value && s.residual && row < settled) continue; // by channel: one row a warp
    int format;
    u8 *to = value ? value_place(s, source.toV, row, settled, d, format) : key_place(s, source.toK, row, settled, d, format);
    bool coded = row < settled;
    if (!encode<false>(format, coded ? value ? s.valueTurn : s.keyTurn : 0, to, v, value ? s.valueBytes : s.keyBytes, value ? source.valueScale : source.keyScale, s.levels))
      refused[block_y() / 2] = (int)row + 1;
  }
}

// The codes of channel c of 32 keys, which read gives: words (b, d), scales (d), minima (d).
template <int b, typename F> DEVICE bool encode_channel(u8 *to, int c, int d, F read) {
  const float top = (float)((1 << b) - 1);
  float x[group], low = INF, high = -INF;
  bool stored = true;
  UNROLL for (int i = 0; i < group; i++) {
    float y = read(i);
    x[i] = rounded(y);
    stored = stored && finite(y) && finite(x[i]);
    low = least(low, x[i]), high = max(high, x[i]);
  }
  float scale = rounded(rounded(high - low) / top), inverse = 1.f / scale;
  UNROLL for (int w = 0; w < b; w++) {
    u32 word = 0;
    UNROLL for (int i = 0; i < 32 / b; i++) word |= kivi_code(x[w * (32 / b) + i], low, scale, inverse, top) << i * b;
    store(to + 4 * (w * d + c), word, 4);
  }
  store(to + 4 * b * d + 2 * c, to_half(scale), 2);
  store(to + 4 * b * d + 2 * d + 2 * c, to_half(low), 2);
  return stored && finite(scale);
}
template <typename F> DEVICE bool encode_channel(int format, u8 *to, int c, int d, F read) {
  return format == formatChannels4 ? encode_channel<4>(to, c, d, read) : encode_channel<2>(to, c, d, read);
}

// A block has a group of keys, a thread a channel of it.
template <typename T> DEVICE void channels(const Source *sources, int d, int *refused) {
  next();
  wait();
  const Source &source = sources[block_y()];
  const Spec &s = source.spec;
  int first = (int)block_x() * group, c = thread();
  if (first >= settled_keys(s, source.rows) || c >= d) return;
  u8 *to = (u8 *)source.toK + (i64)s.residual * 2 * d + block_x() * s.keyBytes;
  if (source.toPositions && c < group) ((int *)source.toPositions)[first + c] = (int)source.row(first + c);
  if (!encode_channel(s.keyFormat, to, c, d, [&](int i) INLINE { return to_float(((const T *)source.k)[source.row(first + i) * d + c]); }))
    refused[block_y()] = first + 1;
}

struct Stage { // a cache head in a format, and where its next entry is staged
  u64 fromK, fromV, k, v;
  int held, row, head;
  float keyScale, valueScale;
  int zero;
  Spec spec;
};

// refused[row] is layer · 65536 + head + 1.
DEVICE void refuse(int *refused, const Stage &s, int layer) {
  if (refused[s.row] == 0) refused[s.row] = layer * 65536 + s.head + 1;
}

// A warp encodes a vector: formats differ from head to head.
template <typename T> DEVICE void append(const Stage *stages, int count, const int *steps, int d, int layer, int *refused) {
  next();
  wait();
  i64 at = block_x() * (threads() / 32) + warp();
  if (at / 2 >= count) return;
  const Stage &stage = stages[at / 2];
  const Spec &s = stage.spec;
  i64 row = stage.held + *steps, settled = s.residual ? 0 : row + 1;
  bool value = at % 2 == 1;
  Vector v;
  v.at = 8 * lane(), v.d = d, v.lanes = 32;
  load(v, (const T *)(value ? stage.fromV : stage.fromK), d % 8 == 0);
  int format;
  u8 *to = value ? value_place(s, stage.v, row, settled, d, format) : key_place(s, stage.k, row, settled, d, format);
  if (!encode<false>(format, s.residual ? 0 : value ? s.valueTurn : s.keyTurn, to, v, value ? s.valueBytes : s.keyBytes, value ? stage.valueScale : stage.keyScale, s.levels))
    refuse(refused, stage, layer);
}

// A block has a head, which has held + steps + 1 entries now: it encodes R keys where so many have gathered,
// and the value that is the oldest of R+1.
KERNEL quantize_settle(const Stage *stages, const int *steps, int d, int layer, int *refused) {
  next();
  wait();
  const Stage &stage = stages[block_x()];
  const Spec &s = stage.spec;
  if (s.residual == 0) return;
  int n = stage.held + *steps + 1, c = thread();
  const u8 *keys = (const u8 *)stage.k;
  if (n % s.residual == 0 && c < d) {
    for (int first = n - s.residual; first < n; first += group) {
      u8 *to = (u8 *)stage.k + (i64)s.residual * 2 * d + (i64)(first / group) * s.keyBytes;
      if (!encode_channel(s.keyFormat, to, c, d, [&](int i) INLINE { return half_at(keys + ((first + i) % s.residual * d + c) * 2); })) refuse(refused, stage, layer);
    }
  }
  int oldest = n - s.residual - 1;
  if (oldest < 0 || warp() > 0) return;
  Vector v;
  v.at = 8 * lane(), v.d = d, v.lanes = 32;
  int format;
  load(v, (const f16 *)value_place(s, stage.v, oldest, 0, d, format), false);
  u8 *to = value_place(s, stage.v, oldest, n, d, format);
  if (!encode<false>(format, 0, to, v, s.valueBytes, 1.f, s.levels)) refuse(refused, stage, layer);
}

#define INSTANCE(T, name) \
  KERNEL __launch_bounds__(256) quantize_rows_##name(const Source *sources, int d, int lanes, int wide, int latest, int *refused) { rows<T>(sources, d, lanes, wide, latest, refused); } \
  KERNEL __launch_bounds__(256) quantize_channels_##name(const Source *sources, int d, int *refused) { channels<T>(sources, d, refused); } \
  KERNEL __launch_bounds__(256) quantize_append_##name(const Stage *stages, int count, const int *steps, int d, int layer, int *refused) { \
    append<T>(stages, count, steps, d, layer, refused); \
  }
INSTANCE(float, f32)
INSTANCE(bf16, bf16)
INSTANCE(f16, f16)
