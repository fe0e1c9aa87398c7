// window_scores.cu for layers with a soft cap.
#define WAY 2
#include "window_scores.cu"
