// matmul_few: dst = x · wᵀ + bias (+ dst) for few rows of x, where the time is that of
// reading w once. x (m, cols), w (rows, cols), bias (rows) float or null, dst (m, rows) of
// the element type or float. With add, the product is added to dst and the sum rounded
// once. With used, blocks return at once where *used is 0 (an expert that no token chose).
// With choices, blocks (·, y) multiply choices[y].rows rows, at most eight, by the weight of
// one of the experts: rows of dst from choices[y].first on, and of x the same or, with
// tokens, those whose numbers are there.
//
// A row of the result has the same bits whatever other rows are computed with
// it: the order of its sums depends on cols alone.
#include "matmul.h"

// Tensor-core version, 16-bit types, cols a multiple of eight. A block has eight
// warps and 16·MT rows of w; the warps share out the columns, 128 at a time, and
// add up in shared memory, by number. w is the 16-row operand, x the 8-column
// one, of which there are NT. Both read 16 bytes a lane straight from memory:
// lane g·4+t has columns 8t … 8t+7 of its rows, which serve two mma of 16 columns
// in an order of the columns of its own, the same for both operands.
// The first loads of w are issued before wait(), and the blocks of the next kernel start as
// soon as all of this one's have, so that their first loads run while these blocks end.
// (Fetching more of w into the L2 cache meanwhile was tried: it is 7 % slower.)
struct Choice { int expert, first, rows, unused; };
template <typename T> struct Expert { const T *w; const float *bias; };

const int steps = 4; // of 32 columns: a warp's turn

// U steps are loaded at a time.
template <typename T, typename D, int MT, int NT, int U, int W>
DEVICE void matmul_few(D *dst, const T *x, const T *w, const float *bias, int m, i64 rows, i64 cols, int add, const int *used,
                       const Choice *choices, const Expert<T> *experts, const int *tokens) {
  __shared__ float partial[W][MT * NT][32][4];
  int g = lane() >> 2, t = lane() & 3;
  i64 row0 = block_x() * 16 * MT;
  u32x4 wv[MT][2][U];
  // Rows past the end read the last row; their sums are dropped.
  const T *source[MT][2];
  auto begin = [&](const T *w) INLINE {
    UNROLL for (int i = 0; i < MT; i++)
      UNROLL for (int h = 0; h < 2; h++) source[i][h] = w + min(row0 + 16 * i + 8 * h + g, rows - 1) * cols + 8 * t;
  };
  auto load_w = [&](i64 k) INLINE {
    UNROLL for (int s = 0; s < U; s++) {
      bool in = k + 32 * s + 8 * t < cols;
      UNROLL for (int i = 0; i < MT; i++)
        UNROLL for (int h = 0; h < 2; h++) wv[i][h][s] = in ? stream16(source[i][h] + k + 32 * s) : u32x4{0, 0, 0, 0};
    }
  };
  i64 k = 32 * steps * warp();
  begin(w);
  bool late = used || (NT == 1 && choices); // weights are not read before it is known that they are wanted
  if (!late) load_w(k);
  next();
  wait();
  const T *row = x + g * cols;
  if (late) {
    if (NT == 1 && choices) {
      Choice c = choices[block_y()];
      if (c.rows == 0) return;
      m = c.rows;
      begin(experts[c.expert].w);
      bias = experts[c.expert].bias;
      dst += c.first * rows;
      i64 at = c.first + min(g, m - 1);
      row = x + (tokens ? tokens[at] : at) * cols;
    } else if (*used == 0) return;
    load_w(k);
  }
  Before<MT, NT, D> before(dst, m, row0, rows, rows, add);
  float sum[MT][NT][4];
  UNROLL for (int i = 0; i < MT; i++)
    UNROLL for (int j = 0; j < NT; j++)
      UNROLL for (int e = 0; e < 4; e++) sum[i][j][e] = 0.f;
  bool loaded = true;
  for (; k < cols; k += 32 * steps * (warps - 1)) {
    UNROLL for (int part = 0; part < steps; part += U, k += 32 * U) {
      if (!loaded) load_w(k);
      loaded = false;
      UNROLL for (int s = 0; s < U; s++) {
        bool in = k + 32 * s + 8 * t < cols;
        const T *xk = row + (u32)((u32)k + 32 * s + 8 * t); // few rows: 32 bits do
        UNROLL for (int j = 0; j < NT; j++) {
          u32x4 xv = {0, 0, 0, 0};
          if (in && 8 * j + g < m) xv = *(const u32x4 *)(xk + 8 * j * (u32)cols);
          UNROLL for (int i = 0; i < MT; i++) {
            mma<T>(sum[i][j], wv[i][0][s].x, wv[i][1][s].x, wv[i][0][s].y, wv[i][1][s].y, xv.x, xv.y);
            mma<T>(sum[i][j], wv[i][0][s].z, wv[i][1][s].z, wv[i][0][s].w, wv[i][1][s].w, xv.z, xv.w);
          }
        }
      }
    }
  }
  leave<MT, NT, W>(sum, partial, dst, before, bias, m, row0, rows, rows, add);
}

