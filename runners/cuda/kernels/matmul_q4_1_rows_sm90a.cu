// matmul_blocks_rows.h for Q4_1.
#include "matmul_blocks_rows.h"

typedef Blocks<4, scaleAndLeast> W;
ROWS(BlockTile<W>, q4_1)
