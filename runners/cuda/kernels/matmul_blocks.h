// matmul_blocks: dst = x · wᵀ + bias (+ dst) for few rows of x, with w in one of GGUF's blocks (blocks.h).
// x (m, cols) bf16; dst (m, rows) bf16 or float, a row of which has `across` numbers; add, used,
// choices and tokens as in matmul_few.cu. Blocks (·, y) have rows 8y … 8y+7 of x, or those of
// choices[y]. cols is a multiple of 32. Each storage has a module of its own, which a card compiles where
// a model has it.
//
// A block has eight warps and MT tiles of w; the warps share out the turns of 128 columns and add
// up in shared memory, by number, so that the order of sums depends on cols alone. Codes become
// bfloat16 without a rounding, and a group's scale multiplies the sum of its 32 columns (16 of
// Q6_K), so the numbers are exactly those of the file. Codes of four and five bits are put into the
// fraction of a number between 1 and 2; its 1, or the 1½ that stands for zero where codes have a
// middle, is taken off with the sum of x over the group, which an instruction more gives, by a
// matrix of ones.
//
// A warp keeps D turns of its tiles in registers, of which it loads one while it multiplies by the others:
// of blocks of four bits a turn is a quarter of the bytes that it is of bfloat16, and it is bytes under way
// that the memory's rate asks for.
//
// unpack: a weight, or several experts' one behind the other, as bf16, for products of many rows.
// embed: rows of a table, as bf16.
#pragma once
#include "matmul.h"
#include "blocks.h"
#include "experts.h"

const u32 ones = 0x3f803f80u; // a pair of bfloat16

// The sums of eight rows of x over a group.
DEVICE void sum_group(float (&s)[4], u32x4 x) {
  multiply<bf16>(s, ones, ones, ones, ones, x.x, x.y);
  multiply<bf16>(s, ones, ones, ones, ones, x.z, x.w);
}

