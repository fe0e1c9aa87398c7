// encode.h: makes the codes of a vector that the lanes of a warp hold in registers, eight numbers
// a lane: 8, 16 or 32 lanes have a vector of up to 64, 128 or 256 numbers. All vectors of a warp
// have one format. What lanes have to know of each other goes by shuffles.
#pragma once
#include "turn.h"

struct Vector {
  float x[8]; // numbers at, at+1, …; zeros behind the d that there are
  int at, d, lanes;
  DEVICE bool has(int i) const { return at + i < d; }
};

DEVICE u32 shuffle_xor(u32 v, int mask) { return (u32)__nvvm_shfl_sync_bfly_i32(~0u, (int)v, mask, 31); }

template <typename T> DEVICE void load(Vector &v, const T *from, bool wide) { // wide: of a multiple of eight numbers, aligned
  UNROLL for (int i = 0; i < 8; i++) v.x[i] = 0.f;
  if (wide) {
    if (v.has(0)) load8(v.x, from + v.at);
  } else load8_edge(v.x, from + v.at, v.d - v.at);
}

DEVICE bool finite(const Vector &v) { // a sum of what is 0 of every finite number
  float sum = 0.f;
  UNROLL for (int i = 0; i < 8; i++) sum = fma(v.x[i], 0.f, sum);
  return sum == 0.f;
}

// Reduces over groups of `lanes` neighbouring lanes.
template <typename F> DEVICE float reduce(float v, int lanes, F both) {
  UNROLL for (int m = 1; m < 32; m *= 2)
    if (m < lanes) v = both(v, shuffle_xor(v, m));
  return v;
}
DEVICE float largest(const Vector &v, int lanes) { // magnitude
  float m = 0.f;
  UNROLL for (int i = 0; i < 8; i++) m = max(m, magnitude(v.x[i]));
  return reduce(m, lanes, [](float a, float b) INLINE { return max(a, b); });
}
struct Range { float low, high; };
DEVICE Range range(const Vector &v, int lanes) {
  float low = INF, high = -INF;
  UNROLL for (int i = 0; i < 8; i++)
    if (v.has(i)) low = least(low, v.x[i]), high = max(high, v.x[i]);
  return {reduce(low, lanes, [](float a, float b) INLINE { return least(a, b); }), reduce(high, lanes, [](float a, float b) INLINE { return max(a, b); })};
}

// Writes the first n of eight bytes, in the widest pieces that fit.
DEVICE void store(u8 *to, u64 w, int n) {
  if (n == 8 && ((u64)to & 3) == 0) {
    ((u32 *)to)[0] = (u32)w, ((u32 *)to)[1] = (u32)(w >> 32);
  } else if (n == 4 && ((u64)to & 3) == 0) {
    *(u32 *)to = (u32)w;
  } else if (((n | (int)(u64)to) & 1) == 0) {
    UNROLL for (int i = 0; i < 4; i++)
      if (2 * i < n) ((u16 *)to)[i] = (u16)(w >> 16 * i);
  } else {
    UNROLL for (int i = 0; i < 8; i++)
      if (i < n) to[i] = (u8)(w >> 8 * i);
  }
}
// The same of 2, 4 or 8 bytes at a multiple of `aligned`, where that is not 1.
template <int aligned> DEVICE void store_aligned(u8 *to, u64 w, int n) {
  if constexpr (aligned == 1) store(to, w, n);
  else if (aligned >= 8 && n == 8) *(u64 *)to = w;
  else if (aligned >= 4) {
    UNROLL for (int i = 0; i < 2; i++)
      if (4 * i < n) ((u32 *)to)[i] = (u32)(w >> 32 * i);
  } else {
    UNROLL for (int i = 0; i < 4; i++)
      if (2 * i < n) ((u16 *)to)[i] = (u16)(w >> 16 * i);
  }
}
// Writes eight codes of b bits at their place among `all` bytes of codes; `aligned` of a wide vector's (encode).
template <int aligned, int b> DEVICE void store_word(const Vector &v, u8 *to, u64 w, int all) {
  int begin = v.at / 8 * b;
  if constexpr (aligned > 1) {
    if (begin < all) store_aligned<aligned>(to + begin, w, b);
  } else {
    int n = min(b, all - begin);
    if (n > 0) store(to + begin, w, n);
  }
}
template <int aligned, int b> DEVICE void store_codes(const Vector &v, u8 *to, const u32 (&code)[8], int all) {
  u32 w[2] = {0, 0};
  if constexpr (b <= 4) {
    UNROLL for (int i = 0; i < 8; i++) w[0] |= code[i] << i * b;
  } else {
    UNROLL for (int i = 0; i < 8; i++) w[i / 4] |= code[i] << i % 4 * 8;
  }
  store_word<aligned, b>(v, to, (u64)w[1] << 32 | w[0], all);
}

