// matmul_blocks.h for Q8_0.
#include "matmul_blocks.h"

typedef Blocks<8, oneScale> W;
INSTANCE(W, q8_0, 3)