// What a lane has of 128 columns of rows g and g+8 of a tile.
template <typename W> struct Turn {
  static const int pieces = W::bits == 8 ? 2 : 1;
  u32x4 codes[2][pieces];
  u32x2 above[2];    // bits five, and six
  u32x4 scale[2];    // as many of the words as there are
  u32 half[2];       // of Q6_K

  // Of a whole turn.
  DEVICE void load(const u8 *tile, int turn, int g, int t, i64 cols) {
    const u8 *plane = tile + (i64)turn * 16 * W::plane, *more = tile + W::above_at(cols) + (i64)turn * 16 * W::above;
    const u8 *scales = tile + W::scales_at(cols);
    UNROLL for (int h = 0; h < 2; h++) {
      int r = 8 * h + g;
      UNROLL for (int i = 0; i < pieces; i++) codes[h][i] = stream16(plane + r * W::plane + 64 * i + 16 * t);
      if (W::bits == 5) above[h].x = *(const u32 *)(more + r * 16 + 4 * t);
      if (W::bits == 6) above[h] = *(const u32x2 *)(more + r * 32 + 8 * t);
      if (W::scales == oneScale || W::scales == sixteens) {
        u32x2 v = *(const u32x2 *)(scales + (turn * 16 + r) * 8);
        scale[h] = u32x4{v.x, v.y, 0, 0};
      }
      if (W::scales == scaleAndLeast) scale[h] = *(const u32x4 *)(scales + (turn * 16 + r) * 16);
      if (W::scales == superBlock) scale[h] = *(const u32x4 *)(scales + (turn / 2 * 16 + r) * 16);
      if (W::scales == sixteens) half[h] = *(const u16 *)(tile + W::halves_at(cols) + (turn / 2 * 16 + r) * 2);
    }
  }
  // Of a turn of one to three groups, with zeros for the others.
  DEVICE void load(const u8 *tile, int turn, int groups, int g, int t, i64 cols) {
    const u8 *plane = tile + (i64)turn * 16 * W::plane, *more = tile + W::above_at(cols) + (i64)turn * 16 * W::above;
    const u8 *scales = tile + W::scales_at(cols);
    UNROLL for (int h = 0; h < 2; h++) {
      int r = 8 * h + g;
      UNROLL for (int i = 0; i < pieces; i++) codes[h][i] = u32x4{0, 0, 0, 0};
      above[h] = u32x2{0, 0};
      scale[h] = u32x4{0, 0, 0, 0};
      UNROLL for (int q = 0; q < 3; q++) {
        if (q >= groups) continue;
        if (W::bits == 8) {
          u32x2 v = *(const u32x2 *)(plane + r * 32 * groups + q * 32 + t * 8);
          codes[h][q / 2 % pieces][q % 2 * 2] = v.x;
          codes[h][q / 2 % pieces][q % 2 * 2 + 1] = v.y;
        } else codes[h][0][q] = *(const u32 *)(plane + r * 16 * groups + q * 16 + t * 4);
        if (W::bits == 5) {
          u32 b = more[r * 4 * groups + q * 4 + t];
          above[h].x |= (b & 15) << 4 * q | (b >> 4) << (16 + 4 * q);
        }
        if (W::scales == oneScale) scale[h][q / 2] |= (u32) * (const u16 *)(scales + turn * 16 * 8 + r * 2 * groups + q * 2) << q % 2 * 16;
        else scale[h][q] = *(const u32 *)(scales + turn * 16 * 16 + r * 4 * groups + q * 4);
      }
    }
  }

  // Numbers 2i and 2i+1 of group q of row 8h+g as bfloat16: whole numbers, or where there is a least value 1 + code/2^bits.
  template <int q, int i> DEVICE u32 pair(int h) const {
    if (W::bits == 8) { // code + 128, whose highest bit says whether 128 or 256 is too much in 128 + the others
      u32 w = codes[h][q / 2 % pieces][q % 2 * 2 + i / 2];
      w = i % 2 ? w >> 8 : w;
      return plus(put(w, 0x007f007fu, 0x43004300u), put(~w, 0x00800080u, 0xc300c300u));
    }
    const int to = W::above_one ? 7 - W::bits : 0; // where a code's lowest bit goes
    const u32 zero = W::above_one ? ones : 0x43004300u; // 1, or 128
    u32 w = codes[h][0][q], v = put(4 * i < to ? w << (to - 4 * i) : w >> (4 * i - to), 0x000f000fu << to, zero);
    if (W::bits == 5) {
      const int at = 4 * q + i, bit = to + 4;
      v = put(at < bit ? above[h].x << (bit - at) : above[h].x >> (at - bit), 0x00010001u << bit, v);
    }
    if (W::bits == 6) {
      const int at = q % 2 * 8 + 2 * i;
      u32 a = above[h][q / 2];
      v = put(at < 4 ? a << (4 - at) : a >> (at - 4), 0x00300030u, v);
    }
    return W::above_one ? v : plus(v, W::middle);
  }
  // from where the mask has ones, else `other`: one instruction, where the compiler would take two for two constants.
  static DEVICE u32 put(u32 from, u32 mask, u32 other) {
    u32 r;
    asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(r) : "r"(from), "r"(mask), "r"(other));
    return r;
  }
  // a + b, exact for whole numbers of at most eight bits.
  static DEVICE u32 plus(u32 a, u32 b) {
    u32 r;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(ones), "r"(b));
    return r;
  }

  // What the sums of a group's products are multiplied by, and of Q6_K those of its second half; and what the sum of
  // x is, where there is a least value.
  template <int q> DEVICE void scales_of(float (&by)[2], float (&other)[2], int turn) const {
    UNROLL for (int h = 0; h < 2; h++) {
      if (W::scales == oneScale) by[h] = q % 2 ? half_high(scale[h][q / 2]) : half_low(scale[h][q / 2]);
      if (W::scales == scaleAndLeast) by[h] = half_low(scale[h][q]), other[h] = half_high(scale[h][q]);
      if (W::scales == superBlock) {
        u32 of, under;
        six_bits(of, under, scale[h], turn % 2);
        by[h] = byte_times<q>(of, half_low(scale[h].x));
        other[h] = byte_times<q>(under, -half_high(scale[h].x));
      }
      if (W::above_one) { // the sums have one x too many
        by[h] *= (float)W::factor;
        other[h] -= by[h];
      }
      if (W::scales == sixteens) {
        float d = half_low(half[h]); // the scales are 128 more
        by[h] = byte_times<2 * q % 4, 128>(scale[h][q / 2], d);
        other[h] = byte_times<(2 * q + 1) % 4, 128>(scale[h][q / 2], d);
      }
    }
  }

  // Adds the products of group q with NT times eight rows of x. x(j) are the lane's numbers of a row; s(j) are the
  // group's sums of the lane's two rows of those that it has sums of.
  template <int q, int NT, typename X, typename S> DEVICE void add(float (&sum)[NT][4], X x, S s, int turn) const {
    u32 a[8] = {pair<q, 0>(0), pair<q, 0>(1), pair<q, 1>(0), pair<q, 1>(1), pair<q, 2>(0), pair<q, 2>(1), pair<q, 3>(0), pair<q, 3>(1)};
    float by[2], other[2];
    scales_of<q>(by, other, turn);
    UNROLL for (int j = 0; j < NT; j++) {
      float part[4] = {0, 0, 0, 0};
      u32x4 v = x(j);
      ::multiply<bf16>(part, a[0], a[1], a[2], a[3], v.x, v.y);
      if (W::scales == sixteens) {
        UNROLL for (int e = 0; e < 4; e++) sum[j][e] = fma(by[e / 2], part[e], sum[j][e]), part[e] = 0.f;
      }
      ::multiply<bf16>(part, a[4], a[5], a[6], a[7], v.z, v.w);
      UNROLL for (int e = 0; e < 4; e++) sum[j][e] = fma(W::scales == sixteens ? other[e / 2] : by[e / 2], part[e], sum[j][e]);
      if (W::above_one) {
        f32x2 all = s(j);
        UNROLL for (int e = 0; e < 4; e++) sum[j][e] = fma(other[e / 2], all[e % 2], sum[j][e]);
      }
    }
  }
};

