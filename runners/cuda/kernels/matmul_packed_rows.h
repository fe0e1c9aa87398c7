// matmul_packed_rows: the products of matmul_packed.cu and matmul_blocks.h for 9 to 64 rows of x (and more, so many at a
// time) on compute capability 9.0, bit for bit, with one pass over the weights. dst = x · wᵀ + bias (+ dst); add, used
// and across as there.
//
// What limits such products is, beside the weights, x, which each block reads again from the L2 cache, and the decoding
// of w. So a block has 128 rows of w, a tile of 16 for each of its eight warps, which share one x in shared memory,
// and a decoded fragment of w multiplies all of x. Where that is too few blocks for a card, the blocks of a
// cluster, two to eight, share out the columns: of the eight shares of columns that those kernels' warps have
// each block has as many, one behind the other. At the end the blocks read each other's sums, and each adds up, in those
// kernels' order, the results of some of the tiles.
//
// Turns of 128 columns of w and x come to a ring of STAGES in shared memory, each warp copying its own tile's:
// bytes under way take no registers.
#pragma once
#include "hopper.h"
#include "matmul.h"

alignas(128) extern __shared__ u8 dynamic[];

// Where piece c of 16 bytes of a row of a turn of x lies: lanes that read at once, of eight or sixteen bytes, use all banks.
DEVICE int place_x(int row, int c) { return row * 256 + ((c ^ (row & 1) << 2 ^ (row & 2)) << 4); }

DEVICE f32x4 load_at(u32 address) {
  f32x4 v;
  asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "r"(address) : "memory");
  return v;
}

template <int n> struct Count { static const int value = n; };

// Adds up what a cluster's blocks have of tiles of 16 rows of w, of which each block takes its own: each(i, j, v) gets a lane's
// four sums of tile i and eight rows j of x. All blocks are asked before the first answer is waited for.
template <int blocks, int NT, typename Each> DEVICE void join_sums(u32 base, int rank, Each each) {
  const int values = blocks == 4 ? 2 : 1, own = warps / blocks;
  for (int n = warp(); n < own * NT; n += warps) {
    int i = rank * own + n / NT, j = n % NT;
    u32 at = base + ((i * NT + j) * 32 + lane()) * 16;
    f32x4 part[blocks][values];
    UNROLL for (int b = 0; b < blocks; b++)
      UNROLL for (int k = 0; k < values; k++) part[b][k] = load_at(address_at(at + k * warps * NT * 512, b));
    f32x4 result = {0, 0, 0, 0};
    UNROLL for (int half = 0; half < 2; half++) {
      f32x4 v = {0, 0, 0, 0};
      UNROLL for (int b = 0; b < blocks / 2; b++)
        UNROLL for (int k = 0; k < values; k++) v += part[half * (blocks / 2) + b][k];
      result += v;
    }
    each(i, j, result);
  }
}

DEVICE void store8_shared(u32 to, float a, float b) { asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(to), "f"(a), "f"(b) : "memory"); }

// The turns of a block's shares, one share after the other: those of a share follow each other.
template <bool apart> struct Turns {
  int at, end;
  i64 cols;
  DEVICE Turns(i64 cols, int share, int last) : at(share_begin(cols, share)), end(share_begin(cols, last)), cols(cols) {}
  DEVICE bool more() const { return at < end; }
  DEVICE bool in(int share) const { return at < share_begin(cols, share + 1); }
  DEVICE void next() { at++; }
};
// The same where those of a share are eight apart.
template <> struct Turns<true> {
  int at, share, last, turns;
  DEVICE Turns(i64 cols, int share, int last) : at(share), share(share), last(last), turns((int)((cols + 127) / 128)) {}
  DEVICE bool more() const { return share < last && at < turns; }
  DEVICE bool in(int s) const { return share == s && at < turns; }
  DEVICE void next() {
    at += 8;
    if (at >= turns) at = ++share;
  }
};