// Quotients by one divisor, rounded once. Between 2^-60 and 2^60 a quotient by the reciprocal is corrected twice; what is then off are
// quotients far below any code.
struct Divisor {
  float by, inverse;
  bool plain;
  DEVICE Divisor(float by) : by(by), inverse(1.f / by) { plain = !(by > 0x1p-60f && by < 0x1p60f); }
  DEVICE void operator()(float (&x)[8]) const {
    if (plain) {
      UNROLL for (int i = 0; i < 8; i++) x[i] /= by;
      return;
    }
    UNROLL for (int i = 0; i < 8; i++) {
      float q = x[i] * inverse;
      UNROLL for (int k = 0; k < 2; k++) q = fma(fma(-by, q, x[i]), inverse, q);
      x[i] = bits_float((float_bits(q) & 0x7fffffffu) | (float_bits(x[i]) & 0x80000000u));
    }
  }
};

// Two numbers as to_e4m3 makes them. From compute capability 9.0 on (device.h: wait) one instruction does.
DEVICE u32 two_e4m3(float a, float b) {
  u32 known;
  u16 both = 0;
  asm("mov.u32 %0, 0; //sm_90 mov.u32 %0, 1;" : "=r"(known));
  if (known) asm("mov.u16 %0, 0; //sm_90 cvt.rn.satfinite.e4m3x2.f32 %0, %2, %1;" : "=h"(both) : "f"(a), "f"(b));
  else both = (u16)(to_e4m3(a) | to_e4m3(b) << 8);
  return both;
}
DEVICE u32 four_e4m3(float a, float b, float c, float d) { return two_e4m3(a, b) | two_e4m3(c, d) << 16; }
DEVICE u64 eight_e4m3(const float (&x)[8]) { return (u64)four_e4m3(x[4], x[5], x[6], x[7]) << 32 | four_e4m3(x[0], x[1], x[2], x[3]); }

// Multiplies a vector as turn.h does.
DEVICE void turn(Vector &v, int turn) {
  if (turn == 0) return;
  int block = turn < 0 ? -turn : turn;
  if (turn < 0) {
    UNROLL for (int i = 0; i < 8; i++)
      if (int4Sign((v.at + i) % block)) v.x[i] = -v.x[i];
  }
  UNROLL for (int stride = 1; stride < 8; stride *= 2) {
    if (stride >= block) continue;
    UNROLL for (int i = 0; i < 8; i++) {
      if (i & stride) continue;
      float a = v.x[i], b = v.x[i + stride];
      v.x[i] = a + b, v.x[i + stride] = a - b;
    }
  }
  UNROLL for (int m = 1; m < 32; m *= 2) {
    if (8 * m >= block) continue;
    UNROLL for (int i = 0; i < 8; i++) {
      float other = shuffle_xor(v.x[i], m);
      v.x[i] = lane() & m ? other - v.x[i] : v.x[i] + other;
    }
  }
  if (turn > 0) {
    float f = 1.f / sqrt((float)block);
    UNROLL for (int i = 0; i < 8; i++) v.x[i] *= f;
  }
}

// The length of a vector; squares are summed in double precision.
DEVICE float length(const Vector &v) {
  double sum = 0.;
  UNROLL for (int i = 0; i < 8; i++) sum += (double)v.x[i] * (double)v.x[i];
  UNROLL for (int m = 1; m < 32; m *= 2) {
    if (m >= v.lanes) continue;
    u64 w = __builtin_bit_cast(u64, sum);
    sum += __builtin_bit_cast(double, (u64)shuffle_xor((u32)(w >> 32), m) << 32 | shuffle_xor((u32)w, m));
  }
  double root;
  asm("sqrt.rn.f64 %0, %1;" : "=d"(root) : "d"(sum));
  return (float)root;
}

