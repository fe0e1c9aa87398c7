// attention_rows.cu for layers with sinks.
#define WAY 1
#include "attention_rows.cu"
