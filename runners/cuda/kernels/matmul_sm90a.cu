// matmul for compute capability 9.0 and many rows of x, 16-bit types: x (m, cols) times
// w (rows, cols) transposed, and what a model does next with the product while it is
// still in registers, unrounded:
//
//   matmul_swiglu  dst (m, ff) = silu(x·gateᵀ) · (x·upᵀ), w being gate's rows and then up's
//   matmul_experts y (m, rows) = x·wᵀ, float
//   matmul_rotate  x·wᵀ + bias is queries, keys and values, which are turned by their
//                  positions and written where rotate.cu would (heads of 64 or 128)
#include "tiles.h"

template <typename T> DEVICE void experts(u64 mapX, u64 mapW, float *y, Rows rows, int width, int cols) {
  matmul<T>(mapX, mapW, rows, (width + 255) / 256, 256, 128, cols, [&](u8 *lines, int row, int below, int tile, const float *bias, float (&d)[128]) INLINE {
    UNROLL for (int h = 0; h < 4; h++) { // lines of 64 numbers
      UNROLL for (int j = 0; j < 8; j++) {
        float *s = d + 32 * h + 4 * j;
        if (bias) {
          int c = 256 * tile + 64 * h + 8 * j + lane() % 4 * 2;
          UNROLL for (int e = 0; e < 2; e++) {
            float b = c + e < width ? bias[c + e] : 0.f;
            s[e] += b, s[2 + e] += b;
          }
        }
        int at = 2 * j + lane() % 4 / 2, half = lane() % 2 * 8;
        UNROLL for (int y = 0; y < 2; y++)
          *(f32x2 *)(vector(lines, own_row() + 8 * y, at) + half) = f32x2{s[2 * y], s[2 * y + 1]};
      }
      int c = 256 * tile + 64 * h + id() % 16 * 4;
      write(lines, y + (i64)row * width + c, width, c < width ? below : 0);
    }
  });
}

// turns (m, D/2) are cosine and sine. q (m, heads, D), k and v (kvHeads, n, D) from row
// start on.
template <typename T, int D>
DEVICE void rotate(u64 mapX, u64 mapW, T *q, T *k, T *v, const float *bias, const float *turns, int m, int start, i64 n, int heads, int kvHeads, int cols) {
  const int pairs = D / 16; // distance from a pair's first element to its second, in vectors
  int rows = (heads + 2 * kvHeads) * D;
  matmul<T>(mapX, mapW, {m, nullptr, 0, 1, 0, nullptr}, (rows + 255) / 256, 256, 128, cols, [&](u8 *lines, int row, int below, int tile, const float *, float (&d)[128]) INLINE {
    UNROLL for (int h = 0; h < 2; h++) {
      if (bias) {
        UNROLL for (int j = 0; j < 16; j++) {
          int c = 256 * tile + 128 * h + 8 * j + lane() % 4 * 2;
          float *s = d + 64 * h + 4 * j;
          UNROLL for (int e = 0; e < 2; e++) {
            float b = c + e < rows ? bias[c + e] : 0.f;
            s[e] += b, s[2 + e] += b;
          }
        }
      }
      UNROLL for (int part = 0; part < 128 / D; part++) {
        int head = (256 * tile + 128 * h) / D + part;
        if (head >= heads + kvHeads) continue;
        UNROLL for (int j = 0; j < pairs; j++) {
          UNROLL for (int y = 0; y < 2; y++) {
            const f32x4 turn = *(const f32x4 *)(turns + ((i64)min(row + own_row() + 8 * y, m - 1) * (D / 2) + 8 * j + lane() % 4 * 2) * 2);
            float *a = d + 64 * h + 4 * (2 * pairs * part + j) + 2 * y, *b = a + 4 * pairs;
            UNROLL for (int e = 0; e < 2; e++) {
              float x = a[e] * turn[2 * e] - b[e] * turn[2 * e + 1];
              b[e] = b[e] * turn[2 * e] + a[e] * turn[2 * e + 1];
              a[e] = x;
            }
          }
        }
      }
      UNROLL for (int j = 0; j < 16; j++) {
        float *s = d + 64 * h + 4 * j;
        UNROLL for (int y = 0; y < 2; y++) word(lines, own_row() + 8 * y, j) = pack<T>(s[2 * y], s[2 * y + 1]);
      }
      int c = 256 * tile + 128 * h + id() % 16 * 8, head = c / D, inner = c % D, a = head - heads;
      T *to = q + (i64)head * D + inner;
      i64 step = (i64)heads * D;
      if (a >= 0) {
        to = (a < kvHeads ? k + (a * n + start) * D : v + ((a - kvHeads) * n + start) * D) + inner;
        step = D;
      }
      write(lines, to + row * step, step, c < rows ? below : 0);
    }
  });
}

#define ROTATE(T, name, D) \
  ENTRY matmul_rotate_##D##_##name(Map x, Map w, T *q, T *k, T *v, const float *bias, const float *turns, int m, int start, i64 n, int heads, int kvHeads, int cols) { \
    rotate<T, D>(MAP("matmul_rotate_" #D "_" #name, 0), MAP("matmul_rotate_" #D "_" #name, 1), q, k, v, bias, turns, m, start, n, heads, kvHeads, cols); \
  }
#define INSTANCE(T, name) \
  ENTRY matmul_swiglu_##name(Map x, Map w, T *dst, int m, int ff, int cols) { \
    gated<T>(MAP("matmul_swiglu_" #name, 0), MAP("matmul_swiglu_" #name, 1), dst, {m, nullptr, 0, 1, 0, nullptr}, ff, cols, SwiGLU{}); \
  } \
  ENTRY matmul_swiglu_experts_##name(Map x, Maps w, T *dst, const int *counts, const Rows::Expert *table, int skip, int number, int apart, int ff, int cols) { \
    gated<T>(MAP("matmul_swiglu_experts_" #name, 0), MAP("matmul_swiglu_experts_" #name, 1), dst, {0, counts, skip, number, apart, table}, ff, cols, SwiGLU{}); \
  } \
  ENTRY matmul_experts_##name(Map x, Maps w, float *y, const int *counts, const Rows::Expert *table, int skip, int number, int apart, int width, int cols) { \
    experts<T>(MAP("matmul_experts_" #name, 0), MAP("matmul_experts_" #name, 1), y, {0, counts, skip, number, apart, table}, width, cols); \
  } \
  ROTATE(T, name, 64) \
  ROTATE(T, name, 128)
INSTANCE(bf16, bf16)
INSTANCE(f16, f16)
