// attention.cu for layers with sinks.
#define WAY 1
#include "attention.cu"