// A lane's eight numbers of group q of a row of x, from is where the turn begins.
template <typename W> DEVICE u32x4 numbers_of(const bf16 *from, int q, int t) {
  if (W::bits != 6) return *(const u32x4 *)(from + 32 * q + 8 * t);
  u32x2 a = *(const u32x2 *)(from + 32 * q + 4 * t), b = *(const u32x2 *)(from + 32 * q + 16 + 4 * t);
  return u32x4{a.x, a.y, b.x, b.y};
}

template <int q, typename W, int MT> DEVICE void group(float (&sum)[MT][1][4], const Turn<W> (&turn)[MT], u32x4 x, int now) {
  float s[4] = {0, 0, 0, 0};
  if (W::above_one) sum_group(s, x);
  UNROLL for (int i = 0; i < MT; i++) turn[i].template add<q, 1>(sum[i], [&](int) INLINE { return x; }, [&](int) INLINE { return f32x2{s[0], s[1]}; }, now);
}

// Adds the products of a turn of so many groups; on says whether the lane's row of x is one.
template <typename W, int MT> DEVICE void multiply(float (&sum)[MT][1][4], const Turn<W> (&turn)[MT], const bf16 *from, int now, int groups, bool on, int t) {
  u32x4 x[4];
  UNROLL for (int q = 0; q < 4; q++) x[q] = on && q < groups ? numbers_of<W>(from + 128 * now, q, t) : u32x4{0, 0, 0, 0};
  group<0>(sum, turn, x[0], now);
  group<1>(sum, turn, x[1], now);
  group<2>(sum, turn, x[2], now);
  group<3>(sum, turn, x[3], now);
}

template <typename W, typename D, int MT, int DEPTH>
DEVICE void matmul_blocks(D *dst, const bf16 *x, const u8 *w, const float *bias, int m, i64 rows, i64 cols, i64 across, int add, const int *used,
                          const Choice *choices, const Expert *experts, const int *tokens) {
  __shared__ float partial[8][MT][32][4];
  int g = lane() >> 2, t = lane() & 3, turns = (int)(cols / 128);
  const int start = share_begin(cols, warp()), end = min(share_begin(cols, warp() + 1), turns);
  i64 row0 = block_x() * 16 * MT;
  Turn<W> ring[DEPTH][MT];
  // Tiles past the end read the last one; their sums are dropped.
  auto tile = [&](int i) INLINE { return w + min(row0 / 16 + i, (rows - 1) / 16) * W::tile(cols); };
  auto load = [&](Turn<W>(&into)[MT], int turn) INLINE {
    UNROLL for (int i = 0; i < MT; i++) into[i].load(tile(i), turn, g, t, cols);
  };
  auto begin = [&]() INLINE {
    UNROLL for (int s = 0; s < DEPTH; s++)
      if (start + s < end) load(ring[s], start + s);
  };
  bool late = used || choices; // weights are not read before it is known that they are wanted
  if (!late) begin();
  next();
  wait();
  const bf16 *from = nullptr; // a lane's row of x
  if (choices) {
    Choice c = choices[block_y()];
    if (c.rows == 0) return;
    m = c.rows;
    w = experts[c.expert].w;
    bias = experts[c.expert].bias;
    dst += c.first * across;
    i64 at = c.first + min(g, m - 1);
    from = x + (tokens ? tokens[at] : at) * cols;
  } else {
    if (used && *used == 0) return;
    i64 first = block_y() * 8;
    m = min(8, (int)(m - first));
    dst += first * across;
    from = x + (first + min(g, m - 1)) * cols;
  }
  if (late) begin();
  Before<MT, 1, D> before(dst, m, row0, rows, across, add);
  float sum[MT][1][4];
  UNROLL for (int i = 0; i < MT; i++)
    UNROLL for (int e = 0; e < 4; e++) sum[i][0][e] = 0.f;
  for (int first = start; first < end; first += DEPTH) {
    UNROLL for (int s = 0; s < DEPTH; s++) {
      int now = first + s;
      if (now >= end) continue;
      multiply(sum, ring[s], from, now, 4, g < m, t);
      if (now + DEPTH < end) load(ring[s], now + DEPTH);
    }
  }
  int left = (int)(cols % 128 / 32);
  if (W::scales != superBlock && W::scales != sixteens && left > 0 && warp() == warps - 1) { // K-quants have whole turns
    UNROLL for (int i = 0; i < MT; i++) ring[0][i].load(tile(i), turns, left, g, t, cols);
    multiply(sum, ring[0], from, turns, left, g < m, t);
  }
  leave<MT, 1, 8>(sum, partial, dst, before, bias, m, row0, rows, across, add);
}

