// matmul_blocks_rows.h for Q8_0.
#include "matmul_blocks_rows.h"

typedef Blocks<8, oneScale> W;
ROWS(BlockTile<W>, q8_0)