// Tile is how a storage's tile of 16 rows of w comes:
//
//   bytes               of a turn in shared memory, a multiple of 128
//   apart               whether a share's turns are eight apart
//   sums                whether the sums of x over groups are wanted, not where they are apart
//   Tile(w, first, rows, cols, lane)   the tile whose first row that is
//   copy(to, turn)      lets a turn come to shared memory
//   place_of_x(c)       where piece c of a turn's row of x lies
//   sum(v, x, j, q)     the sums of rows 8j … 8j+7 of a turn of x over group q
//   multiply<NT>(sum, at, turn, x, s)  adds the products: at is where the turn lies, x its x, s the sums of that
template <typename Tile, typename D, int NT, int STAGES>
DEVICE void matmul_packed_rows(D *dst, const bf16 *x, const u8 *w, const float *bias, int m, i64 rows, i64 cols, i64 across, int add, const int *used, int blocks) {
  const int height = 8 * NT, stage = warps * Tile::bytes + height * 256;
  const int per = 8 / blocks, rank = (int)cluster_rank(), self = lane();
  const i64 row0 = block_x() / blocks * 128;
  Turns<Tile::apart> turn(cols, per * rank, per * (rank + 1)), come = turn;
  Tile tile(w, row0 + 16 * warp(), rows, cols, self);
  const u32 base = shared_address(dynamic), s = base + STAGES * stage; // the sums of x over groups, of two turns
  auto come_w = [&](int slot) INLINE { tile.copy(base + slot * stage + warp() * Tile::bytes, come.at); };
  // The first turns of w are asked for before wait().
  if (!used)
    for (int i = 0; i < STAGES - 1 && come.more(); i++, come.next()) come_w(i);
  next();
  wait();
  if (used && *used == 0) return;
  const i64 first = block_y() * height;
  m = min(height, (int)(m - first));
  dst += first * across;
  x += first * cols;
  auto come_x = [&](int slot) INLINE {
    u32 to = base + slot * stage + warps * Tile::bytes;
    UNROLL for (int i = 0; i < (NT + 1) / 2; i++) {
      int n = thread() + 256 * i, row = n / 16, c = n % 16;
      bool on = row < m && 128 * come.at + 8 * c < cols;
      if (row < height) copy16(to + place_x(row, Tile::place_of_x(c)), on ? x + row * cols + 128 * come.at + 8 * c : x, on);
    }
  };
  come = turn;
  for (int i = 0; i < STAGES - 1; i++) {
    if (come.more()) {
      if (used) come_w(i);
      come_x(i);
      come.next();
    }
    copy_commit();
  }
  // The sums of turn `of` of x, by eight warps: one for a group of eight rows and 32 columns each.
  auto add_up = [&](int slot, int of) INLINE {
    u32 from = base + slot * stage + warps * Tile::bytes;
    for (int n = warp(); n < 4 * NT; n += warps) {
      float v[4] = {0, 0, 0, 0};
      tile.sum(v, from, n % NT, n / NT);
      if (self < 4) store8_shared(s + ((of % 2 * 4 + n / NT) * height + n % NT * 8 + 2 * self) * 4, v[0], v[1]);
    }
  };
  if (Tile::sums && turn.more()) {
    copy_wait<STAGES - 2>();
    sync();
    add_up(0, turn.at);
  }
  float sum[NT][4], total[NT][4];
  UNROLL for (int j = 0; j < NT; j++)
    UNROLL for (int e = 0; e < 4; e++) sum[j][e] = total[j][e] = 0.f;
  // Of a cluster of two a block adds up its four shares; of one of four the two are kept apart, since they follow others.
  int slot = 0;
  for (int share = 0; share < per; share++) {
    if (share > 0) {
      UNROLL for (int j = 0; j < NT; j++)
        UNROLL for (int e = 0; e < 4; e++) total[j][e] += sum[j][e], sum[j][e] = 0.f;
    }
    for (; turn.in(per * rank + share); turn.next()) {
      copy_wait<STAGES - 2 - (Tile::sums ? 1 : 0)>();
      sync(); // all copies of this turn, and with sums of the next, are there, and the one before is done with
      int free = slot == 0 ? STAGES - 1 : slot - 1, after = slot == STAGES - 1 ? 0 : slot + 1;
      if (come.more()) {
        come_w(free);
        come_x(free);
        come.next();
      }
      copy_commit();
      if constexpr (Tile::sums) {
        if (turn.at + 1 < turn.end) add_up(after, turn.at + 1);
      }
      u32 at = base + slot * stage;
      tile.template multiply<NT>(sum, at + warp() * Tile::bytes, turn.at, at + warps * Tile::bytes, s + turn.at % 2 * 4 * height * 4);
      slot = after;
    }
  }
  const int values = blocks == 4 ? 2 : 1;
  if (values == 1) {
    UNROLL for (int j = 0; j < NT; j++)
      UNROLL for (int e = 0; e < 4; e++) total[j][e] += sum[j][e];
  }
  sync(); // the ring's room is free
  UNROLL for (int j = 0; j < NT; j++) {
    f32x4 *to = (f32x4 *)dynamic + (warp() * NT + j) * 32 + self;
    to[0] = f32x4{total[j][0], total[j][1], total[j][2], total[j][3]};
    if (values == 2) to[warps * NT * 32] = f32x4{sum[j][0], sum[j][1], sum[j][2], sum[j][3]};
  }
  cluster_sync();
  auto join = [&](auto parts) INLINE {
    join_sums<decltype(parts)::value, NT>(base, rank, [&](int i, int j, const f32x4 &v) INLINE {
      UNROLL for (int e = 0; e < 4; e++) { // as in leave
        int c = 8 * j + 2 * (self % 4) + e % 2;
        i64 row = row0 + 16 * i + self / 4 + 8 * (e / 2);
        if (c < m && row < rows) finish(dst, c * across + row, v[e], bias, row, add, add ? to_float(dst[c * across + row]) : 0.f);
      }
    });
  };
  if (blocks == 2) join(Count<2>{});
  else if (blocks == 4) join(Count<4>{});
  else join(Count<8>{});
  cluster_sync(); // others may still read here
}

// Up to 32 rows of x two blocks find room on a multiprocessor, for more one; the ring has what fits.
template <typename Tile, int NT> constexpr int stages() {
  int fit = ((NT == 8 ? 224 : 112) * 1024 - (Tile::sums ? 256 * NT : 0)) / (warps * Tile::bytes + 2048 * NT);
  return fit < 6 ? fit : 6;
}
#define PACKED_ROWS(Tile, D, name, NT) \
  KERNEL __launch_bounds__(256, NT == 8 ? 1 : 2) matmul_packed_rows_##NT##_##name(D *dst, const bf16 *x, const u8 *w, const float *bias, int m, i64 rows, i64 cols, i64 across, int add, const int *used, int blocks) { \
    matmul_packed_rows<Tile, D, NT, stages<Tile, NT>()>(dst, x, w, bias, m, rows, cols, across, add, used, blocks); \
  }
#define ROWS(Tile, name) \
  PACKED_ROWS(Tile, bf16, name, 2) PACKED_ROWS(Tile, bf16, name, 3) PACKED_ROWS(Tile, bf16, name, 4) PACKED_ROWS(Tile, bf16, name, 8) \
  PACKED_ROWS(Tile, float, name##_f32, 2) PACKED_ROWS(Tile, float, name##_f32, 3) PACKED_ROWS(Tile, float, name##_f32, 4) PACKED_ROWS(Tile, float, name##_f32, 8)
