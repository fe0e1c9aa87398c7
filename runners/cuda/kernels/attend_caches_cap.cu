// attend_caches.cu for layers with a soft cap.
#define WAY 2
#include "attend_caches.cu"
