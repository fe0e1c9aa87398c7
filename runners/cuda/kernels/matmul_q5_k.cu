// matmul_blocks.h for Q5_K.
#include "matmul_blocks.h"

typedef Blocks<5, superBlock> W;
INSTANCE(W, q5_k, 4)
