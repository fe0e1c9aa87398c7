// attend_caches_sm90a.cu for layers with sinks.
#define WAY 1
#include "attend_caches_sm90a.cu"