// ggml's blocks of 32 numbers, which four lanes have. What is missing of the last is 0.
template <bool wide> DEVICE bool encode_ggml(int format, u8 *to, const Vector &v) {
  bool whole = format == formatQ8;
  int first = v.at / 32 * 32, part = v.at / 8 % 4;
  float m = v.x[0]; // of the largest magnitude, the first among equals
  UNROLL for (int i = 1; i < 8; i++)
    if (v.has(i) && magnitude(v.x[i]) > magnitude(m)) m = v.x[i];
  UNROLL for (int k = 1; k < 4; k *= 2) {
    float other = shuffle_xor(m, k);
    if (magnitude(other) > magnitude(m) || (magnitude(other) == magnitude(m) && (part & k))) m = other;
  }
  float s = whole ? magnitude(m) / 127.f : m / -8.f, inverted = inverse(s);
  u16 h = to_half(s);
  u32 code[8];
  UNROLL for (int i = 0; i < 8; i++) {
    float y = v.x[i] * inverted, z = y + 8.5f;
    code[i] = whole ? (u32)round_away(y) & 255 : (u32)min((int)__builtin_truncf(z), 15);
  }
  to += first / 32 * (whole ? 34 : 18);
  u64 w = 0;
  if (whole) {
    u32 half[2] = {0, 0};
    UNROLL for (int i = 0; i < 8; i++) half[i / 4] |= code[i] << i % 4 * 8;
    w = (u64)half[1] << 32 | half[0];
  } else { // byte j has codes j and j+16: two lanes have half of each other's bytes
    u32 own = 0;
    UNROLL for (int i = 0; i < 8; i++) own |= code[i] << 4 * i;
    u32 other = shuffle_xor(own, 2);
    auto spread = [](u32 x) INLINE { // four codes to four bytes
      x = (x | x << 8) & 0x00ff00ffu;
      return (x | x << 4) & 0x0f0f0f0fu;
    };
    w = part & 2 ? spread(other >> 16) | spread(own >> 16) << 4 : spread(own & 0xffff) | spread(other & 0xffff) << 4;
  }
  if (first >= v.d) return true;
  if (part == 0) *(u16 *)to = h;
  if (whole) store_aligned<2>(to + 2 + 8 * part, w, 8);
  else store_aligned<2>(to + 2 + 8 * (part & 1) + 2 * (part & 2), w, 4);
  return half_finite(h);
}

// Levels between the least and the greatest number of a vector: int4_th, TurboQuant's values.
template <bool wide> DEVICE bool encode_levels(int format, u8 *to, const Vector &v, int bytes) {
  Range r = range(v, v.lanes);
  float span = r.high - r.low;
  u32 code[8];
  if (format == formatInt4Token) {
    int all = (v.d + 1) / 2;
    float s = max(span / 15.f, 1e-6f), z = least(max(trunc_half(-r.low / s), 0.f), 15.f), inverted = 1.f / s;
    UNROLL for (int i = 0; i < 8; i++) {
      float y = v.x[i] * inverted, w = y + z;
      code[i] = v.has(i) ? (u32)least(max(trunc_half(w), 0.f), 15.f) : 0;
    }
    store_codes<wide ? 4 : 1, 4>(v, to, code, all);
    if (v.at == 0) store_aligned<wide ? 4 : 1>(to + all, (float_bits(s) & ~15u) | (u32)z, 4);
    return finite(span);
  }
  int b = format == formatTQ4 ? 4 : 3, all = (v.d * b + 7) / 8;
  float top = (float)((1 << b) - 1), s = max(span / top, 1e-8f);
  float y[8];
  UNROLL for (int i = 0; i < 8; i++) y[i] = v.x[i] - r.low;
  Divisor{s}(y);
  UNROLL for (int i = 0; i < 8; i++) {
    float z = y[i] + 0.5f;
    code[i] = v.has(i) ? (u32)least(max(__builtin_truncf(z), 0.f), top) : 0;
  }
  if (format == formatTQ4) store_codes<wide ? 4 : 1, 4>(v, to, code, all);
  else store_codes<1, 3>(v, to, code, all);
  u16 h = to_half(s), m = to_half(r.low);
  if (v.at == 0) {
    store(to + all, (u32)h | (u32)m << 16, 4);
    if (bytes > all + 4) to[all + 4] = 0;
  }
  return half_finite(h) && half_finite(m);
}

