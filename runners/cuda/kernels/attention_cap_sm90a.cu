// attention_sm90a.cu for layers with a soft cap.
#define WAY 2
#include "attention_sm90a.cu"
