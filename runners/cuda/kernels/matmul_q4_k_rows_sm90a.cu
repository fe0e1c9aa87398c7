// matmul_blocks_rows.h for Q4_K.
#include "matmul_blocks_rows.h"

typedef Blocks<4, superBlock> W;
ROWS(BlockTile<W>, q4_k)
