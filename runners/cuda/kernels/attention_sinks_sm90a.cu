// attention_sm90a.cu for layers with sinks.
#define WAY 1
#include "attention_sm90a.cu"
