// batch.h: what the decoding kernels know of a batch. Written once by the host
// (layout.go has the same structures), one table per layer; only *steps changes.
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
  int split;           // which chunk of the head's keys
  int slot;            // of the head's first partial result; split s of query q has slot + s·group + q
  int head;            // which counter of arrived
  int zero;
};

const int chunk = 256; // keys in a split; attend_caches_sm90a.cu has its own rule

// Where an item is at work.
struct Place {
  int begin, end, splits; // its keys, and how many splits the head has now
  int lowest;             // position that the window begins with
  // After now steps, the item having the keys from first to behind where the head has as
  // many, all items being so many. False: it lies ahead of the present length.
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
