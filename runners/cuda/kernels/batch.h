// batch.h: what the decoding kernels know of a batch. Written once by the host
// (batch.go has the same structures), one table per layer; only *steps changes.
#pragma once
#include "device.h"

// A row of the batch: one sequence.
struct Row {
  int position; // of the first token that decoding appends
  int heads;    // cache heads of the layer
  int first;    // index of its first Head
  int zero;
};

// A cache head of one row.
struct Head {
  u64 k, v;      // (held + room, d), the head's first row
  u64 positions; // int (held + room): the position of each row; 0: row i is position i
  int held;      // rows that the prompt left
  int row;
};

// A block's share of the keys of one head, with all that the block needs of it: one
// read, for what follows waits for it.
struct Item {
  u64 k, v, positions; // of the Head
  int held;            // of the Head
  int position;        // of the Row
  int query;           // first query head, counted over all rows
  int group;           // query heads of the cache head
  int split;           // keys chunk·split …
  int slot;            // of the head's first partial result; split s of query q has slot + s·group + q
  int head;            // index of the Head
  int zero;
};

const int chunk = 256; // keys in a split
