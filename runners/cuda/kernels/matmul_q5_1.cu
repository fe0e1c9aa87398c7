// matmul_blocks.h for Q5_1.
#include "matmul_blocks.h"

typedef Blocks<5, scaleAndLeast> W;
INSTANCE(W, q5_1, 4)