// Plain version for float and for odd widths: a warp has one row of w and eight
// rows of x (blockIdx.y), lanes share out the columns.
template <typename T, typename D>
DEVICE void matmul_plain(D *dst, const T *x, const T *w, const float *bias, int m, i64 rows, i64 cols, int add, const int *used,
                         const Choice *choices, const Expert<T> *experts, const int *tokens) {
  next();
  wait();
  int first = (int)block_y() * 8;
  i64 of[8]; // the rows of x
  UNROLL for (int i = 0; i < 8; i++) of[i] = first + i;
  if (choices) {
    Choice c = choices[block_y()];
    if (c.rows == 0) return;
    first = 0;
    m = c.rows;
    w = experts[c.expert].w;
    bias = experts[c.expert].bias;
    dst += c.first * rows;
    UNROLL for (int i = 0; i < 8; i++) of[i] = tokens && i < m ? tokens[c.first + i] : c.first + i;
  } else if (used && *used == 0) return;
  i64 row = block_x() * (threads() / 32) + warp();
  int count = min(8, m - first);
  if (row >= rows) return;
  w += row * cols;
  float sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (i64 k = lane(); k < cols; k += 32) {
    float v = to_float(w[k]);
    UNROLL for (int i = 0; i < 8; i++)
      if (i < count) sum[i] = fma(v, to_float(x[of[i] * cols + k]), sum[i]);
  }
  UNROLL for (int i = 0; i < 8; i++) {
    float s = sum_warp(sum[i]);
    if (i < count && lane() == 0) {
      i64 at = (first + i) * rows + row;
      finish(dst, at, s, bias, row, add, add ? to_float(dst[at]) : 0.f);
    }
  }
}

#define ARGUMENTS(T, D) \
  D *dst, const T *x, const T *w, const float *bias, int m, i64 rows, i64 cols, int add, const int *used, const Choice *choices, const Expert<T> *experts, const int *tokens
// The launch bounds set the registers of a thread. For eight rows of x they are 96, which
// leaves room on a multiprocessor for two blocks and one of the next kernel. (With 128 the
// next kernel waits for a block to end, and with 80 there are three blocks: both are 8 %
// slower.)
#define FEW(T, D, name, MT, NT, U, W, threads, blocks) \
  KERNEL __launch_bounds__(threads, blocks) matmul_few_##NT##_##name(ARGUMENTS(T, D)) { \
    matmul_few<T, D, MT, NT, U, W>(dst, x, w, bias, m, rows, cols, add, used, choices, experts, tokens); \
  }
#define INSTANCE(T, D, name) \
  FEW(T, D, name, 1, 1, 4, 8, 320, 2) FEW(T, D, name, 2, 2, 2, 8, 256, 2) FEW(T, D, name, 2, 3, 2, 8, 256, 2) \
  FEW(T, D, name, 2, 4, 2, 4, 256, 2) FEW(T, D, name, 2, 8, 2, 4, 256, 1)
#define PLAIN(T, D, name) \
  KERNEL matmul_plain_##name(ARGUMENTS(T, D)) { matmul_plain(dst, x, w, bias, m, rows, cols, add, used, choices, experts, tokens); }
INSTANCE(f16, f16, f16)
INSTANCE(f16, float, f16_f32)
INSTANCE(bf16, bf16, bf16)
INSTANCE(bf16, float, bf16_f32)
PLAIN(float, float, f32_f32)
PLAIN(f16, f16, f16)
PLAIN(f16, float, f16_f32)
PLAIN(bf16, bf16, bf16)
PLAIN(bf16, float, bf16_f32)
