// matmul_blocks.h for Q4_0.
#include "matmul_blocks.h"

typedef Blocks<4, oneScale> W;
INSTANCE(W, q4_0, 4)
