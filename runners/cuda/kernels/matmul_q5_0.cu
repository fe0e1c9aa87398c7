// matmul_blocks.h for Q5_0.
#include "matmul_blocks.h"

typedef Blocks<5, oneScale> W;
INSTANCE(W, q5_0, 4)