// TurboQuant's keys: the levels that the numbers of the turned vector of length 1 are near.
template <bool wide> DEVICE bool encode_tq_key(int format, u8 *to, Vector &v, int block, const float *levels) {
  int b = format == formatTQKey4 ? 4 : 3, upper = 1 << (b - 1), all = (v.d * b + 7) / 8;
  float norm = length(v), by = norm + 1e-8f;
  Divisor{by}(v.x);
  turn(v, block);
  int middles[7]; // between levels above zero, as bits, which are ordered as the numbers
  UNROLL for (int k = 0; k < 7; k++) middles[k] = k < upper - 1 ? (int)float_bits((levels[k] + levels[k + 1]) / 2.f) : 0x7fffffff;
  u32 code[8];
  UNROLL for (int i = 0; i < 8; i++) {
    bool positive = v.x[i] >= 0.f; // a number in the middle gets the level above
    int bits = (int)float_bits(magnitude(v.x[i])) - (positive ? 0 : 1), n = 0;
    UNROLL for (int k = 0; k < 7; k++) n += middles[k] <= bits;
    code[i] = v.has(i) ? (u32)(positive ? upper + n : upper - 1 - n) : 0;
  }
  if (b == 4) store_codes<wide ? 2 : 1, 4>(v, to, code, all);
  else store_codes<1, 3>(v, to, code, all);
  u16 h = to_half(norm);
  if (v.at == 0) store(to + all, h, 2);
  return half_finite(h);
}

// KIVI's arithmetic is in float16, each operation rounded.
DEVICE float rounded(float x) { return to_float(f16{to_half(x)}); }
// inverse is 1/scale. A quotient of two float16 is never so near to the middle between two of them that one correction
// leaves it on the wrong side; whole numbers are the last places of 2^23 and what follows.
DEVICE u32 kivi_code(float x, float low, float scale, float inverse, float top) {
  float a = rounded(x - low), q = a * inverse, y = rounded(fma(fma(-scale, q, a), inverse, q));
  return scale == 0.f ? 0 : float_bits(least(max(y, 0.f), top) + 8388608.f) & 15;
}
// Values, in groups of 32 channels, which four lanes have.
template <bool wide> DEVICE bool encode_kivi(int format, u8 *to, Vector &v) {
  int b = format == formatKIVI4 ? 4 : 2, groups = (v.d + 31) / 32, all = 4 * ((v.d * b + 31) / 32);
  float top = (float)((1 << b) - 1);
  UNROLL for (int i = 0; i < 8; i++) v.x[i] = rounded(v.x[i]);
  bool stored = finite(v);
  Range r = range(v, 4);
  float scale = rounded(rounded(r.high - r.low) / top), inverse = 1.f / scale;
  u32 code[8];
  UNROLL for (int i = 0; i < 8; i++) code[i] = v.has(i) ? kivi_code(v.x[i], r.low, scale, inverse, top) : 0;
  if (format == formatKIVI4) store_codes<wide ? 4 : 1, 4>(v, to, code, all);
  else store_codes<wide ? 2 : 1, 2>(v, to, code, all);
  if (!v.has(0)) return true;
  if (v.at % 32 == 0) {
    store_aligned<2>(to + all + v.at / 32 * 2, to_half(scale), 2);
    store_aligned<2>(to + all + 2 * groups + v.at / 32 * 2, to_half(r.low), 2);
  }
  return stored && finite(scale);
}

