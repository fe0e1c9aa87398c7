// batch.h: the tables that describe a batch to the decoding kernels. The host writes them
// once, one set per layer (layout.go has the same structures); after that only *steps
// changes.
#pragma once
#include "way.h"

// A row of the batch: one sequence.
struct Row {
  int position; // of the first token that decoding appends
  int heads;    // cache heads of the layer
  int first;    // index of its first Head
  int zero;
};

// A cache head of one row.
struct Head {
  u64 k, v;      // (held + room, d), the head's first row; where it is staged, (d) of the next row alone
  u64 positions; // int (held + room): the position of each row; 0: row i is position i
  int held;      // rows that the prompt left
  int staged;    // 1 where the cache has codes: quantize_append encodes what is put here
};

// A block's share of the keys of one head. It repeats what the block needs of the Head and
// the Row, so that one read brings everything: what follows has to wait for it.
struct Item {
  u64 k, v, positions; // of the Head
  int held;            // of the Head
  int position;        // of the Row
  int query;           // first query head, counted over all rows
  int group;           // query heads of the cache head
  int split;           // which chunk of the head's keys
  int slot;            // of the head's first partial result; split s of query q has slot + s·group + q
  int head;            // index of the head's counter in arrived
  int zero;
};

const int chunk = 256; // keys in a split; attend_caches_sm90a.cu has its own rule

// The keys that an item works on.
struct Place {
  int begin, end, splits; // its keys, and how many splits the head has now
  int lowest;             // first position of the window
  // Sets the fields for the head's length after `now` steps: the item has the keys from
  // first up to behind, as far as the head has them, and the head has `all` items. Returns
  // false where the head is still too short for the item to have a key.
  DEVICE bool find(const Item &item, int now, int window, int first, int behind, int all) {
    int length = item.held + now + 1;
    begin = first;
    end = min(behind, length);
    splits = all;
    lowest = window > 0 ? item.position + now - window + 1 : 0;
    return begin < length;
  }
  DEVICE bool sees(const Item &item, int i) const {
    if (i >= end) return false;
    if (lowest <= 0) return true;
    return (i >= item.held ? item.position + i - item.held : item.positions ? ((const int *)item.positions)[i] : i) >= lowest;
  }
};
