// attend_caches.cu for layers with sinks.
#define WAY 1
#include "attend_caches.cu"
