// window_scores.cu for layers with sinks.
#define WAY 1
#include "window_scores.cu"