// Makes a vector's codes. Returns false to the lanes that have what cannot be stored. scale is a
// calibrated one, 1 where there is none; bytes is how many the codes take. wide: vectors are of multiples of eight
// numbers, and runs begin at multiples of 16 bytes. A format that the compiler knows has a kernel of its own (quantize_wide.cu).
template <bool wide> DEVICE bool encode(int format, int block, u8 *to, Vector &v, int bytes, float scale, const float *levels) {
  bool stored = finite(v);
  if (format == formatTQKey4 || format == formatTQKey3) return encode_tq_key<wide>(format, to, v, block, levels) && stored;
  if (block != 0) {
    turn(v, block);
    stored = stored && finite(v);
  }
  u32 code[8];
  switch (format) {
  case formatF16:
  case formatBF16: {
    u64 w[2] = {0, 0};
    UNROLL for (int i = 0; i < 8; i++) {
      u16 h = to_half(v.x[i]);
      bool whole = half_finite(h);
      if (format == formatBF16) {
        bf16 r;
        from_float(r, v.x[i]);
        h = r.bits, whole = (h & 0x7f80) != 0x7f80;
      }
      stored = stored && whole;
      w[i / 4] |= (u64)h << i % 4 * 16;
    }
    if constexpr (wide) {
      if (v.has(0)) *(u32x4 *)(to + 2 * v.at) = u32x4{(u32)w[0], (u32)(w[0] >> 32), (u32)w[1], (u32)(w[1] >> 32)};
    } else {
      UNROLL for (int k = 0; k < 2; k++)
        if (v.has(4 * k)) store(to + 2 * v.at + 8 * k, w[k], min(8, 2 * (v.d - v.at) - 8 * k));
    }
    return stored;
  }
  case formatFP8:
    if (scale != 1.f) Divisor{scale}(v.x);
    store_word<wide ? 8 : 1, 8>(v, to, eight_e4m3(v.x), v.d);
    return stored;
  case formatFP8Token:
  case formatInt8Token: {
    bool whole = format == formatInt8Token;
    float s = max(largest(v, v.lanes) / (whole ? 127.f : 448.f), 1e-6f), inverted = 1.f / s;
    if (whole) { // of numbers up to 127 and a few last places, so that none is clipped
      UNROLL for (int i = 0; i < 8; i++) {
        float y = v.x[i] * inverted, z = y >= 0.f ? y + 0.5f : y - 0.5f;
        code[i] = (u32)(int)z & 255;
      }
      store_codes<wide ? 4 : 1, 8>(v, to, code, v.d);
    } else {
      UNROLL for (int i = 0; i < 8; i++) v.x[i] = v.x[i] * inverted;
      store_word<wide ? 4 : 1, 8>(v, to, eight_e4m3(v.x), v.d);
    }
    if (v.at == 0) store_aligned<wide ? 4 : 1>(to + v.d, float_bits(s), 4);
    return stored;
  }
  case formatNV4: { // blocks of 16 numbers, which two lanes have
    int all = (v.d + 15) / 16 * 8;
    float part = largest(v, 2) * (1.f / 6.f);
    u8 c = to_e4m3(least(scale * part, 448.f));
    float s = from_e4m3(c) * (1.f / scale), by = s != 0.f ? 1.f / s : 0.f;
    UNROLL for (int i = 0; i < 8; i++) code[i] = v.has(i) ? to_e2m1(v.x[i] * by) : 0;
    store_codes<1, 4>(v, to, code, all);
    if (v.at % 16 == 0 && v.has(0)) to[all + v.at / 16] = c;
    return stored;
  }
  case formatMX4: { // blocks of 32 numbers, which four lanes have
    int e = max((int)(float_bits(largest(v, 4)) >> 23) - 2, 0), first = v.at / 32;
    float inverse = power(254 - e); // exactly
    UNROLL for (int i = 0; i < 8; i++) code[i] = v.has(i) ? to_e2m1(v.x[i] * inverse) : 0;
    if (32 * first >= v.d) return stored;
    store_codes<1, 4>(v, to + first, code, 16 * first + 16);
    if (v.at % 32 == 0) to[17 * first + 16] = (u8)e;
    return stored;
  }
  case formatInt4Token:
  case formatTQ4:
  case formatTQ3: return encode_levels<wide>(format, to, v, bytes) && stored;
  case formatKIVI4:
  case formatKIVI2: return encode_kivi<wide>(format, to, v) && stored;
  default: return encode_ggml<wide>(format, to, v) && stored;
  }
}
