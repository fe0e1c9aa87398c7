// way.h: how a layer makes probabilities of products, beside its scale and window: the Cap and
// the Sinks of engine.Attention. FILE.cu has the kernels of layers without either; for the
// others FILE_sinks.cu and FILE_cap.cu make them again from the same source, so that a card
// compiles them only where a model has them, and the plain ones are as if there were none.
// Those with a cap take sinks, too.
#pragma once
#include "device.h"

#define WAY_PLAIN 0
#define WAY_SINKS 1
#define WAY_CAP 2
#ifndef WAY
#define WAY WAY_PLAIN
#endif

struct Way {
  float cap;          // where WAY is WAY_CAP
  const float *sinks; // (heads), or null
  int heads;          // query heads
};

// What a kernel for the way is named, takes at its end, and hands on.
#if WAY == WAY_PLAIN
#define NAME(name) name
#define WAY_PARAMETERS
#define WAY_ARGUMENTS Way{0.f, nullptr, 0}
#else
#if WAY == WAY_SINKS
#define NAME(name) name##_sinks
#else
#define NAME(name) name##_cap
#endif
#define WAY_PARAMETERS , float cap, const float *sinks, int sunk
#define WAY_ARGUMENTS Way{cap, sinks, sunk}
#endif
#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

// tanh within 1.5e-7: near 0, where the powers would cancel, a series.
DEVICE float tanh(float x) {
  float s = x * x, r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(1.f + exp2(x * (2.f * LOG2E))));
  float near = fma(s, fma(s, fma(s, 62.f / 2835.f, -17.f / 315.f), 2.f / 15.f), -1.f / 3.f);
  return s < 0.0625f ? fma(x * s, near, x) : fma(-2.f, r, 1.f);
}

// Makes a product what `scale` makes a logit in units of log2 of. Where there is a cap that is
// cap · tanh(product · scale / cap), and scale becomes 1.
struct Bend {
  float inner, outer;
  DEVICE Bend(float &scale, Way way) { // scale is in units of log2
    if constexpr (WAY == WAY_CAP) outer = way.cap * LOG2E, inner = scale / outer, scale = 1.f;
  }
  DEVICE float operator()(float product) const { return WAY == WAY_CAP ? outer * tanh(product * inner) : product; }
};

// A query head's sink in units of log2.
DEVICE float sink(Way way, int head) { return way.sinks ? way.sinks[head] * LOG2E : -INF; }

// Adds a sink to a row with the sum `total` of 2^(logit-top), and moves top so that neither
// overflows. Returns what the powers are to be multiplied by.
DEVICE float settle(float &top, float &total, float sink) {
  float high = max(top, sink), factor = exp2(top - high);
  total = fma(total, factor, exp2(sink - high));
  top = high;
  return factor;
}
