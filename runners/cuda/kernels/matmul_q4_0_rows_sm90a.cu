// matmul_blocks_rows.h for Q4_0.
#include "matmul_blocks_rows.h"

typedef Blocks<4, oneScale> W;
ROWS(BlockTile<W>, q4_0)
