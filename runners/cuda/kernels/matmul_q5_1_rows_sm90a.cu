// matmul_blocks_rows.h for Q5_1.
#include "matmul_blocks_rows.h"

typedef Blocks<5, scaleAndLeast> W;
ROWS(BlockTile<W>, q5_1)
