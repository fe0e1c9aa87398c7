// attend_caches_sm90a.cu for layers with a soft cap.
#define WAY 2
#include "attend_caches_sm90a.cu"
