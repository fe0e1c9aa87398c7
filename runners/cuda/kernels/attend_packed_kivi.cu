#define KIVI 1
#include "attend_packed.cu"
