// matmul_blocks.h for Q4_K.
#include "matmul_blocks.h"

typedef Blocks<4, superBlock> W;
INSTANCE(W, q4_k, 4)
