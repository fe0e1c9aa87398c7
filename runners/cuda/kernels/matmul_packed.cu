// matmul_packed: dst = x · wᵀ + bias (+ dst) for few rows of x, with w in MXFP4 or E4M3
// (packed.h), whose codes become bfloat16 in registers. x (m, cols) bf16, dst (m, rows) bf16
// or float; add, used, choices and tokens as in matmul_few.cu. Blocks (·, y) have rows 8y … 8y+7
// of x, or those of choices[y]. cols is a multiple of 32.
//
// A block has eight warps and 16·MT rows of w; the warps share out the columns, in turns of 128,
// and add up in shared memory, by number, so that the order of sums depends on cols alone. A
// warp's turns are eight apart, so that the warps read neighbours. Of 128
// columns lane g·4+t has 32t … 32t+31 of its rows: 16 bytes of MXFP4, with one scale, or 32 of
// E4M3, whose 128 columns have one scale per row: that multiplies their sum.
//
// unpack: a weight, or several experts' one behind the other, as bf16, for products of many rows.
#include "matmul.h"
#include "experts.h"
#include "packed.h"

template <typename W, typename D, int MT>
DEVICE void matmul_packed(D *dst, const bf16 *x, const u8 *w, const float *bias, int m, i64 rows, i64 cols, int add, const int *used,
                          const Choice *choices, const Expert *experts, const int *tokens) {
  __shared__ float partial[8][MT][32][4];
  int g = lane() >> 2, t = lane() & 3;
  i64 row0 = block_x() * 16 * MT;
  // Rows past the end read the last row; their sums are dropped.
  i64 row[MT][2];
  UNROLL for (int i = 0; i < MT; i++)
    UNROLL for (int h = 0; h < 2; h++) row[i][h] = min(row0 + 16 * i + 8 * h + g, rows - 1);
  Turn<W> turn[MT];
  int now = warp();
  const int end = (int)((cols + 127) / 128);
  auto scales = W::scales(w, rows, cols);
  auto load = [&]() INLINE {
    scales = W::scales(w, rows, cols);
    UNROLL for (int i = 0; i < MT; i++) turn[i].load(w, scales, row[i], 128 * now + 32 * t, cols);
  };
  bool late = used || choices; // weights are not read before it is known that they are wanted
  if (!late) load();
  next();
  wait();
  const bf16 *from = nullptr; // a lane's row of x
  if (choices) {
    Choice c = choices[block_y()];
    if (c.rows == 0) return;
    m = c.rows;
    w = experts[c.expert].w;
    bias = experts[c.expert].bias;
    dst += c.first * rows;
    i64 at = c.first + min(g, m - 1);
    from = x + (tokens ? tokens[at] : at) * cols;
  } else {
    if (used && *used == 0) return;
    i64 first = block_y() * 8;
    m = min(8, (int)(m - first));
    dst += first * rows;
    from = x + (first + min(g, m - 1)) * cols;
  }
  if (late) load();
  Before<MT, 1, D> before(dst, m, row0, rows, rows, add);
  float sum[MT][1][4];
  UNROLL for (int i = 0; i < MT; i++)
    UNROLL for (int e = 0; e < 4; e++) sum[i][0][e] = 0.f;
  for (; now < end; now += warps) {
    i64 k = 128 * now + 32 * t;
    Turn<W> ahead[MT];
    if (now + warps < end)
      UNROLL for (int i = 0; i < MT; i++) ahead[i].load(w, scales, row[i], k + 128 * warps, cols);
    u32x4 xv[4];
    UNROLL for (int q = 0; q < 4; q++) xv[q] = k < cols && g < m ? *(const u32x4 *)(from + k + 8 * q) : u32x4{0, 0, 0, 0};
    UNROLL for (int i = 0; i < MT; i++) turn[i].add(sum[i][0], xv);
    UNROLL for (int i = 0; i < MT; i++) turn[i] = ahead[i];
  }
  leave<MT, 1, 8>(sum, partial, dst, before, bias, m, row0, rows, rows, add);
}

// dst (count, rows, cols): the weight w, or those of `count` experts from experts[skip] on;
// blockIdx.y is the number. A thread has eight numbers.
DEVICE void unpack8(u32x4 &v, MXFP4, const u8 *w, const u8 *scales, i64 at, i64, i64) {
  u32 word = *(const u32 *)(w + at / 2), e = scales[at / 32];
  v = u32x4{pair<0, true>(word, e), pair<1, true>(word, e), pair<2, true>(word, e), pair<3, true>(word, e)};
}
DEVICE void unpack8(u32x4 &v, E4M3, const u8 *w, const float *scales, i64 at, i64 row, i64 cols) {
  u32x2 words = *(const u32x2 *)(w + at);
  float scale = scales[row * ((cols + 127) / 128) + (at - row * cols) / 128];
  UNROLL for (int i = 0; i < 2; i++) {
    u32 a = first(words[i]), b = second(words[i]);
    v[2 * i] = pack<bf16>(low<bf16>(a) * scale, high<bf16>(a) * scale);
    v[2 * i + 1] = pack<bf16>(low<bf16>(b) * scale, high<bf16>(b) * scale);
  }
}
template <typename W> DEVICE void unpack(bf16 *dst, const u8 *w, const Expert *experts, int skip, i64 rows, i64 cols) {
  next();
  wait();
  if (experts) w = experts[skip + block_y()].w;
  i64 at = 8 * (block_x() * threads() + thread());
  if (at >= rows * cols) return;
  u32x4 v;
  unpack8(v, W{}, w, W::scales(w, rows, cols), at, at / cols, cols);
  *(u32x4 *)(dst + block_y() * rows * cols + at) = v;
}

#define PACKED(W, D, name, MT) \
  KERNEL __launch_bounds__(256, 2) matmul_packed_##MT##_##name(D *dst, const bf16 *x, const u8 *w, const float *bias, int m, i64 rows, i64 cols, int add, const int *used, const Choice *choices, const Expert *experts, const int *tokens) { \
    matmul_packed<W, D, MT>(dst, x, w, bias, m, rows, cols, add, used, choices, experts, tokens); \
  }
#define INSTANCE(W, name) \
  PACKED(W, bf16, name, 1) PACKED(W, bf16, name, 2) PACKED(W, float, name##_f32, 1) PACKED(W, float, name##_f32, 2) \
  KERNEL unpack_##name(bf16 *dst, const u8 *w, const Expert *experts, int skip, i64 rows, i64 cols) { unpack<W>(dst, w, experts, skip, rows, cols); }
INSTANCE(MXFP4, mxfp4)
INSTANCE(E4M3, e4m3)
