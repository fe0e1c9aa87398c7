// matmul_blocks_rows.h for Q6_K.
#include "matmul_blocks_rows.h"

typedef Blocks<6, sixteens> W;
ROWS(BlockTile<W>, q6_k)
