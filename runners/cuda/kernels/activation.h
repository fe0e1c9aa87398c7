// activation.h: how gate and up are joined (engine.ActivationKind).
#pragma once
#include "device.h"

struct SwiGLU {
  DEVICE float operator()(float g, float u) const { return g / (1.f + exp(-g)) * u; }
};
struct TanhGEGLU {
  DEVICE float operator()(float g, float u) const { return g / (1.f + exp(-g * (1.59576912f + 0.0713548163f * g * g))) * u; }
};
struct ClampedSwiGLU {
  float alpha, limit;
  DEVICE float operator()(float g, float u) const {
    g = g > limit ? limit : g; // a NaN stays
    u = u > limit ? limit : u < -limit ? -limit : u;
    return g / (1.f + exp(-alpha * g)) * (u + 1.f);
  }
};
