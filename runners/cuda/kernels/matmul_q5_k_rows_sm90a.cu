// matmul_blocks_rows.h for Q5_K.
#include "matmul_blocks_rows.h"

typedef Blocks<5, superBlock> W;
ROWS(BlockTile<W>, q5_k)
