// linear.h: what the kernels of a prompt (linear.cu) and of a step (linear_step.cu) share of linear attention, above all
// the order of every sum: a token has the same bits in both.
//
// Columns of a state (keySize, valueSize) know nothing of each other. The rows of a column are eight leaves: leaf l has of
// each 32 rows those from 4l to 4l+3, 8·R rows in all with those that don't exist, which are zeros. With the sums s = Sᵀk and
// o = Sᵀq over the state before the token, d = β(v - g·s), the state becomes g·S + k ⊗ d, and its product with q is g·o + (q·k)·d.
// A leaf's sum s is two, of its even and its odd rows, o is one; leaves are added in pairs, those in pairs, and so on.
//
// The scalars of a token and value head are g, β, q·k, β·g.
#pragma once
#include "device.h"

struct Shape {
  int keyHeads, valueHeads, keySize, valueSize, kernel;
  DEVICE int group() const { return valueHeads / keyHeads; }
  DEVICE int keys() const { return keyHeads * keySize; }
  DEVICE int out() const { return valueHeads * valueSize; }
  DEVICE int channels() const { return 2 * keys() + out(); }
  DEVICE int in() const { return channels() + out() + 2 * valueHeads; }
  DEVICE int padded() const { return (valueSize + 31) / 32 * 32; }
};

#define SHAPE_PARAMETERS int keyHeads, int valueHeads, int keySize, int valueSize, int kernel
#define SHAPE Shape{keyHeads, valueHeads, keySize, valueSize, kernel}

struct Weights {
  const float *conv, *decay, *bias; // (channels, kernel), (valueHeads), (valueHeads)
};

// The hardware's reciprocals (1 and 2 ulp): exact ones are calls beside full registers. Of a number that is known when the
// machine code is made that has the exact one in its place, which may differ in the last bit: so sizes that one kernel knows and
// another reads go into them as they are read.
DEVICE float reciprocal(float x) { float y; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
DEVICE float reciprocal_sqrt(float x) { float y; asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

DEVICE float sigmoid(float x) { return reciprocal(1.f + exp(-x)); }
DEVICE float silu(float x) { // without exp's branches: behind ±88 the result is x, or 0 within float's smallest numbers
  float p = __builtin_fminf(max(-x, -88.f), 88.f), y = p * LOG2E, e = fma(p, LOG2E, -y);
  return x * reciprocal(1.f + exp2(y) * (1.f + 0.693147181f * fma(p, 1.92596299e-8f, e)));
}

// log(1 + y) for 0 ≤ y ≤ 1, 2·artanh(y/(2+y)), also where 1 + y would round y away.
DEVICE float log1p(float y) {
  float s = y * reciprocal(2.f + y), z = s * s, p = 1.f / 15.f;
  p = fma(p, z, 1.f / 13.f), p = fma(p, z, 1.f / 11.f), p = fma(p, z, 1.f / 9.f);
  p = fma(p, z, 1.f / 7.f), p = fma(p, z, 1.f / 5.f), p = fma(p, z, 1.f / 3.f);
  return 2.f * fma(s * z, p, s);
}
DEVICE float softplus(float x) { return max(x, 0.f) + log1p(exp(-max(x, -x))); }

// A sequence's inputs, before whose first token are those of `tail` (kernel-1, channels).
template <typename T> struct Inputs {
  const T *in;
  float *tail;
  Shape s;
  DEVICE float at(i64 t, int c) const { return t < 0 ? tail[(t + s.kernel - 1) * s.channels() + c] : to_float(in[t * s.in() + c]); }
  // Leaves the last rows behind n tokens of a channel. A row that is read is later than the one that is written.
  DEVICE void keep(i64 n, int c) const {
    for (int i = 0; i < s.kernel - 1; i++) tail[(i64)i * s.channels() + c] = at(n - s.kernel + 1 + i, c);
  }
};

// What a token's q and k are multiplied by, from the sums of their squares. keySize is never known.
DEVICE float scale_q(float qq, int keySize) { return reciprocal_sqrt(qq + 1e-6f) * reciprocal_sqrt((float)keySize); }
DEVICE float scale_k(float kk) { return reciprocal_sqrt(kk + 1e-6f); }

DEVICE f32x4 scalars_of(float g, float beta) { return f32x4{g, beta, 0.f, beta * g}; }
DEVICE float decay(float rate, float x, float bias) { return exp(rate * softplus(x + bias)); }

// Of a column: d from s, the output from o, and a number of the state, of row k.
DEVICE float delta(float s, float v, f32x4 scalars) { return fma(-scalars.w, s, scalars.y * v); }
DEVICE float output(float o, float d, f32x4 scalars) { return fma(scalars.x, o, scalars.z * d); }
DEVICE float renewed(float s, float k, float d, f32x4 scalars) { return fma(k, d, scalars.x * s); }


// What the norm multiplies a head's outputs by, in every lane of a warp.
// sizeRead is the size, never known.
DEVICE float norm_scale(const float *o, float eps, int size, int sizeRead) {
  float sum = 0.f;
  for (int j = lane(); j < size; j += 32) sum = fma(o[j], o[j], sum);
  return reciprocal_sqrt(fma(sum_warp(sum), reciprocal((float)sizeRead), eps));
}

// An output, normed and times silu(z), to column c of dst and, if it is not null, of the same row in the order of
// matmul_wide_sm90a.cu (store8_ordered in device.h).
template <typename T> DEVICE void finish(T *dst, T *ordered, int c, float o, float scale, float norm, float z) {
  T y;
  from_float(y, o * scale * norm * silu(z));
  dst[c] = y;
  if (ordered) ordered[c / 32 * 32 + (c % 8 / 2 * 4 + c / 8 % 4) * 2 + c % 2] = y;
}