// dst (count, rows, cols): the weight w, or those of `count` experts from experts[skip] on;
// blockIdx.y is the number. A thread has eight numbers.
template <typename W> DEVICE void unpack(bf16 *dst, const u8 *w, const Expert *experts, int skip, i64 rows, i64 cols) {
  next();
  wait();
  if (experts) w = experts[skip + block_y()].w;
  i64 at = 8 * (block_x() * threads() + thread());
  if (at >= rows * cols) return;
  i64 row = at / cols;
  float v[8];
  decode8<W>(v, w + row / 16 * W::tile(cols), (int)(row % 16), at - row * cols, cols);
  store8(dst + block_y() * rows * cols + at, v);
}

// dst[i] = table[ids[i]], rounded to bf16, times scale. dst (m, width), table (vocab, width), ids (m). An id
// outside the table leaves fault[0] = 1, fault[1] = the id, and zeros.
template <typename W> DEVICE void embed(bf16 *dst, const u8 *table, const int *ids, i64 width, int vocab, int *fault, float scale) {
  next();
  wait();
  int id = ids[block_x()];
  bool ok = id >= 0 && id < vocab;
  if (!ok && thread() == 0) { fault[1] = id; fault[0] = 1; }
  for (i64 c = 8 * thread(); c < width; c += 8 * threads()) {
    float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    if (ok) decode8<W>(v, table + id / 16 * W::tile(width), id % 16, c, width);
    UNROLL for (int i = 0; i < 8; i++) {
      bf16 rounded;
      from_float(rounded, v[i]);
      v[i] = to_float(rounded) * scale;
    }
    store8(dst + block_x() * width + c, v);
  }
}

#define PRODUCT(W, D, name, MT, DEPTH) \
  KERNEL __launch_bounds__(256, 2) matmul_blocks_##MT##_##name(D *dst, const bf16 *x, const u8 *w, const float *bias, int m, i64 rows, i64 cols, i64 across, int add, const int *used, const Choice *choices, const Expert *experts, const int *tokens) { \
    matmul_blocks<W, D, MT, DEPTH>(dst, x, w, bias, m, rows, cols, across, add, used, choices, experts, tokens); \
  }
// DEPTH turns of one tile, and half as many, two at least, of two.
#define INSTANCE(W, name, DEPTH) \
  PRODUCT(W, bf16, name, 1, DEPTH) PRODUCT(W, float, name##_f32, 1, DEPTH) PRODUCT(W, bf16, name, 2, 2) PRODUCT(W, float, name##_f32, 2, 2) \
  KERNEL unpack_##name(bf16 *dst, const u8 *w, const Expert *experts, int skip, i64 rows, i64 cols) { unpack<W>(dst, w, experts, skip, rows, cols); } \
  KERNEL embed_##name(bf16 *dst, const u8 *table, const int *ids, i64 width, int vocab, int *fault, float scale) { embed<W>(dst, table, ids, width, vocab, fault, scale); }
