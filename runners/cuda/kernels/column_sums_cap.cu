// column_sums.cu for layers with a soft cap.
#define WAY 2
#include "column_sums.cu"
