// cap: x[i] = limit · tanh(x[i]/limit), n numbers.
#include "device.h"

KERNEL cap(float *x, i64 n, float limit) {
  next();
  wait();
  i64 i = block_x() * threads() + thread();
  if (i >= n) return;
  x[i] = limit * (1.f - 2.f / (1.f + exp(2.f * (x[i] / limit)))); // a NaN stays
}
