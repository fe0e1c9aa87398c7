// random: dst[i] = scale · (h/2²³ − 1), h the top 24 bits of splitmix64(seed + i):
// uniform in [−scale, scale). The same numbers as the host's (engine.RandomValue).
#include "device.h"

template <typename T> DEVICE void random(T *dst, i64 total, u64 seed, float scale) {
  for (i64 i = block_x() * threads() + thread(); i < total; i += blocks_x() * threads()) {
    u64 z = (seed + (u64)i) * 0x9e3779b97f4a7c15ull + 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    from_float(dst[i], scale * ((float)(u32)(z >> 40) * 0x1p-23f - 1.f));
  }
}

#define INSTANCE(T, name) \
  KERNEL random_##name(T *dst, i64 total, u64 seed, float scale) { random(dst, total, seed, scale); }
INSTANCE(float, f32)
INSTANCE(f16, f16)
INSTANCE(bf16, bf16)
