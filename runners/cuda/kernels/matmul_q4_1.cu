// matmul_blocks.h for Q4_1.
#include "matmul_blocks.h"

typedef Blocks<4, scaleAndLeast> W;
INSTANCE(W, q4_1, 4)
