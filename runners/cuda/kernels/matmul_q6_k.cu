// matmul_blocks.h for Q6_K.
#include "matmul_blocks.h"

typedef Blocks<6, sixteens> W;
INSTANCE(W, q6_k, 3)
