// matmul_blocks_rows.h for Q5_0.
#include "matmul_blocks_rows.h"

typedef Blocks<5, oneScale> W;
ROWS(BlockTile<W>, q5_0)
