// attention_rows.cu for layers with a soft cap.
#define WAY 2
#include "attention_rows.cu"
